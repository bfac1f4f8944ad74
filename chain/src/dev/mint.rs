//! Makes blocks: everything of one follows from its place.

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;

use super::draw::Stream;
use super::fees::blob_base_fee;
use super::forks::{DevFork, DevForks};
use super::header::Commitments;
use super::logs::ReceiptPress;
use super::place::{Place, Roots, Seal};
use super::plan::Plan;
use super::transactions::{Terms, TransactionPress};
use super::{DEV_CHAIN_ID, DevOptions, TRANSACTIONS_MAX};
use crate::block::{Block, BlockId};
use crate::genesis::EMPTY_UNCLES_HASH;
use crate::rlp::{write_list, write_list_prefix};
use crate::roots::ordered_root;

/// The rules of one chain. Holds no state: may be used from any thread.
#[derive(Clone, Debug)]
pub(super) struct Mint {
    pub(super) seed: u64,
    pub(super) mean: u32,
    pub(super) period_ms: u64,
    pub(super) genesis_time: u64,
    pub(super) forks: DevForks,
}

/// Timestamps are whole seconds and each is greater than its parent's (Yellow Paper 4.3.4).
const PERIOD_MIN_MS: u64 = 1_000;

/// Buffers that are used again from block to block.
#[derive(Debug, Default)]
pub(super) struct Bench {
    plans: Vec<Plan>,
    transactions: TransactionPress,
    receipts: ReceiptPress,
    withdrawals: Vec<Vec<u8>>,
    body: Vec<u8>,
}

// === impl Mint ===

impl Mint {
    pub(super) fn new(options: &DevOptions, genesis_time: u64, forks: DevForks) -> Self {
        let mean = options.transactions.min(TRANSACTIONS_MAX);
        let period_ms = options.period_ms.max(PERIOD_MIN_MS);
        Self { seed: options.seed, mean, period_ms, genesis_time, forks: forks.settle() }
    }

    /// The block at `place`, which was minted before.
    pub(super) fn block(&self, place: &Place, seal: Seal, bench: &mut Bench) -> Block {
        let fork = self.forks.at(place.number);
        let with = self.commit(place, Some(seal.roots), bench);
        self.press_transactions(place, fork, bench);
        let (header, uncles) = self.finish(place, &with);
        let body = bench.body(&uncles, fork >= DevFork::Shanghai);
        let mut receipts = Vec::with_capacity(bench.receipts.slim.len() + LIST_PREFIX_MAX);
        write_list(&mut receipts, &bench.receipts.slim);
        let id = BlockId { number: place.number, hash: seal.hash };
        Block { id, header: header.into(), body: body.into(), receipts: Some(receipts.into()), extra: None }
    }

    /// The header alone of the block at `place`, which was minted before; nothing is signed for it.
    pub(super) fn header(&self, place: &Place, seal: Seal, bench: &mut Bench) -> Bytes {
        let with = self.commit(place, Some(seal.roots), bench);
        self.finish(place, &with).0.into()
    }

    /// All that a header commits to but parents and uncles. Unless the roots are known, transactions are signed
    /// and roots computed, which is nearly all the work there is.
    pub(super) fn commit(&self, place: &Place, known: Option<Roots>, bench: &mut Bench) -> Commitments {
        let fork = self.forks.at(place.number);
        let totals = self.plan(place, fork, &mut bench.plans);
        bench.receipts.clear();
        for plan in &bench.plans {
            bench.receipts.add(plan, fork, known.is_none());
        }
        let roots = known.unwrap_or_else(|| {
            self.press_transactions(place, fork, bench);
            bench.roots()
        });
        self.write_withdrawals(place, &mut bench.withdrawals);
        let withdrawals_root = ordered_root(bench.withdrawals.iter().map(Vec::as_slice));
        Commitments { roots, withdrawals_root, bloom: bench.receipts.bloom, totals }
    }

    /// The header once the parent is known, and the encoded uncles.
    pub(super) fn finish(&self, place: &Place, with: &Commitments) -> (Vec<u8>, Vec<u8>) {
        let uncles = self.uncles(place);
        let uncles_hash = if uncles.is_empty() {
            EMPTY_UNCLES_HASH
        } else {
            let mut list = Vec::with_capacity(uncles.len() + LIST_PREFIX_MAX);
            write_list(&mut list, &uncles);
            keccak256(&list)
        };
        (self.write_header(place, uncles_hash, with, Stream::Header), uncles)
    }

    fn press_transactions(&self, place: &Place, fork: DevFork, bench: &mut Bench) {
        let base_fee = if fork >= DevFork::London { place.base_fee } else { 0 };
        let blob_base_fee = fork.blobs().map_or(0, |params| blob_base_fee(params, place.excess_blob_gas));
        let terms = Terms { fork, chain_id: DEV_CHAIN_ID, base_fee, blob_base_fee };
        bench.transactions.clear();
        for plan in &bench.plans {
            bench.transactions.add(plan, &terms);
        }
    }
}

/// Prefix of a list under 2^32 bytes.
const LIST_PREFIX_MAX: usize = 5;

// === impl Bench ===

impl Bench {
    fn roots(&self) -> Roots {
        let root = |bytes: &[u8], ends: &[usize], starts: &[usize]| -> B256 {
            let items =
                starts.iter().zip(ends).map(|(start, end)| bytes.get(*start..*end).unwrap_or_default());
            ordered_root(items)
        };
        let (transactions, receipts) = (&self.transactions, &self.receipts);
        Roots {
            transactions: root(&transactions.items, &transactions.ends, &transactions.starts),
            receipts: root(&receipts.consensus, &receipts.ends, &receipts.starts),
        }
    }

    /// The body in devp2p form.
    fn body(&mut self, uncles: &[u8], withdrawals: bool) -> Vec<u8> {
        let out = &mut self.body;
        out.clear();
        write_list(out, &self.transactions.items);
        write_list(out, uncles);
        if withdrawals {
            write_list_prefix(out, self.withdrawals.iter().map(Vec::len).sum());
            self.withdrawals.iter().for_each(|item| out.extend_from_slice(item));
        }
        let mut body = Vec::with_capacity(out.len() + LIST_PREFIX_MAX);
        write_list(&mut body, out);
        body
    }
}
