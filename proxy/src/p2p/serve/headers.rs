//! `GetBlockHeaders` in all its forms.
//!
//! By number: canonical headers. By hash: of a canonical block, the same from its height on. Of another block that is
//! held: itself, and its ancestors when they are asked for; descendants it has none (go-ethereum
//! `serviceContiguousBlockHeaderQuery`).

use std::ops::ControlFlow;

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_cache::{BlockRef, Kind, StoreError, View};
use hypasis_chain::Header;
use hypasis_wire::eth::{
    BlockHashOrNumber, GetBlockHeaders, HeadersDirection, RawAnswer, SOFT_RESPONSE_LIMIT,
};

use super::heights::Heights;
use super::{Asker, Draft, HARD_LIMIT, Library, Shelf};

/// Steps up to which missing headers are fetched with those between them: fewer requests, if more bytes.
const DENSE_STEP_MAX: u64 = 8;
/// Missing headers far from each other that are fetched for one answer, a question each: Bor's skeleton has 128.
const SPARSE_MAX: usize = 128;
/// Bytes of a header, for a first guess.
const HEADER_BYTES: usize = 640;

/// What the store says of a request.
#[derive(Debug)]
enum Found {
    /// All of it.
    Whole(RawAnswer),
    /// Some of it.
    Partly(Row),
    /// It does not know the block that the request begins with.
    Unknown(B256),
}

/// A row of headers, some of them yet to be had.
#[derive(Debug)]
struct Row {
    heights: Heights,
    headers: Vec<Option<Bytes>>,
    /// Which of them are beyond doubt: held, or known by their hash.
    sure: Vec<bool>,
}

// === impl Library ===

impl Library {
    pub(super) async fn headers(&self, request_id: u64, query: GetBlockHeaders, asker: Asker<'_>) -> Draft {
        let found = self.read(move |shelf, view| shelf.headers(view, request_id, &query)).await;
        let mut row = match found {
            Found::Whole(answer) => return Draft::new(answer),
            Found::Partly(row) => row,
            Found::Unknown(hash) => match self.begin_elsewhere(hash, query, asker).await {
                Some(row) => row,
                None => return Draft::new(RawAnswer::new(request_id)),
            },
        };
        let got = self.shelf.forward.headers(&row.missing(), asker).await;
        row.fill(|number| got.get(&number).cloned());
        row.write(request_id, query.skip == 0)
    }

    /// A row that begins with a block which only others know.
    async fn begin_elsewhere(&self, hash: B256, query: GetBlockHeaders, asker: Asker<'_>) -> Option<Row> {
        let (number, header) = self.shelf.forward.header_by_hash(hash, asker).await?;
        let first = Row::of(number, header);
        if query.limit <= 1 {
            return Some(first);
        }
        let falling = query.direction == HeadersDirection::Falling;
        let mut row = self
            .read(move |shelf, view| {
                let head = shelf.head(view).map(|head| head.max(number));
                Row::gather(view, Heights::new(number, query.limit, query.skip, falling, head))
            })
            .await;
        if query.skip == 0 {
            // Links show whether the others are its ancestors or descendants.
            row.begin_with(first);
            return Some(row);
        }
        // No links: only the canonical chain's others are known to be related to it.
        let canonical = match row.headers.first().cloned().flatten() {
            Some(held) => Some(held),
            None => self.shelf.forward.headers(&[number..=number], asker).await.remove(&number),
        };
        if canonical.is_some_and(|canonical| keccak256(&canonical) == hash) {
            row.begin_with(first);
            return Some(row);
        }
        Some(first)
    }
}

// === impl Shelf ===

impl Shelf {
    fn headers(&self, view: &View, request_id: u64, query: &GetBlockHeaders) -> Found {
        let falling = query.direction == HeadersDirection::Falling;
        let head = self.head(view);
        let first = match query.start_block {
            BlockHashOrNumber::Number(number) => Ok((number, head)),
            _ if query.limit == 0 => Ok((0, None)),
            BlockHashOrNumber::Hash(hash) => match read(view.by_hash(&hash)) {
                None => return Found::Unknown(hash),
                Some(block) if block.canonical => {
                    Ok((block.id.number, head.map(|head| head.max(block.id.number))))
                }
                Some(block) => Err(block),
            },
        };
        let (first, head) = match first {
            Ok(first) => first,
            Err(side) => return Found::Whole(side_branch(view, request_id, query, side)),
        };
        let heights = Heights::new(first, query.limit, query.skip, falling, head);
        match read(held(view, request_id, heights).map(Some)).flatten() {
            Some(answer) => Found::Whole(answer),
            None => Found::Partly(Row::gather(view, heights)),
        }
    }
}

// === impl Row ===

impl Row {
    /// One header that is known by its hash.
    fn of(number: u64, header: Bytes) -> Self {
        let heights = Heights { first: number, count: 1, step: 1, falling: false };
        Self { heights, headers: vec![Some(header)], sure: vec![true] }
    }

    /// What is held of `heights`, as far as one message goes.
    fn gather(view: &View, heights: Heights) -> Self {
        let (mut headers, mut bytes) = (Vec::new(), 0_usize);
        for number in heights.iter() {
            let header = read(view.header_at(number));
            bytes = bytes.saturating_add(header.as_ref().map_or(HEADER_BYTES, Bytes::len));
            headers.push(header);
            if bytes > HARD_LIMIT {
                break;
            }
        }
        let sure = headers.iter().map(Option::is_some).collect();
        Self { heights: Heights { count: headers.len() as u64, ..heights }, headers, sure }
    }

    /// Replaces the first header, which is the same height in both.
    fn begin_with(&mut self, first: Self) {
        let first = first.headers.into_iter().next().flatten();
        if let (Some(place), Some(sure)) = (self.headers.first_mut(), self.sure.first_mut()) {
            (*place, *sure) = (first, true);
        }
    }

    /// Heights that are missing, as ranges to ask for.
    fn missing(&self) -> Vec<std::ops::RangeInclusive<u64>> {
        let absent = self.heights.iter().zip(&self.headers).filter(|(_, header)| header.is_none());
        let most = if self.heights.step > DENSE_STEP_MAX { SPARSE_MAX } else { usize::MAX };
        let mut numbers: Vec<u64> = absent.map(|(number, _)| number).take(most).collect();
        numbers.sort_unstable();
        let mut ranges: Vec<std::ops::RangeInclusive<u64>> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some(last) if number - *last.end() <= self.heights.step.min(DENSE_STEP_MAX) => {
                    *last = *last.start()..=number;
                }
                _ => ranges.push(number..=number),
            }
        }
        ranges
    }

    fn fill(&mut self, mut get: impl FnMut(u64) -> Option<Bytes>) {
        for (number, header) in self.heights.iter().zip(&mut self.headers) {
            if header.is_none() {
                *header = get(number);
            }
        }
    }

    /// The row up to its first hole or broken link. `linked`: each header is its neighbour's parent or child.
    fn write(self, request_id: u64, linked: bool) -> Draft {
        let whole = self.headers.iter().take_while(|header| header.is_some()).count();
        let end = if linked { self.linked(whole) } else { whole };
        let mut draft = Draft::new(RawAnswer::with_capacity(request_id, end.saturating_mul(HEADER_BYTES)));
        let limit = if linked { HARD_LIMIT } else { SOFT_RESPONSE_LIMIT };
        for (header, sure) in self.headers.iter().flatten().zip(&self.sure).take(end) {
            let len = draft.answer.len();
            if len >= limit || len.saturating_add(header.len()) > HARD_LIMIT {
                break;
            }
            draft.answer.push(header);
            draft.forwarded += usize::from(!sure);
        }
        draft
    }

    /// How many of the first `whole` headers are linked to each other. Where something doubtful does not link to what
    /// is beyond doubt, the doubtful run goes.
    fn linked(&self, whole: usize) -> usize {
        let sure = |index: usize| self.sure.get(index).copied().unwrap_or_default();
        for next in 1..whole {
            let before = next - 1;
            let pair = self.headers.get(before).zip(self.headers.get(next));
            let Some((Some(one), Some(two))) = pair else { return next };
            if sure(before) && sure(next) && next > 1 {
                continue;
            }
            let (parent, child) = if self.heights.falling { (two, one) } else { (one, two) };
            let parent_hash = Header::parse(child).ok().map(|child| child.parent_hash());
            if parent_hash == Some(keccak256(parent)) {
                continue;
            }
            if sure(before) || !sure(next) {
                return next;
            }
            return (0..next).rev().find(|index| sure(*index)).map_or(0, |last| last + 1);
        }
        whole
    }
}

/// The whole answer, if all of `heights` is held.
fn held(view: &View, request_id: u64, heights: Heights) -> Result<Option<RawAnswer>, StoreError> {
    let count = usize::try_from(heights.count).unwrap_or(usize::MAX);
    let mut answer = RawAnswer::with_capacity(request_id, count.saturating_mul(HEADER_BYTES));
    let Some((low, high)) = heights.span() else { return Ok(Some(answer)) };
    if heights.step > 1 {
        for number in heights.iter() {
            let Some(header) = view.header_at(number)? else { return Ok(None) };
            if answer.len() >= SOFT_RESPONSE_LIMIT {
                break;
            }
            answer.push(&header);
        }
        return Ok(Some(answer));
    }
    // A row is read upwards and turned around in memory: the database walks downwards several times slower.
    let (mut rows, mut full) = (Rows::default(), false);
    let visited = view.scan(Kind::Header, low..=high, &mut |_, header| {
        if heights.falling {
            return rows.push(header);
        }
        full = answer.len().saturating_add(header.len()) > HARD_LIMIT;
        if full {
            return ControlFlow::Break(());
        }
        answer.push(header);
        ControlFlow::Continue(())
    })?;
    for header in rows.falling() {
        answer.push(header);
    }
    Ok((full || visited == heights.count && answer.count() == count).then_some(answer))
}

/// Headers one behind the other.
#[derive(Debug, Default)]
struct Rows {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

// === impl Rows ===

impl Rows {
    fn push(&mut self, header: &[u8]) -> ControlFlow<()> {
        if self.bytes.len().saturating_add(header.len()) > HARD_LIMIT {
            return ControlFlow::Break(());
        }
        self.bytes.extend_from_slice(header);
        self.ends.push(self.bytes.len());
        ControlFlow::Continue(())
    }

    fn falling(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        let places: Vec<(usize, usize)> = starts.copied().zip(self.ends.iter().copied()).collect();
        places.into_iter().rev().filter_map(|(start, end)| self.bytes.get(start..end))
    }
}

/// A block beside the canonical chain, and its ancestors if they are asked for, as far as they are held.
fn side_branch(view: &View, request_id: u64, query: &GetBlockHeaders, block: BlockRef) -> RawAnswer {
    let mut answer = RawAnswer::new(request_id);
    let heights = Heights::new(
        block.id.number,
        query.limit,
        query.skip,
        query.direction == HeadersDirection::Falling,
        Some(block.id.number),
    );
    let mut at = block;
    for wanted in heights.iter() {
        while at.id.number > wanted && !at.canonical {
            let parent = read(view.header(&at)).and_then(|raw| Some(Header::parse(&raw).ok()?.parent_hash()));
            let Some(below) = parent.and_then(|parent| read(view.by_hash(&parent))) else { return answer };
            at = below;
        }
        let header =
            if at.id.number > wanted { read(view.header_at(wanted)) } else { read(view.header(&at)) };
        let Some(header) = header.filter(|_| answer.len() < SOFT_RESPONSE_LIMIT) else { return answer };
        answer.push(&header);
    }
    answer
}

/// A read that fails is a miss: the store has told of the damage already.
pub(super) fn read<T>(read: Result<Option<T>, StoreError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        tracing::debug!(%error, "A block for a peer could not be read from the store");
        None
    })
}
