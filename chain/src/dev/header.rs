//! Headers.

use alloy_primitives::B256;

use super::cast::CAST;
use super::draw::{Draw, Stream};
use super::forks::DevFork;
use super::logs::BloomBits;
use super::mint::Mint;
use super::place::{Place, Roots};
use super::plan::Totals;
use crate::genesis::EMPTY_REQUESTS_HASH;
use crate::rlp::{write_list_prefix, write_string, write_uint};

/// What a header commits to beyond its place and its uncles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commitments {
    /// Roots of transactions and receipts.
    pub(super) roots: Roots,
    /// Withdrawals root, since Shanghai.
    pub(super) withdrawals_root: B256,
    /// Bloom over all logs.
    pub(super) bloom: BloomBits,
    /// Gas and blob gas.
    pub(super) totals: Totals,
}

/// Extra data of every block; blocks that replaced others carry the count of such replacements behind it.
const EXTRA_DATA: &[u8] = b"hypasis dev";
/// Difficulty before the merge; nobody mines here.
const DIFFICULTY: u64 = 131_072;

// === impl Mint ===

impl Mint {
    /// The header of the block at `place`, `stream` telling blocks of one place apart.
    pub(super) fn write_header(
        &self,
        place: &Place,
        uncles_hash: B256,
        with: &Commitments,
        stream: Stream,
    ) -> Vec<u8> {
        let fork = self.forks.at(place.number);
        let mut draw = Draw::new(self.seed, place.salt, place.number, stream);
        let mut out = Vec::with_capacity(HEADER_MAX);
        write_string(&mut out, place.parent.as_slice());
        write_string(&mut out, uncles_hash.as_slice());
        write_string(&mut out, CAST.beneficiaries.at(draw.bits()).as_slice());
        // There is no state: any number that changes with each block stands for its root.
        write_string(&mut out, draw.word().as_slice());
        write_string(&mut out, with.roots.transactions.as_slice());
        write_string(&mut out, with.roots.receipts.as_slice());
        write_string(&mut out, &with.bloom.0);
        let merged = fork >= DevFork::Paris;
        write_uint(&mut out, if merged { 0 } else { DIFFICULTY });
        write_uint(&mut out, place.number);
        write_uint(&mut out, self.gas_limit(place.number));
        write_uint(&mut out, with.totals.gas_used);
        write_uint(&mut out, self.timestamp(place.number));
        write_extra_data(&mut out, place.salt);
        write_string(&mut out, draw.word().as_slice());
        write_string(&mut out, &(if merged { 0 } else { draw.bits() }).to_be_bytes());
        if fork >= DevFork::London {
            write_uint(&mut out, place.base_fee);
        }
        if fork >= DevFork::Shanghai {
            write_string(&mut out, with.withdrawals_root.as_slice());
        }
        if fork >= DevFork::Cancun {
            write_uint(&mut out, with.totals.blob_gas_used);
            write_uint(&mut out, place.excess_blob_gas);
            let root = if place.number == 0 { B256::ZERO } else { draw.word() };
            write_string(&mut out, root.as_slice());
        }
        if fork >= DevFork::Prague {
            write_string(&mut out, EMPTY_REQUESTS_HASH.as_slice());
        }
        let mut header = Vec::with_capacity(out.len() + 3);
        write_list_prefix(&mut header, out.len());
        header.extend_from_slice(&out);
        header
    }

    /// Seconds since the epoch, rounded down.
    pub(super) fn timestamp(&self, number: u64) -> u64 {
        self.genesis_time.saturating_add(number.saturating_mul(self.period_ms) / 1_000)
    }
}

/// Room for a header of 21 fields.
const HEADER_MAX: usize = 700;

fn write_extra_data(out: &mut Vec<u8>, salt: u64) {
    if salt == 0 {
        return write_string(out, EXTRA_DATA);
    }
    let mut extra = EXTRA_DATA.to_vec();
    extra.extend_from_slice(&salt.to_be_bytes());
    write_string(out, &extra);
}
