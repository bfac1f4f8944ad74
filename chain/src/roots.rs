//! The roots that a header commits to.

pub(crate) mod blooms;
mod ordered;
mod row;

use std::iter;

use alloy_primitives::{B256, Bloom};

use crate::body::Body;
use crate::keccak::{Message, hash_all};
use crate::receipt::Receipts;
use crate::rlp::{Items, RlpError};
use crate::transaction::Transaction;

use blooms::{PIECE, WithBlooms};
use ordered::{OrderedTrie, TOGETHER};
use row::Row;

/// What a header commits to of its transactions, and what their receipts and the index need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionsSummary {
    /// Root of the trie index → transaction envelope.
    pub root: B256,
    /// Hashes of the transactions, in order.
    pub hashes: Vec<B256>,
    /// Their types.
    pub kinds: Vec<u8>,
}

/// What a header and its transactions say of the receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptsSummary {
    /// Root of the trie index → consensus receipt.
    pub root: B256,
    /// Bloom over all logs.
    pub bloom: Bloom,
    /// Gas of all transactions: the last receipt's cumulative gas.
    pub gas_used: u64,
    /// Types of the transactions, in order.
    pub kinds: Vec<u8>,
    /// Whether cumulative gas never goes down.
    pub gas_ascends: bool,
}

/// Bytes that an item has at least on the average of many: the shortest that can be written, a receipt without logs and
/// gas, has five.
const ITEM_MIN: usize = 5;

/// Root of the trie index → transaction envelope.
pub fn transactions_root(body: &Body<'_>) -> Result<B256, RlpError> {
    let mut trie = OrderedTrie::of(count(&body.transaction_items())?);
    for transactions in pieces(body) {
        trie.take(transactions?.iter().map(Transaction::envelope));
    }
    Ok(trie.root())
}

/// The transactions' hashes, in their order.
pub fn transaction_hashes(body: &Body<'_>) -> Result<Vec<B256>, RlpError> {
    let mut hashes = Vec::with_capacity(count(&body.transaction_items())?);
    for transactions in pieces(body) {
        let transactions = transactions?;
        let envelopes = transactions.iter().map(|transaction| transaction.envelope().into());
        hashes.extend(hash_all(&envelopes.collect::<Vec<_>>()));
    }
    Ok(hashes)
}

/// All of it in one walk over the transactions; root and hashes cost less together than apart.
pub fn transactions_summary(body: &Body<'_>) -> Result<TransactionsSummary, RlpError> {
    let count = count(&body.transaction_items())?;
    let (mut hashes, mut kinds) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut trie = OrderedTrie::of(count);
    for transactions in pieces(body) {
        let transactions = transactions?;
        let envelopes = || transactions.iter().map(Transaction::envelope);
        let mut messages = trie.leaves(envelopes());
        messages.extend(envelopes().map(Message::from));
        let made = hash_all(&messages);
        trie.extend(&messages, made.get(..transactions.len()).unwrap_or_default());
        hashes.extend_from_slice(made.get(transactions.len()..).unwrap_or_default());
        kinds.extend(transactions.iter().map(Transaction::kind));
    }
    Ok(TransactionsSummary { root: trie.root(), hashes, kinds })
}

/// Root of the trie index → withdrawal; `None` where the body has none (before Shanghai).
pub fn withdrawals_root(body: &Body<'_>) -> Result<Option<B256>, RlpError> {
    let Some(withdrawals) = body.withdrawals() else { return Ok(None) };
    let mut items = Vec::with_capacity(count(&withdrawals)?);
    for item in withdrawals {
        items.push(item?.raw());
    }
    Ok(Some(ordered_root(items.into_iter())))
}

/// Root of the trie index → consensus receipt, and the bloom over all logs.
pub fn receipts_root(receipts: &Receipts<'_>) -> Result<(B256, Bloom), RlpError> {
    receipts_summary(receipts).map(|summary| (summary.root, summary.bloom))
}

/// All of it in one walk over the receipts, with the memory of a piece of them.
pub fn receipts_summary(receipts: &Receipts<'_>) -> Result<ReceiptsSummary, RlpError> {
    let mut trie = OrderedTrie::of(count(&receipts.items())?);
    let (mut bloom, mut gas_used, mut gas_ascends) = (Bloom::ZERO, 0, true);
    let mut kinds = Vec::new();
    let mut consensus = Row::default();
    for receipt in WithBlooms::of(receipts) {
        let (receipt, own) = receipt?;
        consensus.push(|out| receipt.write_consensus(&own, out));
        if consensus.len() >= PIECE {
            trie.take(consensus.iter());
            consensus.clear();
        }
        bloom.accrue_bloom(&own);
        kinds.push(receipt.kind());
        gas_ascends &= gas_used <= receipt.cumulative_gas();
        gas_used = receipt.cumulative_gas();
    }
    trie.take(consensus.iter());
    Ok(ReceiptsSummary { root: trie.root(), bloom, gas_used, kinds, gas_ascends })
}

/// How many items there are; an error if they are more than can be real: each costs memory before anything is known
/// to be right, a hundred bytes and more, and no transaction, receipt or withdrawal has less than [`ITEM_MIN`].
fn count(items: &Items<'_>) -> Result<usize, RlpError> {
    let (count, most) = (items.clone().count(), (items.rest().len() / ITEM_MIN).max(TOGETHER));
    if count > most { Err(RlpError::TooMany(most)) } else { Ok(count) }
}

/// The transactions of a body, so many at a time as are worked on together.
fn pieces<'a>(body: &Body<'a>) -> impl Iterator<Item = Result<Vec<Transaction<'a>>, RlpError>> {
    let mut transactions = body.transactions();
    iter::from_fn(move || {
        let piece: Result<Vec<_>, _> = transactions.by_ref().take(TOGETHER).collect();
        Some(piece).filter(|piece| !piece.as_ref().is_ok_and(Vec::is_empty))
    })
}

/// Root of the trie index → item.
pub(crate) fn ordered_root<'a>(items: impl ExactSizeIterator<Item = &'a [u8]>) -> B256 {
    let mut trie = OrderedTrie::of(items.len());
    trie.take(items);
    trie.root()
}
