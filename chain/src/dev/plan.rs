//! What the transactions of a block do, before any byte of them is written.
//!
//! A plan decides all that other parts of the block depend on (types, gas, outcomes, blobs), so that a header or
//! receipts can be made without signing anything.

use super::cast::SENDERS;
use super::draw::{Draw, Stream};
use super::fees::blob_base_fee;
use super::forks::DevFork;
use super::mint::Mint;
use super::place::Place;
use crate::spec::blobs::GAS_PER_BLOB;
use crate::transaction::kind;

/// One transaction, decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// EIP-2718 type.
    pub(super) kind: u8,
    /// What it is for.
    pub(super) deed: Deed,
    /// Place of the sender in its circle.
    pub(super) sender: u64,
    /// The sender's counter.
    pub(super) nonce: u64,
    /// Gas limit.
    pub(super) gas: u64,
    /// Gas used.
    pub(super) used: u64,
    /// Whether it failed (status 0, no logs).
    pub(super) failed: bool,
    /// Bytes of call data or init code.
    pub(super) input: usize,
    /// Addresses in the access list, each with as many keys as its place.
    pub(super) listed: u64,
    /// Blobs it carries.
    pub(super) blobs: u64,
    /// Authorizations it carries.
    pub(super) authorizations: u64,
    /// Numbers for its fields.
    pub(super) fields: Draw,
    /// Numbers for its logs.
    pub(super) logs: Draw,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Moves ether between accounts; exactly the intrinsic gas.
    Transfer,
    /// Calls a contract that logs nothing.
    Quiet,
    /// Moves a token: one log.
    Token,
    /// Allows a spender: one log.
    Approve,
    /// Trades two tokens: four logs with one to three topics.
    Swap,
    /// Moves one unique token: a log with four topics and no data.
    Unique,
    /// Wraps ether: a log with two topics.
    Wrap,
    /// Gives a token to many: up to twenty logs, one of them without topics.
    Airdrop,
    /// Creates a contract: a log of its constructor.
    Create,
}

/// Sums over a block's plans.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Gas used.
    pub(super) gas_used: u64,
    /// Blob gas used.
    pub(super) blob_gas_used: u64,
    /// Number of transactions.
    pub(super) transactions: u64,
}

/// No block has more transactions than this, whatever mean is asked for.
pub const TRANSACTIONS_MAX: u32 = 500;
/// Gas a block has room for, for each transaction of the mean.
const GAS_PER_TRANSACTION: u64 = 240_000;
/// A transaction stays under this gas (EIP-7825 allows 2^24).
const GAS_MAX: u64 = 16_000_000;
/// Blobs in one transaction (EIP-7594).
const BLOBS_PER_TRANSACTION: u64 = 6;
/// Nobody sends blobs while a unit of blob gas costs more wei than this.
const BLOB_FEE_SHUNNED: u64 = 100_000_000_000;

// === impl Mint ===

impl Mint {
    /// Decides the transactions of the block at `place`.
    pub(super) fn plan(&self, place: &Place, fork: DevFork, plans: &mut Vec<Plan>) -> Totals {
        plans.clear();
        let mut totals = Totals::default();
        let count = self.count(place);
        let cap = (self.gas_limit(place.number) / count.max(1)).min(GAS_MAX);
        let mut blobs_left = match fork.blobs() {
            Some(schedule) if blob_base_fee(schedule, place.excess_blob_gas) <= BLOB_FEE_SHUNNED => {
                schedule.max
            }
            _ => 0,
        };
        let stream = Draw::new(self.seed, place.salt, place.number, Stream::Plan);
        let fields = Draw::new(self.seed, place.salt, place.number, Stream::Transaction);
        let logs = Draw::new(self.seed, place.salt, place.number, Stream::Logs);
        for index in 0..count {
            let serial = place.transactions_before.saturating_add(index);
            let mut plan = Plan {
                sender: serial % SENDERS,
                nonce: serial / SENDERS,
                fields: fields.part(index),
                logs: logs.part(index),
                ..BLANK
            };
            plan.decide(&mut stream.part(index), fork, blobs_left);
            plan.spend(&mut stream.part(index + count), cap, demand(fork, place.base_fee));
            blobs_left -= plan.blobs;
            totals.gas_used += plan.used;
            totals.blob_gas_used += plan.blobs * GAS_PER_BLOB;
            plans.push(plan);
        }
        totals.transactions = count;
        totals
    }

    /// How many transactions there are: about the mean, but one block in 16 is empty and, where the mean allows
    /// for a difference, one in 32 is crowded with two to four times as many.
    fn count(&self, place: &Place) -> u64 {
        if place.number == 0 {
            return 0;
        }
        let (mean, most) = (u64::from(self.mean), u64::from(TRANSACTIONS_MAX));
        let mut draw = Draw::new(self.seed, place.salt, place.number, Stream::Count);
        match draw.below(32) {
            0 | 1 => 0,
            2 if mean >= 4 => draw.within(mean * 2, mean * 4).min(most),
            _ => {
                let above = (mean / 2).min(most - mean);
                draw.within(mean - above, mean + above)
            }
        }
    }

    /// Gas limit of the block at `number`: a slow wave whose steps stay within what EIP-1559 allows, half as high
    /// before London.
    pub(super) fn gas_limit(&self, number: u64) -> u64 {
        let middle = GAS_PER_TRANSACTION * u64::from(self.mean.max(1)).min(250);
        let phase = number % WAVE;
        let limit = middle + middle / 2048 * phase.min(WAVE - phase);
        if self.forks.at(number) >= DevFork::London { limit } else { limit / 2 }
    }
}

/// Blocks from one low of the gas limit to the next.
const WAVE: u64 = 128;

/// How much gas is asked for at that base fee, in sixteenths: cheap blocks fill up and dear ones stay half empty,
/// so that the base fee neither dies nor explodes.
fn demand(fork: DevFork, base_fee: u64) -> u64 {
    if fork < DevFork::London {
        return 16;
    }
    match base_fee / 1_000_000 {
        0..500 => 256,
        500..2_000 => 64,
        2_000..10_000 => 32,
        10_000..50_000 => 16,
        50_000..200_000 => 8,
        _ => 4,
    }
}

const BLANK: Plan = Plan {
    kind: kind::LEGACY,
    deed: Deed::Transfer,
    sender: 0,
    nonce: 0,
    gas: 0,
    used: 0,
    failed: false,
    input: 0,
    listed: 0,
    blobs: 0,
    authorizations: 0,
    fields: Draw::ZERO,
    logs: Draw::ZERO,
};

// === impl Plan ===

impl Plan {
    fn decide(&mut self, draw: &mut Draw, fork: DevFork, blobs_left: u64) {
        self.kind = match draw.below(32) {
            0..2 if fork >= DevFork::Prague => kind::SET_CODE,
            2..5 if fork >= DevFork::Cancun && blobs_left > 0 => kind::BLOB,
            0..22 if fork >= DevFork::London => kind::DYNAMIC_FEE,
            22..25 if fork >= DevFork::Berlin => kind::ACCESS_LIST,
            _ => kind::LEGACY,
        };
        self.deed = match draw.below(32) {
            0..8 => Deed::Transfer,
            8..11 => Deed::Quiet,
            11..18 => Deed::Token,
            18..20 => Deed::Approve,
            20..26 => Deed::Swap,
            26..28 => Deed::Unique,
            28..30 => Deed::Wrap,
            30 => Deed::Airdrop,
            _ => Deed::Create,
        };
        match self.kind {
            kind::ACCESS_LIST => self.listed = draw.within(1, 2),
            kind::DYNAMIC_FEE => self.listed = draw.below(16).saturating_sub(14),
            kind::BLOB => {
                self.deed = Deed::Quiet;
                self.blobs = draw.within(1, BLOBS_PER_TRANSACTION).min(blobs_left);
            }
            kind::SET_CODE => {
                self.authorizations = draw.within(1, 2);
                if self.deed == Deed::Create {
                    self.deed = Deed::Quiet;
                }
            }
            _ => {}
        }
        self.failed = self.deed != Deed::Transfer && draw.one_in(16);
    }

    /// Sets input and gas: at least what the bytes cost, at most `cap`.
    fn spend(&mut self, draw: &mut Draw, cap: u64, demand: u64) {
        if self.authorizations > 1 && cap < 100_000 {
            self.authorizations = 1;
        }
        let (input, execution) = match self.deed {
            Deed::Transfer => (0, 0),
            Deed::Quiet if self.kind == kind::BLOB => (0, draw.within(2_000, 30_000)),
            Deed::Quiet => (4 + 32 * draw.below(5), draw.within(8_000, 60_000)),
            Deed::Token => (68, draw.within(14_000, 36_000)),
            Deed::Approve => (68, draw.within(22_000, 26_000)),
            Deed::Swap => (4 + 32 * 7, draw.within(60_000, 130_000)),
            Deed::Unique => (100, draw.within(30_000, 60_000)),
            Deed::Wrap => (4, draw.within(7_000, 25_000)),
            Deed::Airdrop => (4 + 32 * 8, draw.within(100_000, 400_000)),
            Deed::Create => (draw.within(24, 256), draw.within(50_000, 400_000)),
        };
        let fixed = self.fixed_gas(input);
        if self.deed != Deed::Transfer && fixed + EXECUTION_MIN > cap {
            // No room for anything else: an ether transfer always fits.
            (self.deed, self.failed, self.listed) = (Deed::Transfer, false, 0);
            return self.spend(draw, cap, demand);
        }
        self.input = input as usize;
        self.used = (fixed + execution * demand / 16).min(cap.max(fixed));
        let slack = if execution == 0 { 0 } else { draw.below(self.used / 4) };
        self.gas = (self.used + slack).min(cap.max(self.used));
        if self.failed && draw.one_in(2) {
            self.used = self.gas;
        }
    }

    /// What is paid before anything runs (EIP-2028, EIP-2930, EIP-3860, EIP-7623, EIP-7702), rounded up.
    fn fixed_gas(&self, input: u64) -> u64 {
        let creation = if self.deed == Deed::Create { 32_000 + 2 * (input / 32 + 1) } else { 0 };
        let keys = (0..self.listed).sum::<u64>();
        21_000 + 40 * input + creation + 2_400 * self.listed + 1_900 * keys + 25_000 * self.authorizations
    }
}

/// What a call burns at least.
const EXECUTION_MIN: u64 = 1_000;
