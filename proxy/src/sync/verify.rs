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
//! with the range. On Polygon, `header` and above also check who sealed what is new: above the checkpoint only, since
//! below it the links prove more than a seal could. It costs about a millisecond for a busy block, so it never runs on
//! the threads that serve.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use hypasis_cache::store::Verified;
use hypasis_chain::bor::producers::{self, Sealed, check_producer};
use hypasis_chain::bor::state_sync::settle;
use hypasis_chain::bor::{BorConfig, Spans, seal};
use hypasis_chain::spec::Family;
use hypasis_chain::verify::{check_header, check_link, check_succession};
use hypasis_chain::{Block, BlockId, Body, ChainSpec, Fault, Header, Level, Receipts, sender};
use parking_lot::Mutex;

/// What is checked in one direction: a level, by a chain's rules. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Checks {
    /// How much.
    pub level: Level,
    /// By which rules.
    pub spec: Arc<ChainSpec>,
    /// Who may seal, as far as it is known; without it seals are not looked at.
    producers: Option<Arc<Spans>>,
    /// Who sealed the last two headers: the one is the other's parent, and recovering takes long.
    signers: Arc<Mutex<[(B256, Address); 2]>>,
}

// === impl Checks ===

impl Checks {
    /// Everything but seals.
    pub fn new(level: Level, spec: Arc<ChainSpec>) -> Self {
        Self { level, spec, producers: None, signers: Arc::default() }
    }

    /// Also who sealed each header, where the chain has seals. `spans` may be empty: then headers tell what they can.
    pub fn with_producers(self, spans: Arc<Spans>) -> Self {
        let sealed = self.spec.family == Family::Bor;
        Self { producers: Some(spans).filter(|_| sealed), ..self }
    }

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
        check_succession(&self.spec, parent, child)?;
        match (&self.producers, &self.spec.bor) {
            (Some(spans), Some(bor)) => self.check_seal(bor, spans, (parent, parent_hash), child),
            _ => Ok(()),
        }
    }

    fn check_seal(
        &self,
        bor: &BorConfig,
        spans: &Spans,
        (parent, parent_hash): (&Header<'_>, B256),
        child: &Header<'_>,
    ) -> Result<(), Fault> {
        let known = *self.signers.lock();
        let recover = |hash: B256, header: &Header<'_>| match known.iter().find(|(of, _)| *of == hash) {
            Some((_, signer)) => Ok(*signer),
            None => seal::signer(bor, header),
        };
        let hash = child.hash();
        let signer = recover(hash, child)?;
        let told = producers::is_told_by_parent(bor, child.number());
        let before = if told { recover(parent_hash, parent).unwrap_or_default() } else { Address::ZERO };
        *self.signers.lock() = [(hash, signer), if told { (parent_hash, before) } else { (hash, signer) }];
        let parent = Sealed { header: parent, signer: before };
        check_producer(&self.spec, spans, &parent, &Sealed { header: child, signer })
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
