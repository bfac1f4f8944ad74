//! Receipts in their two forms.
//!
//! *Slim* is the form of eth/69 (EIP-7642) and the form that is stored: a flat list
//! `[type, status-or-root, cumulativeGas, logs, …]` without the bloom, which follows from the logs. *Consensus* is
//! the form under the receipts root and of eth/68: `[status-or-root, cumulativeGas, bloom, logs, …]`, typed ones
//! prefixed by their type byte. Items behind the logs (Optimism's deposit nonce and version) are kept.

use alloy_primitives::{B256, Bloom, BloomInput};

use crate::rlp::{Item, Items, RlpError, write_list, write_list_prefix, write_string, write_uint};
use crate::roots::blooms::WithBlooms;

/// One receipt in slim form.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    raw: &'a [u8],
    kind: u8,
    outcome: Outcome,
    cumulative_gas: u64,
    logs: Item<'a>,
    rest: &'a [u8],
}

/// How a transaction ended: with a state root before Byzantium, with a status since (EIP-658).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Root of the state after the transaction.
    Root(B256),
    /// Whether it succeeded.
    Status(bool),
}

/// One log entry.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// Emitting contract.
    pub address: &'a [u8; 20],
    /// Up to four topics as an RLP payload of 33-byte items.
    topics: &'a [u8],
    /// Data.
    pub data: &'a [u8],
}

/// The receipts of a block: a list in slim form.
#[derive(Clone, Copy, Debug)]
pub struct Receipts<'a> {
    raw: &'a [u8],
    payload: &'a [u8],
}

// === impl Receipts ===

impl<'a> Receipts<'a> {
    /// Opens a slim list; each receipt is parsed when it is reached.
    pub fn parse(raw: &'a [u8]) -> Result<Self, RlpError> {
        let item = Item::parse(raw)?;
        item.items()?;
        Ok(Self { raw, payload: item.payload() })
    }

    /// The list as stored.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The receipts in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Receipt<'a>, RlpError>> + use<'a> {
        Items::of(self.payload).map(|item| Receipt::parse(item?.raw()))
    }

    /// The receipts in order, unread.
    pub(crate) fn items(&self) -> Items<'a> {
        Items::of(self.payload)
    }

    /// How many receipts there are; walks the list.
    pub fn count(&self) -> usize {
        Items::of(self.payload).count()
    }
}

// === impl Receipt ===

impl<'a> Receipt<'a> {
    /// Parses one slim receipt.
    pub fn parse(raw: &'a [u8]) -> Result<Self, RlpError> {
        let mut items = Item::parse(raw)?.items()?;
        let kind = items.field("type")?.uint("type")?;
        let kind = u8::try_from(kind).ok().filter(|kind| *kind <= 0x7f).ok_or(RlpError::Field("type"))?;
        Self::parse_rest(raw, kind, items, false)
    }

    fn parse_rest(raw: &'a [u8], kind: u8, mut items: Items<'a>, bloom: bool) -> Result<Self, RlpError> {
        let outcome = Outcome::parse(items.field("status")?.string()?)?;
        let cumulative_gas = items.field("cumulativeGasUsed")?.uint("cumulativeGasUsed")?;
        if bloom {
            items.field("logsBloom")?.fixed::<256>("logsBloom")?;
        }
        let logs = items.field("logs")?;
        logs.items()?;
        let rest = items.rest();
        for item in items {
            item?;
        }
        Ok(Self { raw, kind, outcome, cumulative_gas, logs, rest })
    }

    /// The receipt's slim bytes.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// EIP-2718 type of the transaction.
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// Status, or state root before Byzantium.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Gas used in the block up to and including this transaction.
    pub fn cumulative_gas(&self) -> u64 {
        self.cumulative_gas
    }

    /// The logs in order.
    pub fn logs(&self) -> impl Iterator<Item = Result<Log<'a>, RlpError>> + use<'a> {
        Items::of(self.logs.payload()).map(|item| Log::parse(item?))
    }

    /// The logs in order, unread: for a search that passes over most of them.
    pub fn log_items(&self) -> Items<'a> {
        Items::of(self.logs.payload())
    }

    /// How many logs there are; walks the list.
    pub fn log_count(&self) -> usize {
        Items::of(self.logs.payload()).count()
    }

    /// Encoded items behind the logs, which only some chains have.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bloom over addresses and topics.
    pub fn bloom(&self) -> Result<Bloom, RlpError> {
        let mut bloom = Bloom::ZERO;
        for log in self.logs() {
            let log = log?;
            bloom.accrue(BloomInput::Raw(log.address));
            for topic in log.topics() {
                bloom.accrue(BloomInput::Raw(topic?.as_slice()));
            }
        }
        Ok(bloom)
    }

    /// Appends the consensus form, which the receipts root covers and `debug_getRawReceipts` shows.
    pub fn write_consensus(&self, bloom: &Bloom, out: &mut Vec<u8>) {
        let mut head = Vec::with_capacity(64);
        match self.outcome {
            Outcome::Root(root) => write_string(&mut head, root.as_slice()),
            Outcome::Status(status) => write_uint(&mut head, status.into()),
        }
        write_uint(&mut head, self.cumulative_gas);
        if self.kind != 0 {
            out.push(self.kind);
        }
        write_list_prefix(out, head.len() + 259 + self.logs.raw().len() + self.rest.len());
        out.extend_from_slice(&head);
        write_string(out, bloom.as_slice());
        out.extend_from_slice(self.logs.raw());
        out.extend_from_slice(self.rest);
    }
}

// === impl Outcome ===

impl Outcome {
    fn parse(bytes: &[u8]) -> Result<Self, RlpError> {
        match bytes {
            [] => Ok(Self::Status(false)),
            [1] => Ok(Self::Status(true)),
            root => B256::try_from(root).map(Self::Root).map_err(|_| RlpError::Field("status")),
        }
    }
}

// === impl Log ===

impl<'a> Log<'a> {
    /// Parses one log, `[address, [topic…], data]`.
    pub fn parse(item: Item<'a>) -> Result<Self, RlpError> {
        let mut items = item.items()?;
        let address = items.field("address")?.fixed::<20>("address")?;
        let topics = items.field("topics")?;
        topics.items()?;
        let data = items.field("data")?.string()?;
        if !items.rest().is_empty() {
            return Err(RlpError::Trailing);
        }
        Ok(Self { address, topics: topics.payload(), data })
    }

    /// The topics in order.
    pub fn topics(&self) -> impl Iterator<Item = Result<&'a [u8; 32], RlpError>> + use<'a> {
        Items::of(self.topics).map(|item| item?.fixed::<32>("topic"))
    }
}

/// Appends one receipt in slim form, made from its consensus bytes. Returns the bloom that those claim.
pub fn slim_from_consensus(consensus: &[u8], out: &mut Vec<u8>) -> Result<Bloom, RlpError> {
    let (kind, list) = match consensus.first() {
        Some(0xc0..) => (0, consensus),
        Some(&kind @ 1..=0x7f) => (kind, consensus.get(1..).unwrap_or_default()),
        _ => return Err(RlpError::Field("receipt type")),
    };
    let item = Item::parse(list)?;
    let bloom = item.items()?.nth(2).ok_or(RlpError::Missing("logsBloom"))??;
    let bloom = Bloom::from(bloom.fixed::<256>("logsBloom")?);
    let receipt = Receipt::parse_rest(consensus, kind, item.items()?, true)?;
    let mut slim = Vec::with_capacity(consensus.len());
    write_uint(&mut slim, kind.into());
    match receipt.outcome {
        Outcome::Root(root) => write_string(&mut slim, root.as_slice()),
        Outcome::Status(status) => write_uint(&mut slim, status.into()),
    }
    write_uint(&mut slim, receipt.cumulative_gas);
    slim.extend_from_slice(receipt.logs.raw());
    slim.extend_from_slice(receipt.rest);
    write_list(out, &slim);
    Ok(bloom)
}

/// Makes the consensus list of a block's receipts from their slim list, blooms included, as eth/68 sends it: typed
/// receipts are byte strings in it. `None` if the list becomes larger than `bytes_max`: it may be fifty times the slim
/// one.
pub fn consensus_list(slim: &Receipts<'_>, bytes_max: usize) -> Result<Option<Vec<u8>>, RlpError> {
    let (mut payload, mut consensus) = (Vec::with_capacity(slim.raw().len().saturating_mul(2)), Vec::new());
    for receipt in WithBlooms::of(slim) {
        let (receipt, bloom) = receipt?;
        if receipt.kind() == 0 {
            receipt.write_consensus(&bloom, &mut payload);
        } else {
            consensus.clear();
            receipt.write_consensus(&bloom, &mut consensus);
            write_string(&mut payload, &consensus);
        }
        if payload.len() > bytes_max {
            return Ok(None);
        }
    }
    let mut list = Vec::with_capacity(payload.len() + 9);
    write_list(&mut list, &payload);
    Ok(Some(list))
}

/// Makes the slim list of a block's receipts from their consensus bytes, checking that each bloom is the one
/// that its logs have.
pub fn slim_list<'c>(receipts: impl Iterator<Item = &'c [u8]>) -> Result<Vec<u8>, RlpError> {
    let mut payload = Vec::new();
    for consensus in receipts {
        let start = payload.len();
        let claimed = slim_from_consensus(consensus, &mut payload)?;
        if Receipt::parse(payload.get(start..).unwrap_or_default())?.bloom()? != claimed {
            return Err(RlpError::Field("logsBloom"));
        }
    }
    let mut list = Vec::with_capacity(payload.len() + 9);
    write_list(&mut list, &payload);
    Ok(list)
}
