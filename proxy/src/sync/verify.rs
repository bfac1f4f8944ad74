//! What is checked of a block before it may enter the store, by level.
//!
//! | level | checked |
//! | --- | --- |
//! | `none` | the header hashes to what was asked for; header, body and receipts have the shape of RLP |
//! | `header` | also that the header links to its neighbours and keeps the chain's header rules |
//! | `light` | also the body against the transactions, uncles and withdrawals roots |
//! | `full` | also the receipts against receipts root, bloom and gas |
//!
//! Links are closed before ([`super::links`]); here the hash asked for is a linked one already. The level is stored
//! with the range. It costs about a millisecond for a busy block, so it never runs on the threads that serve.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use hypasis_cache::store::Verified;
use hypasis_chain::bor::state_sync::settle;
use hypasis_chain::verify::{check_header, check_link, check_succession};
use hypasis_chain::{Block, BlockId, Body, ChainSpec, Fault, Header, Level, Receipts, sender};

/// What is checked in one direction: a level, by a chain's rules. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Checks {
    /// How much.
    pub level: Level,
    /// By which rules.
    pub spec: Arc<ChainSpec>,
}

// === impl Checks ===

impl Checks {
    /// Checks `block`, which was asked for as `wanted`. Without receipts it is checked up to `light`.
    pub fn block(&self, block: Block, wanted: BlockId, senders: bool) -> Result<Verified, Fault> {
        let reach = if block.receipts.is_some() { self.level } else { self.level.min(Level::Light) };
        let checked = hypasis_chain::verify::verify(reach, &self.spec, &block, wanted)?;
        if let (Some(receipts), true) = (&block.receipts, reach < Level::Full) {
            check_count(&block, receipts)?;
        }
        let senders = if senders { senders_of(&block.body) } else { None };
        let transaction_hashes = checked.transaction_hashes;
        let block = settle(&self.spec, Block { id: wanted, ..block })?;
        Ok(Verified { block, transaction_hashes, senders })
    }

    /// Checks what a header must keep by itself and towards its parent, whose hash is `parent_hash`.
    pub fn link(&self, parent: &Header<'_>, parent_hash: B256, child: &Header<'_>) -> Result<(), Fault> {
        check_link(parent, parent_hash, child)?;
        check_header(&self.spec, child)?;
        check_succession(&self.spec, parent, child)
    }
}

/// The senders of a stored body in order; `None` if it holds a transaction of a type that nobody here knows.
pub fn senders_of(body: &[u8]) -> Option<Vec<Address>> {
    recover(&Body::parse(body).ok()?)
}

/// Bytes of a block as they are counted against the budget.
pub fn size(block: &Block) -> u64 {
    let parts = [block.receipts.as_ref(), block.extra.as_ref()];
    let beside = parts.iter().flatten().map(|part| part.len()).sum();
    block.header.len().saturating_add(block.body.len()).saturating_add(beside) as u64
}

fn recover(body: &Body<'_>) -> Option<Vec<Address>> {
    body.transactions().map(|tx| sender::recover(&tx.ok()?)).collect()
}

/// Receipts that are not checked against a root must at least be as many as there are transactions, or what is
/// rendered from both would not fit together.
fn check_count(block: &Block, receipts: &[u8]) -> Result<(), Fault> {
    let body = Body::parse(&block.body).map_err(malformed("body"))?;
    let receipts = Receipts::parse(receipts).map_err(malformed("receipts"))?;
    let (found, expected) = (receipts.count() as u64, body.transaction_count() as u64);
    if found == expected { Ok(()) } else { Err(Fault::Number { field: "receipts", found, expected }) }
}

fn malformed(part: &'static str) -> impl Fn(hypasis_chain::rlp::RlpError) -> Fault {
    move |error| Fault::Malformed { part, error }
}
