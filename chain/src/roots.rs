//! The roots that a header commits to.

pub(crate) mod blooms;
mod ordered;

use alloy_primitives::{B256, Bloom};
use alloy_trie::root::ordered_trie_root_encoded;

use crate::body::Body;
use crate::receipt::Receipts;
use crate::rlp::RlpError;
use crate::transaction::Transaction;

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

/// Root of the trie index → transaction envelope.
pub fn transactions_root(body: &Body<'_>) -> Result<B256, RlpError> {
    let transactions: Vec<Transaction<'_>> = body.transactions().collect::<Result<_, _>>()?;
    Ok(root_of_transactions(&transactions))
}

/// Root of the trie index → transaction envelope, where the transactions are at hand.
pub fn root_of_transactions(transactions: &[Transaction<'_>]) -> B256 {
    ordered_trie_root_encoded(transactions)
}

/// Root of the trie index → withdrawal; `None` where the body has none (before Shanghai).
pub fn withdrawals_root(body: &Body<'_>) -> Result<Option<B256>, RlpError> {
    let Some(withdrawals) = body.withdrawals() else { return Ok(None) };
    let items: Vec<&[u8]> = withdrawals.map(|item| Ok(item?.raw())).collect::<Result<_, _>>()?;
    Ok(Some(ordered_trie_root_encoded(&items)))
}

/// Root of the trie index → consensus receipt, and the bloom over all logs.
pub fn receipts_root(receipts: &Receipts<'_>) -> Result<(B256, Bloom), RlpError> {
    receipts_summary(receipts).map(|summary| (summary.root, summary.bloom))
}

/// All of it in one walk over the receipts, with the memory of one.
pub fn receipts_summary(receipts: &Receipts<'_>) -> Result<ReceiptsSummary, RlpError> {
    let mut blooms = blooms::Blooms::default();
    let mut bloom = Bloom::ZERO;
    let (mut gas_used, mut gas_ascends) = (0, true);
    let mut kinds = Vec::new();
    let mut trie = ordered::OrderedTrie::default();
    let mut consensus = Vec::new();
    for receipt in receipts.iter() {
        let receipt = receipt?;
        let own = blooms.of(&receipt)?;
        consensus.clear();
        receipt.write_consensus(&own, &mut consensus);
        trie.push(&consensus);
        bloom.accrue_bloom(&own);
        kinds.push(receipt.kind());
        gas_ascends &= gas_used <= receipt.cumulative_gas();
        gas_used = receipt.cumulative_gas();
    }
    Ok(ReceiptsSummary { root: trie.root(), bloom, gas_used, kinds, gas_ascends })
}
