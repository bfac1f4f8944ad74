//! Receipts: logs as decentralised exchanges and tokens emit them, bloom and root.

use alloy_primitives::B256;

use super::bytes::{list_len, write_string_prefix};
use super::cast::{Bits, CAST, Contract, Word};
use super::draw::Draw;
use super::forks::DevFork;
use super::plan::{Deed, Plan};
use crate::rlp::{write_list_prefix, write_string, write_uint};

/// The receipts of a block as they are written, one after the other.
#[derive(Debug, Default)]
pub(super) struct ReceiptPress {
    /// Slim receipts.
    pub(super) slim: Vec<u8>,
    /// Consensus receipts, if they are wanted: the receipts root is over these.
    pub(super) consensus: Vec<u8>,
    /// Where each of those starts.
    pub(super) starts: Vec<usize>,
    /// Where each of those ends.
    pub(super) ends: Vec<usize>,
    /// The block's bloom.
    pub(super) bloom: BloomBits,
    logs: Vec<u8>,
    cumulative_gas: u64,
}

/// A bloom that is filled from known positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct BloomBits(pub(super) [u8; 256]);

// === impl ReceiptPress ===

impl ReceiptPress {
    /// Begins a block.
    pub(super) fn clear(&mut self) {
        self.slim.clear();
        self.consensus.clear();
        self.starts.clear();
        self.ends.clear();
        self.bloom = BloomBits::default();
        self.cumulative_gas = 0;
    }

    /// Adds the receipt of a transaction; with `consensus` in both forms.
    pub(super) fn add(&mut self, plan: &Plan, fork: DevFork, consensus: bool) {
        self.logs.clear();
        self.cumulative_gas += plan.used;
        let mut bloom = BloomBits::default();
        if !plan.failed {
            LogPress { out: &mut self.logs, bloom: &mut bloom, draw: plan.logs }.emit(plan.deed);
        }
        self.bloom.merge(&bloom);

        let mut head = Vec::with_capacity(HEAD_MAX);
        if fork < DevFork::Byzantium {
            let mut state = plan.fields.part(STATE_PART);
            write_string(&mut head, state.word().as_slice());
        } else {
            write_uint(&mut head, u64::from(!plan.failed));
        }
        write_uint(&mut head, self.cumulative_gas);

        let logs = list_len(self.logs.len());
        write_list_prefix(&mut self.slim, 1 + head.len() + logs);
        write_uint(&mut self.slim, plan.kind.into());
        self.slim.extend_from_slice(&head);
        write_list_prefix(&mut self.slim, self.logs.len());
        self.slim.extend_from_slice(&self.logs);
        if consensus {
            self.add_consensus(plan.kind, &head, &bloom);
        }
    }

    fn add_consensus(&mut self, kind: u8, head: &[u8], bloom: &BloomBits) {
        let out = &mut self.consensus;
        self.starts.push(out.len());
        if kind != 0 {
            out.push(kind);
        }
        write_list_prefix(out, head.len() + list_len(bloom.0.len()) + list_len(self.logs.len()));
        out.extend_from_slice(head);
        write_string(out, &bloom.0);
        write_list_prefix(out, self.logs.len());
        out.extend_from_slice(&self.logs);
        self.ends.push(out.len());
    }
}

/// Status or root, and cumulative gas.
const HEAD_MAX: usize = 33 + 9;
/// Part of a transaction's stream that gives the state root behind it, before Byzantium.
const STATE_PART: u64 = 1;

// === impl BloomBits ===

impl BloomBits {
    fn set(&mut self, bits: Bits) {
        for bit in bits {
            if let Some(byte) = self.0.get_mut(255 - usize::from(bit) / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        for (byte, more) in self.0.iter_mut().zip(&other.0) {
            *byte |= more;
        }
    }
}

impl Default for BloomBits {
    fn default() -> Self {
        Self([0; 256])
    }
}

/// Writes the logs of one transaction.
struct LogPress<'a> {
    out: &'a mut Vec<u8>,
    bloom: &'a mut BloomBits,
    draw: Draw,
}

// === impl LogPress ===

impl LogPress<'_> {
    fn emit(&mut self, deed: Deed) {
        let events = &CAST.events;
        match deed {
            Deed::Transfer | Deed::Quiet => {}
            Deed::Token => self.transfer(),
            Deed::Approve => {
                let topics = [&events.approval, self.party(), self.party()];
                self.log(&topics, 1);
            }
            Deed::Swap => {
                self.transfer();
                self.transfer();
                let pool = self.contract();
                self.log_by(pool, &[&events.sync], 2);
                let topics = [&events.swap, self.party(), self.party()];
                self.log_by(pool, &topics, 4);
            }
            Deed::Unique => {
                let id = CAST.token_ids.at(self.draw.bits());
                let topics = [&events.transfer, self.party(), self.party(), id];
                self.log(&topics, 0);
            }
            Deed::Wrap => {
                let topics = [&events.deposit, self.party()];
                self.log(&topics, 1);
            }
            Deed::Airdrop => {
                for _ in 0..self.draw.within(3, 19) {
                    self.transfer();
                }
                self.log(&[], 3);
            }
            Deed::Create => {
                let topics = [&events.ownership, self.party(), self.party()];
                self.log(&topics, 0);
            }
        }
    }

    fn transfer(&mut self) {
        let topics = [&CAST.events.transfer, self.party(), self.party()];
        self.log(&topics, 1);
    }

    fn party(&mut self) -> &'static Word {
        CAST.parties.at(self.draw.bits())
    }

    fn contract(&mut self) -> &'static Contract {
        CAST.contracts.at(self.draw.bits())
    }

    /// Writes one log of any contract with `words` amounts as data.
    fn log(&mut self, topics: &[&Word], words: usize) {
        let contract = self.contract();
        self.log_by(contract, topics, words);
    }

    fn log_by(&mut self, contract: &Contract, topics: &[&Word], words: usize) {
        let topics_len = TOPIC_LEN * topics.len();
        let payload = 1 + 20 + list_len(topics_len) + list_len(32 * words);
        write_list_prefix(self.out, payload);
        write_string(self.out, contract.address.as_slice());
        self.bloom.set(contract.bits);
        write_list_prefix(self.out, topics_len);
        for topic in topics {
            write_string(self.out, topic.bytes.as_slice());
            self.bloom.set(topic.bits);
        }
        write_string_prefix(self.out, 32 * words);
        for _ in 0..words {
            let mut amount = B256::ZERO;
            if let Some(low) = amount.last_chunk_mut::<8>() {
                *low = self.draw.bits().to_be_bytes();
            }
            self.out.extend_from_slice(amount.as_slice());
        }
    }
}

/// A topic with its prefix.
const TOPIC_LEN: usize = 33;
