//! Logs and the filter that asks for them.

use alloy_primitives::{Address, B256};

use super::json::{close, data, fixed, put, quantity};
use super::profile::LogField as Field;
use super::transaction::View;
use super::{Parts, RenderError, state_sync};
use crate::header::Header;
use crate::receipt::{Log, Receipt, Receipts};
use crate::rlp::{Item, RlpError};
use crate::transaction::Transaction;

/// Addresses and topics of a log filter; an empty position matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Any of these emitters; empty: all.
    pub addresses: Vec<Address>,
    /// For each position any of these topics; an empty list: all. A log with fewer topics than positions does
    /// not match, as in Geth.
    pub topics: Vec<Vec<B256>>,
}

// === impl LogFilter ===

impl LogFilter {
    /// Whether the header's bloom lets a match be possible. The bloom does not cover state syncs beside a block
    /// ([`is_settled`]).
    pub fn may_match(&self, header: &Header<'_>) -> bool {
        let holds = |value: &[u8]| header.bloom_may_contain(value);
        let address =
            self.addresses.is_empty() || self.addresses.iter().any(|address| holds(address.as_slice()));
        address
            && self.topics.iter().all(|any| any.is_empty() || any.iter().any(|topic| holds(topic.as_slice())))
    }

    /// Whether the log is one of those asked for.
    pub fn matches(&self, log: &Log<'_>) -> Result<bool, RlpError> {
        Ok(self.wants(log.address) && self.wants_topics(log)?)
    }

    fn wants(&self, address: &[u8; 20]) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|wanted| wanted.0 == *address)
    }

    fn wants_topics(&self, log: &Log<'_>) -> Result<bool, RlpError> {
        let mut topics = log.topics();
        for any in &self.topics {
            match topics.next().transpose()? {
                Some(topic) if any.is_empty() || any.iter().any(|wanted| wanted.0 == *topic) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// Appends the block's matching logs, comma-separated (a comma first if `*count > 0`), and counts them.
pub fn logs(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    receipts: &Receipts<'_>,
    filter: &LogFilter,
    count: &mut usize,
) -> Result<(), RenderError> {
    parts.check_fork()?;
    let beside = parts.receipt_beside()?;
    let mut index = 0_u64;
    let mut transactions = parts.body.transactions();
    for (transaction_index, receipt) in receipts.iter().enumerate() {
        let transaction = transactions.next().ok_or(RenderError::Unknown("transaction of a receipt"))??;
        let mut matching = Matching { parts, transaction: Some(transaction), transaction_index, hash: None };
        matching.search(out, &receipt?, filter, &mut index, count)?;
    }
    if transactions.next().is_some() {
        return Err(RenderError::Unknown("receipt of a transaction"));
    }
    if let Some(receipt) = beside {
        let View { index: transaction_index, hash, .. } = state_sync::beside(parts);
        let mut matching = Matching { parts, transaction: None, transaction_index, hash: Some(hash) };
        matching.search(out, receipt, filter, &mut index, count)?;
    }
    Ok(())
}

/// Where a log stands.
pub(super) struct Place {
    pub(super) transaction_hash: B256,
    pub(super) transaction_index: usize,
    /// Counted over the whole block.
    pub(super) index: u64,
}

/// Appends one log.
pub(super) fn write(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    order: &[Field],
    log: &Log<'_>,
    place: &Place,
) -> Result<(), RenderError> {
    let start = out.len();
    for &field in order {
        match field {
            Field::Address => {
                put(out, b",\"address\":");
                fixed(out, log.address);
            }
            Field::BlockHash => {
                put(out, b",\"blockHash\":");
                fixed(out, &parts.hash.0);
            }
            Field::BlockNumber => {
                put(out, b",\"blockNumber\":");
                quantity(out, parts.header.number());
            }
            Field::BlockTimestamp => {
                put(out, b",\"blockTimestamp\":");
                quantity(out, parts.header.timestamp());
            }
            Field::Data => {
                put(out, b",\"data\":");
                data(out, log.data);
            }
            Field::LogIndex => {
                put(out, b",\"logIndex\":");
                quantity(out, place.index);
            }
            Field::Removed => put(out, b",\"removed\":false"),
            Field::Topics => {
                put(out, b",\"topics\":");
                let topics = out.len();
                for topic in log.topics() {
                    out.push(b',');
                    fixed(out, topic?);
                }
                close(out, topics, *b"[]");
            }
            Field::TransactionHash => {
                put(out, b",\"transactionHash\":");
                fixed(out, &place.transaction_hash.0);
            }
            Field::TransactionIndex => {
                put(out, b",\"transactionIndex\":");
                quantity(out, place.transaction_index as u64);
            }
        }
    }
    close(out, start, *b"{}");
    Ok(())
}

/// The transaction whose logs are being looked through; hashed only once one of them matches.
struct Matching<'a> {
    parts: &'a Parts<'a>,
    /// `None` for the one beside the block, whose hash is known.
    transaction: Option<Transaction<'a>>,
    transaction_index: usize,
    hash: Option<B256>,
}

// === impl Matching ===

impl Matching<'_> {
    /// Appends the transaction's matching logs; `index` is that of its first log in the block.
    fn search(
        &mut self,
        out: &mut Vec<u8>,
        receipt: &Receipt<'_>,
        filter: &LogFilter,
        index: &mut u64,
        count: &mut usize,
    ) -> Result<(), RenderError> {
        for item in receipt.log_items() {
            let item = item?;
            if filter.wants(address_of(&item)?) {
                let log = Log::parse(item)?;
                if filter.wants_topics(&log)? {
                    if *count > 0 {
                        out.push(b',');
                    }
                    self.write(out, &log, *index)?;
                    *count = count.saturating_add(1);
                }
            }
            *index = index.saturating_add(1);
        }
        Ok(())
    }

    fn write(&mut self, out: &mut Vec<u8>, log: &Log<'_>, index: u64) -> Result<(), RenderError> {
        let (parts, transaction_index) = (self.parts, self.transaction_index);
        let hash = match (self.hash, &self.transaction) {
            (Some(hash), _) => hash,
            (None, Some(transaction)) => parts.hash_of(transaction, transaction_index),
            (None, None) => return Err(RenderError::Unknown("transaction of a log")),
        };
        self.hash = Some(hash);
        let place = Place { transaction_hash: hash, transaction_index, index };
        write(out, parts, parts.profile.log, log, &place)
    }
}

/// The emitter alone: most logs of a block are passed over without reading more of them.
fn address_of<'a>(item: &Item<'a>) -> Result<&'a [u8; 20], RlpError> {
    item.items()?.field("address")?.fixed::<20>("address")
}
