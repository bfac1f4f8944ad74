//! A block body by position, in the form of devp2p: `[transactions, uncles, withdrawals?, …]`.
//!
//! A raw block (`debug_getRawBlock`, chain files) is the same list with the header in front. Items beyond the
//! withdrawals (Avalanche has a version and extra data) pass through untouched.

use alloy_primitives::{B256, keccak256};

use crate::genesis::EMPTY_UNCLES_HASH;
use crate::rlp::{Item, Items, RlpError, write_list_prefix};
use crate::transaction::Transaction;

/// A body's bytes with the places of its parts.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    raw: &'a [u8],
    transactions: Item<'a>,
    uncles: Item<'a>,
    withdrawals: Option<Item<'a>>,
    extra: &'a [u8],
}

// === impl Body ===

impl<'a> Body<'a> {
    /// Finds the parts of one body.
    pub fn parse(raw: &'a [u8]) -> Result<Self, RlpError> {
        let mut items = Item::parse(raw)?.items()?;
        let transactions = items.field("transactions")?;
        let uncles = items.field("uncles")?;
        transactions.items()?;
        uncles.items()?;
        let mut extra = items.rest();
        let withdrawals = items.next().transpose()?.filter(Item::is_list);
        if withdrawals.is_some() {
            extra = items.rest();
        }
        for item in items {
            item?;
        }
        Ok(Self { raw, transactions, uncles, withdrawals, extra })
    }

    /// The body as it is stored and sent to peers.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The transactions in order.
    pub fn transactions(&self) -> impl Iterator<Item = Result<Transaction<'a>, RlpError>> + use<'a> {
        Items::of(self.transactions.payload()).map(|item| Transaction::from_item(item?))
    }

    /// The transactions in order, unread.
    pub(crate) fn transaction_items(&self) -> Items<'a> {
        Items::of(self.transactions.payload())
    }

    /// How many transactions there are; walks the list.
    pub fn transaction_count(&self) -> usize {
        Items::of(self.transactions.payload()).count()
    }

    /// The transaction at `index`.
    pub fn transaction(&self, index: usize) -> Option<Result<Transaction<'a>, RlpError>> {
        self.transactions().nth(index)
    }

    /// Headers of uncles in order.
    pub fn uncles(&self) -> Items<'a> {
        Items::of(self.uncles.payload())
    }

    /// Keccak of the uncle list, which the header commits to.
    pub fn uncles_hash(&self) -> B256 {
        // Since the merge every block says the same.
        if self.uncles.raw() == [0xc0] { EMPTY_UNCLES_HASH } else { keccak256(self.uncles.raw()) }
    }

    /// The withdrawals (EIP-4895), each `[index, validator, address, amount]`; `None` before Shanghai.
    pub fn withdrawals(&self) -> Option<Items<'a>> {
        self.withdrawals.map(|item| Items::of(item.payload()))
    }

    /// Items behind those that Ethereum knows; Avalanche has a version and extra data.
    pub fn extra(&self) -> Items<'a> {
        Items::of(self.extra)
    }
}

/// Cuts a raw block into its header and its body (with a list prefix of its own).
pub fn split_block(raw: &[u8]) -> Result<(&[u8], Vec<u8>), RlpError> {
    let mut items = Item::parse(raw)?.items()?;
    let header = items.field("header")?;
    header.items()?;
    let mut body = Vec::with_capacity(items.rest().len() + 9);
    write_list_prefix(&mut body, items.rest().len());
    body.extend_from_slice(items.rest());
    Body::parse(&body)?;
    Ok((header.raw(), body))
}

/// Puts a header and a body together again; the bytes are those that [`split_block`] was given.
pub fn join_block(header: &[u8], body: &[u8]) -> Result<Vec<u8>, RlpError> {
    let body = Item::parse(body)?;
    body.items()?;
    let mut raw = Vec::with_capacity(header.len() + body.payload().len() + 9);
    write_list_prefix(&mut raw, header.len() + body.payload().len());
    raw.extend_from_slice(header);
    raw.extend_from_slice(body.payload());
    Ok(raw)
}
