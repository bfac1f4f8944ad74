//! What one peer is asked, and what must be true of its answers at sight. The rest is verified by the caller.

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_chain::{Block, BlockId, Header};

use super::beside;
use super::receipts::{Parts, slim};
use super::round::Found;
use super::{Answer, PeerError, PeerHandle, Question, Start};
use crate::source::{Fetched, Wanted};

/// Requests for receipts that one answer of blocks may take; each brings 2 MiB.
const RECEIPT_ROUNDS: usize = 16;
/// Bytes of one block's receipts that are put together from parts: far above what a block's gas can log.
const RECEIPTS_BYTES_MAX: usize = 256 << 20;

/// Headers in ascending order without a hole, and their bytes.
///
/// The first is at `height`, if that is known.
pub(super) async fn headers_of(
    peer: PeerHandle,
    start: Start,
    limit: u64,
    height: Option<u64>,
) -> Result<(Vec<Bytes>, usize), PeerError> {
    let Answer { items, .. } = peer.ask(Question::Headers { start, limit, reverse: false }).await?;
    if items.len() as u64 > limit {
        return Err(PeerError::Wrong(format!("{} headers where {limit} were asked for", items.len())));
    }
    let mut expected = match start {
        Start::Number(number) => Some(number),
        Start::Hash(hash) => {
            if items.first().is_some_and(|header| keccak256(header) != hash) {
                return Err(PeerError::Wrong(format!("another header than that of {hash}")));
            }
            height
        }
    };
    for header in &items {
        let found = number(header)?;
        if expected.is_some_and(|expected| expected != found) {
            return Err(PeerError::Wrong(format!("header {found} where another height was asked for")));
        }
        expected = found.checked_add(1);
    }
    let bytes = items.iter().map(Bytes::len).sum();
    Ok((items, bytes))
}

/// A prefix of the wanted blocks, whole. Headers, bodies and receipts travel at the same time.
pub(super) async fn blocks_of(
    peer: PeerHandle,
    wanted: &[Wanted],
    receipts: bool,
) -> Result<Found<Vec<Fetched>>, PeerError> {
    let hashes: Vec<B256> = wanted.iter().map(|id| id.hash).collect();
    let asked = peer.clone();
    let (headers, bodies, receipts) = tokio::try_join!(
        wanted_headers(peer.clone(), wanted),
        asked.ask(Question::Bodies(hashes.clone())),
        async { if receipts { lists_of(&asked, &hashes).await.map(Some) } else { Ok(None) } },
    )?;
    if bodies.items.len() > wanted.len() {
        let fault = format!("{} bodies where {} were asked for", bodies.items.len(), wanted.len());
        return Err(PeerError::Wrong(fault));
    }
    if headers.is_empty() {
        return Ok(Found::NoHeader);
    }
    if bodies.items.is_empty() {
        return Ok(Found::NoBody);
    }
    // A peer that has bodies but no receipts is of use too: the caller asks for those elsewhere.
    let less = receipts.as_ref().is_some_and(Vec::is_empty);
    let receipts = receipts.filter(|lists| !lists.is_empty());
    let lists = receipts.as_ref().map_or(usize::MAX, Vec::len);
    let count = headers.len().min(bodies.items.len()).min(lists);
    let mut lists = receipts.into_iter().flatten();
    let mut blocks = Vec::with_capacity(count);
    let mut bytes = 0_usize;
    for ((id, header), body) in wanted.iter().zip(headers).zip(bodies.items).take(count) {
        // Copies: a slice would keep the whole message alive, of which these may be the least part.
        let [header, body] = [header, body].map(|part| Bytes::copy_from_slice(&part));
        let list = lists.next();
        let split = list.map(|list| beside::split(peer.version(), &body, &list)).transpose();
        let split = split.map_err(|error| PeerError::Wrong(format!("receipts that are none: {error}")))?;
        let (receipts, extra) = split.unwrap_or_default();
        bytes += header.len() + body.len() + receipts.as_ref().map_or(0, Bytes::len);
        blocks.push(Block { id: *id, header, body, receipts, extra });
    }
    Ok(if less { Found::Less(blocks, bytes) } else { Found::All(blocks, bytes) })
}

/// The block with that hash.
pub(super) async fn block_of(peer: PeerHandle, hash: B256) -> Result<Found<Fetched>, PeerError> {
    let headers = headers_of(peer.clone(), Start::Hash(hash), 1, None).await?.0;
    let Some(header) = headers.first() else { return Ok(Found::NoHeader) };
    let id = BlockId { number: number(header)?, hash };
    let one = |blocks: Vec<Fetched>| blocks.into_iter().next();
    Ok(match blocks_of(peer, &[id], true).await? {
        Found::All(blocks, bytes) => one(blocks).map_or(Found::NoBody, |block| Found::All(block, bytes)),
        Found::Less(blocks, bytes) => one(blocks).map_or(Found::NoBody, |block| Found::Less(block, bytes)),
        Found::NoHeader => Found::NoHeader,
        Found::NoBody => Found::NoBody,
    })
}

/// The headers of a prefix of `wanted`: by height where that is one request, by hash where the peer's chain differs.
async fn wanted_headers(peer: PeerHandle, wanted: &[Wanted]) -> Result<Vec<Bytes>, PeerError> {
    let Some(first) = wanted.first() else { return Ok(Vec::new()) };
    let in_row = wanted.iter().zip(first.number..).take_while(|(id, number)| id.number == *number).count();
    let (mut headers, _) = headers_of(peer.clone(), Start::Number(first.number), in_row as u64, None).await?;
    let same = headers.iter().zip(wanted).take_while(|(header, id)| keccak256(header) == id.hash).count();
    headers.truncate(same);
    if headers.is_empty() {
        headers = headers_of(peer, Start::Hash(first.hash), 1, Some(first.number)).await?.0;
    }
    Ok(headers)
}

/// Slim lists for a prefix of `hashes`, in as many requests as they take.
async fn lists_of(peer: &PeerHandle, hashes: &[B256]) -> Result<Vec<Bytes>, PeerError> {
    let wrong = |error| PeerError::Wrong(format!("receipts that are none: {error}"));
    let mut lists = Vec::with_capacity(hashes.len());
    let mut cut = Parts::default();
    for _ in 0..RECEIPT_ROUNDS {
        let rest: Vec<B256> = hashes.iter().skip(lists.len()).copied().collect();
        if rest.is_empty() {
            break;
        }
        let asked = rest.len();
        let question = Question::Receipts { hashes: rest, first_index: cut.count() };
        let Answer { items, incomplete } = peer.ask(question).await?;
        if items.is_empty() {
            break;
        }
        if items.len() > asked {
            return Err(PeerError::Wrong(format!("{} lists of receipts for {asked} blocks", items.len())));
        }
        let last = items.len() - 1;
        for (position, list) in items.into_iter().enumerate() {
            let whole = position < last || !incomplete;
            let before = cut.count();
            if position == 0 && before > 0 || !whole {
                cut.add(&list).map_err(wrong)?;
                if !whole && cut.count() == before || cut.bytes() > RECEIPTS_BYTES_MAX {
                    return Err(PeerError::Wrong("receipts in parts that lead nowhere".into()));
                }
                if whole {
                    lists.push(std::mem::take(&mut cut).finish());
                }
            } else {
                lists.push(slim(peer.version(), &list).map_err(wrong)?);
            }
        }
    }
    Ok(lists)
}

fn number(header: &Bytes) -> Result<u64, PeerError> {
    let header =
        Header::parse(header).map_err(|error| PeerError::Wrong(format!("a header that is none: {error}")))?;
    Ok(header.number())
}
