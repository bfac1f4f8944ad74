//! What is checked before a block may enter the store, by level.
//!
//! * `none`: the header hashes to what was asked for.
//! * `header`: also the rules that a header keeps by itself ([`check_header`]) and towards its parent
//!   ([`check_link`], [`check_succession`]). Seals are not recovered: below the checkpoint the links from it prove
//!   more than a seal could. Above it, on Polygon, [`bor::producers`](crate::bor::producers) does.
//! * `light`: also the body against its roots ([`check_body`]).
//! * `full`: also the receipts against root, bloom and gas ([`check_receipts`]), and that each transaction has its own.

mod rules;

use std::cmp::Ordering;

use alloy_primitives::{Address, B256, Bloom, U256, keccak256};

use crate::block::{Block, BlockId};
use crate::body::Body;
use crate::header::{Header, field};
use crate::receipt::Receipts;
use crate::rlp::{Item, RlpError};
use crate::roots::{self, ReceiptsSummary};
use crate::spec::{ChainSpec, Family};

pub use rules::{check_header, check_succession};

/// Said of validator bytes that are not those of the span that is known.
pub(crate) const OTHER_VALIDATORS: &str = "names other validators than the span";

/// How much of a block was checked. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The header hashes to what was asked for.
    None,
    /// The header links to its neighbours and keeps the chain's header rules.
    Header,
    /// The body matches the header's transactions, uncles and withdrawals roots.
    Light,
    /// The receipts match the header's receipts root, bloom and gas.
    Full,
}

/// What checking a block has found out on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How much was checked.
    pub level: Level,
    /// Hashes of the transactions in order, which the index needs.
    pub transaction_hashes: Vec<B256>,
}

/// What a source got wrong. The source is at fault; the same data from elsewhere may be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are no block part at all.
    #[error("malformed {part}: {error}")]
    Malformed {
        /// `header`, `body` or `receipts`.
        part: &'static str,
        /// What is wrong with the bytes.
        error: RlpError,
    },
    /// A hash or root is not the one that was committed to.
    #[error("{field} is {found}, expected {expected}")]
    Mismatch {
        /// Name of the header field or rule that does not hold.
        field: &'static str,
        /// What the data gives.
        found: B256,
        /// What the header or the asker committed to.
        expected: B256,
    },
    /// A number that must follow from its neighbours does not.
    #[error("{field} is {found}, expected {expected}")]
    Number {
        /// Name of the header field or rule that does not hold.
        field: &'static str,
        /// What the data says.
        found: u64,
        /// What the rule demands.
        expected: u64,
    },
    /// A number of up to 256 bits that must follow from its neighbours does not.
    #[error("{field} is {found}, expected {expected}")]
    Amount {
        /// Name of the header field that does not hold.
        field: &'static str,
        /// What the data says.
        found: U256,
        /// What the rule demands.
        expected: U256,
    },
    /// A field breaks a rule of its fork.
    #[error("{field} {rule}")]
    Rule {
        /// Name of the field.
        field: &'static str,
        /// What it does and must not do.
        rule: &'static str,
    },
    /// A block is sealed by somebody who may not seal it, or not with what the header says.
    #[error("the seal is by {0}, who is no producer of this block (or a sealed field was changed)")]
    Signer(Address),
    /// The header's bloom is not the union of its logs' blooms.
    #[error("logsBloom does not match the logs")]
    Bloom,
    /// A part that the header commits to is absent, or one that it excludes is present.
    #[error("withdrawals are {0} although the header says otherwise")]
    Withdrawals(&'static str),
}

// === impl Fault ===

impl Fault {
    /// Whether Heimdall's newest span, once it is known here, could make it right: then nobody is to blame yet.
    pub fn may_be_a_new_span(&self) -> bool {
        matches!(self, Self::Signer(_) | Self::Rule { rule: OTHER_VALIDATORS, .. })
    }

    /// Name of the field, root or part that does not hold.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Malformed { part, .. } => part,
            Self::Mismatch { field, .. }
            | Self::Number { field, .. }
            | Self::Amount { field, .. }
            | Self::Rule { field, .. } => field,
            Self::Signer(_) => "seal",
            Self::Bloom => "logsBloom",
            Self::Withdrawals(_) => "withdrawalsRoot",
        }
    }
}

/// Checks a block to `level`, all but what concerns its parent. Transactions are hashed once, for the caller.
/// At `full` the receipts must be there.
pub fn verify(level: Level, spec: &ChainSpec, block: &Block, expected: BlockId) -> Result<Verified, Fault> {
    let header = Header::parse(&block.header).map_err(|error| malformed("header", error))?;
    check_identity(&header, expected.number, expected.hash)?;
    if level >= Level::Header {
        check_header(spec, &header)?;
    }
    let body = Body::parse(&block.body).map_err(|error| malformed("body", error))?;
    if level < Level::Light {
        let transaction_hashes =
            roots::transaction_hashes(&body).map_err(|error| malformed("body", error))?;
        return Ok(Verified { level, transaction_hashes });
    }
    let transactions = roots::transactions_summary(&body).map_err(|error| malformed("body", error))?;
    check_parts(&header, &body, transactions.root)?;
    if level >= Level::Full {
        let absent = Fault::Rule { field: "receipts", rule: "are absent" };
        let receipts = Receipts::parse(block.receipts.as_deref().ok_or(absent)?);
        let receipts = receipts.map_err(|error| malformed("receipts", error))?;
        let summary = summarize(&receipts)?;
        check_summary(&header, &summary)?;
        check_pairs(spec, &transactions.kinds, &summary)?;
    }
    Ok(Verified { level, transaction_hashes: transactions.hashes })
}

/// Checks that `header` is the block `hash` at `number` (level `none`).
pub fn check_identity(header: &Header<'_>, number: u64, hash: B256) -> Result<(), Fault> {
    check_id(BlockId { number: header.number(), hash: header.hash() }, BlockId { number, hash })
}

/// Checks that the block at hand is the one that was asked for (level `none`), where its hash is known already.
pub fn check_id(found: BlockId, expected: BlockId) -> Result<(), Fault> {
    if found.number != expected.number {
        return Err(Fault::Number { field: "number", found: found.number, expected: expected.number });
    }
    expect("hash", found.hash, expected.hash)
}

/// Checks that `child` follows `parent`, whose hash is `parent_hash` (part of level `header`).
pub fn check_link(parent: &Header<'_>, parent_hash: B256, child: &Header<'_>) -> Result<(), Fault> {
    let expected = parent.number().saturating_add(1);
    if child.number() != expected {
        return Err(Fault::Number { field: "number", found: child.number(), expected });
    }
    expect("parentHash", child.parent_hash(), parent_hash)?;
    if child.timestamp() < parent.timestamp() {
        let (found, expected) = (child.timestamp(), parent.timestamp());
        return Err(Fault::Number { field: "timestamp", found, expected });
    }
    if child.gas_used() > child.gas_limit() {
        return Err(Fault::Number { field: "gasUsed", found: child.gas_used(), expected: child.gas_limit() });
    }
    Ok(())
}

/// Checks a body against its header (level `light`). Nothing may be in it that the header does not commit to.
pub fn check_body(header: &Header<'_>, body: &Body<'_>) -> Result<(), Fault> {
    let root = roots::transactions_root(body).map_err(|error| malformed("body", error))?;
    check_parts(header, body, root)
}

/// Checks receipts against their header (part of level `full`): root, bloom and gas.
pub fn check_receipts(header: &Header<'_>, receipts: &Receipts<'_>) -> Result<(), Fault> {
    check_summary(header, &summarize(receipts)?)
}

fn summarize(receipts: &Receipts<'_>) -> Result<ReceiptsSummary, Fault> {
    roots::receipts_summary(receipts).map_err(|error| malformed("receipts", error))
}

fn check_summary(header: &Header<'_>, summary: &ReceiptsSummary) -> Result<(), Fault> {
    expect("receiptsRoot", summary.root, header.receipts_root())?;
    if summary.bloom != Bloom::from(header) {
        return Err(Fault::Bloom);
    }
    if summary.gas_used != header.gas_used() {
        let expected = summary.gas_used;
        return Err(Fault::Number { field: "gasUsed", found: header.gas_used(), expected });
    }
    Ok(())
}

/// Checks that each transaction, here its type, has one receipt of that type. Both roots of a header can be kept
/// without that only where nobody has executed the block. A chain that is not known may have receipts of another kind.
fn check_pairs(spec: &ChainSpec, transactions: &[u8], receipts: &ReceiptsSummary) -> Result<(), Fault> {
    if spec.family == Family::Unknown {
        return Ok(());
    }
    for (transaction, receipt) in transactions.iter().zip(&receipts.kinds) {
        if transaction != receipt {
            let (found, expected) = ((*receipt).into(), (*transaction).into());
            return Err(Fault::Number { field: "type", found, expected });
        }
    }
    let rule = |rule| Err(Fault::Rule { field: "receipts", rule });
    match receipts.kinds.len().cmp(&transactions.len()) {
        Ordering::Less => rule("are fewer than the transactions"),
        Ordering::Greater => rule("are more than the transactions"),
        Ordering::Equal if receipts.gas_ascends => Ok(()),
        Ordering::Equal => Err(Fault::Rule { field: "cumulativeGasUsed", rule: "goes down" }),
    }
}

fn check_parts(header: &Header<'_>, body: &Body<'_>, transactions_root: B256) -> Result<(), Fault> {
    expect("sha3Uncles", body.uncles_hash(), header.uncles_hash())?;
    expect("transactionsRoot", transactions_root, header.transactions_root())?;
    let found = roots::withdrawals_root(body).map_err(|error| malformed("body", error))?;
    match (found, header.withdrawals_root()) {
        (Some(found), Some(expected)) => expect("withdrawalsRoot", found, expected)?,
        (None, Some(_)) => return Err(Fault::Withdrawals("absent")),
        (Some(_), None) => return Err(Fault::Withdrawals("present")),
        (None, None) => {}
    }
    check_extra(header, body)
}

/// Items beyond Ethereum's must be Avalanche's: version 0, and extra data to whose hash the header commits.
fn check_extra(header: &Header<'_>, body: &Body<'_>) -> Result<(), Fault> {
    let extra: Vec<Item<'_>> =
        body.extra().take(3).collect::<Result<_, _>>().map_err(|error| malformed("body", error))?;
    match extra.as_slice() {
        [] => Ok(()),
        [version, data] if version.raw() == [0x80] => {
            let hash = header.field(field::BASE_FEE).and_then(|hash| B256::try_from(hash).ok());
            match hash.unwrap_or_default() {
                // Before Apricot 1 the header does not commit to the data.
                B256::ZERO if data.raw() == [0x80] => Ok(()),
                hash => expect("extDataHash", keccak256(data.raw()), hash),
            }
        }
        _ => Err(Fault::Rule { field: "body", rule: "has items that the header does not commit to" }),
    }
}

fn expect(field: &'static str, found: B256, expected: B256) -> Result<(), Fault> {
    if found == expected { Ok(()) } else { Err(Fault::Mismatch { field, found, expected }) }
}

fn malformed(part: &'static str, error: RlpError) -> Fault {
    Fault::Malformed { part, error }
}
