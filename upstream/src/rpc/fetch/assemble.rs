//! Headers, bodies and receipts out of a node's answers.
//!
//! Decoding and hashing megabytes would hold up users' calls on the same thread, so it runs on the blocking pool.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_chain::body::split_block;
use hypasis_chain::genesis::EMPTY_UNCLES_HASH;
use hypasis_chain::rebuild::{self, RebuildError};
use hypasis_chain::receipt::slim_list;
use hypasis_chain::{Block, BlockId, Body, ChainSpec, Header, Receipts};

use super::{Target, Trouble, json};
use crate::rpc::message::{Ask, Outcome, RpcError};
use crate::rpc::node::Abilities;

/// In which form blocks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// `debug_getRawBlock`, else `eth_getBlockByHash`.
    pub(super) raw: bool,
    /// The raw methods get hashes, else heights.
    pub(super) by_hash: bool,
    pub(super) receipts: ReceiptsForm,
}

/// In which form receipts are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiptsForm {
    /// Not at all.
    None,
    /// `debug_getRawReceipts`.
    Raw,
    /// `eth_getBlockReceipts`.
    Block,
    /// `eth_getTransactionReceipt` for each transaction.
    Single,
}

/// A block on its way.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) id: BlockId,
    pub(super) header: Bytes,
    /// Empty until uncles are there.
    pub(super) body: Bytes,
    pub(super) receipts: Option<Bytes>,
    /// What stands beside the block, where that is known.
    pub(super) extra: Option<Bytes>,
    /// The hash of its state sync of type 0x7f, which JSON does not hold whole.
    pub(super) state_sync: Option<B256>,
    /// The block's JSON, where it came as such.
    pub(super) json: Option<Bytes>,
    /// Uncles that its JSON names but does not hold.
    pub(super) uncles: usize,
}

// === impl Form ===

impl Form {
    /// The cheapest form that the node offers.
    pub(super) fn choose(abilities: &Abilities, wanted: &[Target], receipts: bool) -> Self {
        let by_hash = abilities.raw_by_hash.load(Ordering::Relaxed);
        let reachable = by_hash || wanted.iter().all(|target| target.number.is_some());
        let raw = abilities.raw_block.is_likely() && reachable;
        let receipts = match receipts {
            false => ReceiptsForm::None,
            true if abilities.raw_receipts.is_likely() && reachable => ReceiptsForm::Raw,
            true if abilities.block_receipts.is_likely() => ReceiptsForm::Block,
            true => ReceiptsForm::Single,
        };
        // Single receipts need the transactions' hashes, which JSON has ready.
        let raw = raw && receipts != ReceiptsForm::Single;
        Self { raw, by_hash, receipts }
    }

    /// All blocks, then all receipts that can be asked for at once.
    pub(super) fn asks(self, wanted: &[Target]) -> Vec<Ask> {
        let reference = |target: &Target| match target.number {
            Some(number) if !self.by_hash => format!(r#"["{number:#x}"]"#),
            _ => format!(r#"["{}"]"#, target.hash),
        };
        let blocks = wanted.iter().map(|target| {
            if self.raw {
                Ask::new("debug_getRawBlock", reference(target))
            } else {
                Ask::new("eth_getBlockByHash", format!(r#"["{}",true]"#, target.hash))
            }
        });
        let mut asks: Vec<_> = blocks.collect();
        match self.receipts {
            ReceiptsForm::None | ReceiptsForm::Single => {}
            ReceiptsForm::Raw => {
                asks.extend(wanted.iter().map(|target| Ask::new("debug_getRawReceipts", reference(target))));
            }
            ReceiptsForm::Block => asks.extend(
                wanted
                    .iter()
                    .map(|target| Ask::new("eth_getBlockReceipts", format!(r#"["{}"]"#, target.hash))),
            ),
        }
        asks
    }
}

// === impl Parts ===

impl Parts {
    pub(super) fn into_block(self) -> Block {
        Block {
            id: self.id,
            header: self.header,
            body: self.body,
            receipts: self.receipts,
            extra: self.extra,
        }
    }

    /// How many transactions the body has.
    pub(super) fn transactions(&self) -> Option<usize> {
        Some(Body::parse(&self.body).ok()?.transaction_count())
    }
}

/// Headers from `from` on: those before the first that is not there, and why it is not.
pub(super) async fn headers(from: u64, outcomes: Vec<Outcome>, raw: bool) -> (Vec<Bytes>, Option<Trouble>) {
    aside(move || {
        prefix(outcomes.into_iter().zip(from..), |(outcome, number)| {
            let json = present(outcome)?;
            let header = if raw { hex(&json)? } else { rebuilt(rebuild::header(text(&json)?))? };
            let parsed =
                Header::parse(&header).map_err(|error| Trouble::Wrong(format!("header: {error}")))?;
            if parsed.number() != number {
                return Err(Trouble::Wrong(format!("header {} in place of {number}", parsed.number())));
            }
            if !raw && json::hash(&json) != Some(parsed.hash()) {
                return Err(Trouble::Wrong(format!("the fields of header {number} do not hash to its hash")));
            }
            Ok(header)
        })
    })
    .await
}

/// Blocks without receipts, without bodies where uncles are still to be fetched.
pub(super) async fn blocks(
    wanted: &[Target],
    outcomes: Vec<Outcome>,
    form: Form,
) -> (Vec<Parts>, Option<Trouble>) {
    let wanted = wanted.to_vec();
    aside(move || prefix(wanted.into_iter().zip(outcomes), |(target, outcome)| block(target, outcome, form)))
        .await
}

/// Adds receipts to blocks.
pub(super) async fn receipts(
    parts: Vec<Parts>,
    outcomes: Vec<Outcome>,
    form: Form,
    spec: Option<Arc<ChainSpec>>,
) -> (Vec<Parts>, Option<Trouble>) {
    aside(move || {
        prefix(parts.into_iter().zip(outcomes), |(mut part, outcome)| {
            let json = present(outcome)?;
            let slim = if form.receipts == ReceiptsForm::Raw {
                let encoded = json::hex_strings(&json).ok_or_else(|| malformed("receipts"))?;
                let list = slim_list(encoded.iter().map(Vec::as_slice));
                list.map_err(|error| Trouble::Wrong(format!("receipts: {error}")))?.into()
            } else {
                rebuilt(rebuild::receipts(text(&json)?))?
            };
            part.receipts = Some(counted(&part, slim)?);
            if form.receipts == ReceiptsForm::Block {
                part.take_beside(spec.as_deref(), text(&json)?)?;
            }
            Ok(part)
        })
    })
    .await
}

/// Receipts must be as many as transactions; none at all for some means that they were pruned.
pub(super) fn counted(part: &Parts, slim: Bytes) -> Result<Bytes, Trouble> {
    let count = Receipts::parse(&slim).map_err(|error| Trouble::Wrong(format!("receipts: {error}")))?.count();
    match part.transactions() {
        Some(expected) if expected == count => Ok(slim),
        Some(_) if count == 0 => Err(Trouble::Absent),
        Some(expected) => Err(Trouble::Wrong(format!(
            "{count} receipts for {expected} transactions of block {}",
            part.id.number
        ))),
        None => Err(malformed("body")),
    }
}

fn block(target: Target, outcome: Outcome, form: Form) -> Result<Parts, Trouble> {
    let json = present(outcome)?;
    let (header, body, uncles, state_sync) = if form.raw {
        let raw = hex(&json)?;
        let (header, body) = split_block(&raw).map_err(|error| Trouble::Wrong(format!("block: {error}")))?;
        (Bytes::copy_from_slice(header), body.into(), 0, None)
    } else {
        let uncles = json::uncles(&json).ok_or_else(|| malformed("block"))?;
        let header = rebuilt(rebuild::header(text(&json)?))?;
        let state_sync = rebuilt(rebuild::state_sync_inside(text(&json)?))?;
        let whole = uncles == 0 && state_sync.is_none();
        let body = if whole { rebuilt(rebuild::body(text(&json)?, &[]))? } else { Bytes::new() };
        (header, body, uncles, state_sync)
    };
    let hash = keccak256(&header);
    if hash != target.hash {
        // By height, another fork's block is an honest answer.
        let honest = form.raw && !form.by_hash;
        let wrong = || Trouble::Wrong(format!("the header hashes to {hash}, expected {}", target.hash));
        return Err(if honest { Trouble::Absent } else { wrong() });
    }
    let parsed = Header::parse(&header).map_err(|error| Trouble::Wrong(format!("header: {error}")))?;
    // Nobody has uncles that do not exist: asking for them would end in errors, not in a name for the lie.
    if uncles > 0 && parsed.uncles_hash() == EMPTY_UNCLES_HASH {
        return Err(Trouble::Wrong(
            "uncles are named although sha3Uncles says that there are none".to_owned(),
        ));
    }
    let number = parsed.number();
    if target.number.is_some_and(|expected| expected != number) {
        return Err(Trouble::Wrong(format!("block {} has number {number}", target.hash)));
    }
    let id = BlockId { number, hash };
    let json = (!form.raw).then_some(json);
    Ok(Parts { id, header, body, receipts: None, extra: None, state_sync, json, uncles })
}

/// The result, unless it is an error or `null`.
pub(super) fn present(outcome: Outcome) -> Result<Bytes, Trouble> {
    match outcome {
        Ok(json) if json.as_ref() == b"null" => Err(Trouble::Absent),
        Ok(json) => Ok(json),
        Err(error) => Err(refused(&error)),
    }
}

fn refused(error: &RpcError) -> Trouble {
    match error {
        error if error.is_unsupported() || error.code == -32602 => Trouble::Lesson,
        error if error.is_size_limit() => Trouble::TooLarge,
        error if error.is_missing_data() || error.message.contains("not found") => Trouble::Absent,
        error => Trouble::Unavailable(error.to_string()),
    }
}

/// What our own rules cannot rebuild is nobody's lie: another node may have it raw.
pub(super) fn rebuilt<T>(made: Result<T, RebuildError>) -> Result<T, Trouble> {
    made.map_err(|error| match error {
        RebuildError::TransactionType(_) | RebuildError::Uncles => Trouble::Unavailable(error.to_string()),
        error => Trouble::Wrong(error.to_string()),
    })
}

pub(super) fn text(json: &[u8]) -> Result<&str, Trouble> {
    std::str::from_utf8(json).map_err(|_| malformed("text"))
}

pub(super) fn hex(json: &[u8]) -> Result<Bytes, Trouble> {
    json::hex_string(json).map(Bytes::from).ok_or_else(|| malformed("hex string"))
}

fn malformed(what: &str) -> Trouble {
    Trouble::Wrong(format!("malformed {what}"))
}

/// Makes items until the first trouble.
pub(super) fn prefix<I, T>(
    items: impl Iterator<Item = I>,
    make: impl Fn(I) -> Result<T, Trouble>,
) -> (Vec<T>, Option<Trouble>) {
    let mut made = Vec::new();
    for item in items {
        match make(item) {
            Ok(item) => made.push(item),
            Err(trouble) => return (made, Some(trouble)),
        }
    }
    (made, None)
}

/// Runs `work` on the blocking pool; where that is shutting down, nothing is made.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> (Vec<T>, Option<Trouble>) + Send + 'static,
) -> (Vec<T>, Option<Trouble>) {
    let stopped = || Trouble::Unavailable("the process is stopping".to_owned());
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| (Vec::new(), Some(stopped())))
}
