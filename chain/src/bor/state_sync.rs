//! State syncs: transactions that carry events of the root chain, committed at the first block of a sprint.
//!
//! Before Madhugiri (PIP-74) such a transaction is derived: it stands beside the block, in neither body nor roots.
//! What is kept of it is its receipt ("extra"), in the slim form in which Bor's eth/69 appends it to a block's
//! receipts: `[type = 0, status, cumulative gas, logs]`. A sprint start without events has none, which is kept as
//! [`NONE`]. From Madhugiri on it is a transaction of type 0x7f, last in the body, covered by both roots.
//!
//! No root and no seal proves an extra, so it has a rule of its own ([`settle`]): it stands only where one can
//! ([`may_stand_beside`]), has the form of a receipt with sound logs, and is no larger than [`BYTES_MAX`]. Where a
//! source shows the transaction's hash, that must be the [derived](derived_hash) one. It is believed on the word of
//! sources that the operator named; that of strangers is not taken.

use alloy_primitives::{B256, Keccak256};
use bytes::Bytes;

use super::BorFork;
use crate::block::Block;
use crate::header::Header;
use crate::receipt::{Outcome, Receipt};
use crate::rlp::{Item, RlpError, write_list, write_uint};
use crate::spec::{ChainSpec, Family};
use crate::verify::Fault;

/// What is kept as extra of a block that may have had a state sync beside it, and is known to have none.
pub const NONE: &[u8] = &[0xc0];

/// Type of state-sync transactions inside of blocks (PIP-74).
pub const TRANSACTION_TYPE: u8 = 0x7f;

/// Bytes of an extra at most. A block commits a few dozen events of at most 30 kB each, which log about as much.
pub const BYTES_MAX: usize = 8 << 20;

/// Topics of a log at most, as the EVM has no more `LOG` instructions.
const TOPICS_MAX: usize = 4;

/// Hash of the transaction beside a block: keccak(`matic-bor-receipt-` ‖ number as 8 bytes ‖ block hash) (Bor
/// `core/types/bor_receipt.go`). Nothing that is signed can have that hash.
pub fn derived_hash(number: u64, block_hash: B256) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(b"matic-bor-receipt-");
    hasher.update(number.to_be_bytes());
    hasher.update(block_hash);
    hasher.finalize()
}

/// Whether a state sync may stand beside the block of that height, so that its extra must be known before its lists
/// of transactions, receipts or logs are.
pub fn may_stand_beside(spec: &ChainSpec, number: u64) -> bool {
    match (spec.family, &spec.bor) {
        (Family::Ethereum | Family::Unknown, _) => false,
        (Family::Bor, Some(bor)) => bor.is_sprint_start(number) && !bor.is_active(BorFork::Madhugiri, number),
        (Family::Bor, None) => number > 0,
    }
}

/// Whether the chain has, or had, state syncs beside its blocks.
pub fn are_beside(spec: &ChainSpec) -> bool {
    let madhugiri = spec.bor.as_ref().and_then(|bor| bor.fork(BorFork::Madhugiri));
    spec.family == Family::Bor && madhugiri != Some(0)
}

/// Checks the extra that a source gave with a block, and brings it into the form in which it is kept: Bor shows the
/// gas of the whole block as cumulative gas, whatever was stored with the receipt. Where there can be none, to know
/// that there is none is no news.
pub fn settle(spec: &ChainSpec, block: Block) -> Result<Block, Fault> {
    let Some(extra) = &block.extra else { return Ok(block) };
    if !may_stand_beside(spec, block.id.number) {
        let nothing = extra.as_ref() == NONE;
        let rule = "is given for a block that no state sync can stand beside";
        return if nothing {
            Ok(Block { extra: None, ..block })
        } else {
            Err(Fault::Rule { field: "extra", rule })
        };
    }
    let header = Header::parse(&block.header).map_err(|error| Fault::Malformed { part: "header", error })?;
    let extra = normal(extra, header.gas_used())?;
    Ok(Block { extra: Some(extra), ..block })
}

/// The state sync's receipt, or `None` if the extra says that there is none.
pub fn receipt(extra: &[u8]) -> Result<Option<Receipt<'_>>, RlpError> {
    if extra == NONE { Ok(None) } else { Receipt::parse(extra).map(Some) }
}

/// Checks the form of an extra.
pub fn check(extra: &[u8]) -> Result<(), Fault> {
    let malformed = |error| Fault::Malformed { part: "extra", error };
    if extra.len() > BYTES_MAX {
        return Err(Fault::Rule { field: "extra", rule: "is larger than any state sync's receipt" });
    }
    let Some(receipt) = receipt(extra).map_err(malformed)? else { return Ok(()) };
    if receipt.kind() != 0 || !receipt.rest().is_empty() {
        return Err(Fault::Rule { field: "extra", rule: "has not the form of a state sync's receipt" });
    }
    if !matches!(receipt.outcome(), Outcome::Status(_)) {
        return Err(Fault::Rule { field: "extra", rule: "has a state root where a status belongs" });
    }
    for log in receipt.logs() {
        let log = log.map_err(malformed)?;
        let mut topics = 0_usize;
        for topic in log.topics() {
            topic.map_err(malformed)?;
            topics = topics.saturating_add(1);
        }
        if topics > TOPICS_MAX {
            return Err(Fault::Rule { field: "extra", rule: "has a log of more than four topics" });
        }
    }
    Ok(())
}

/// The extra in the form in which it is kept.
fn normal(extra: &Bytes, gas_used: u64) -> Result<Bytes, Fault> {
    check(extra)?;
    let malformed = |error| Fault::Malformed { part: "extra", error };
    let Some(receipt) = receipt(extra).map_err(malformed)? else { return Ok(extra.clone()) };
    if receipt.cumulative_gas() == gas_used {
        return Ok(extra.clone());
    }
    let mut items = Item::parse(extra).and_then(|item| item.items()).map_err(malformed)?;
    let mut payload = Vec::with_capacity(extra.len().saturating_add(9));
    for position in 0..4 {
        let item = items.field("extra").map_err(malformed)?;
        if position == 2 {
            write_uint(&mut payload, gas_used);
        } else {
            payload.extend_from_slice(item.raw());
        }
    }
    let mut out = Vec::with_capacity(payload.len().saturating_add(9));
    write_list(&mut out, &payload);
    Ok(out.into())
}
