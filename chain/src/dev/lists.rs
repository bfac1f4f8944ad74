//! Withdrawals and uncles: the lists of a body beside its transactions.

use alloy_trie::EMPTY_ROOT_HASH;

use super::cast::CAST;
use super::draw::{Draw, Stream};
use super::forks::DevFork;
use super::header::Commitments;
use super::logs::BloomBits;
use super::mint::Mint;
use super::place::{Place, Roots};
use super::plan::Totals;
use crate::genesis::EMPTY_UNCLES_HASH;
use crate::rlp::{write_list, write_string, write_uint};

/// How many withdrawals blocks have, in turn.
const WITHDRAWALS: [u64; 16] = [1, 0, 2, 1, 0, 1, 4, 1, 0, 1, 2, 0, 1, 16, 1, 0];
const VALIDATORS: u64 = 1_000_000;
/// Gwei.
const WITHDRAWAL_MAX: u64 = 64_000_000;
/// Before London one block in so many has an uncle.
const UNCLE_EVERY: u64 = 8;

// === impl Mint ===

impl Mint {
    /// The withdrawals, each an encoded `[index, validator, address, amount]`. Their numbers repeat every 16
    /// heights, so that the index, which counts over the whole chain, follows from the height.
    pub(super) fn write_withdrawals(&self, place: &Place, out: &mut Vec<Vec<u8>>) {
        out.clear();
        let Some(since) = place.number.checked_sub(self.forks.shanghai.max(1)) else { return };
        let (round, turn) = (since / WITHDRAWALS.len() as u64, since as usize % WITHDRAWALS.len());
        let before = WITHDRAWALS.iter().take(turn).sum::<u64>();
        let first = round.saturating_mul(WITHDRAWALS.iter().sum::<u64>()).saturating_add(before);
        let mut draw = Draw::new(self.seed, place.salt, place.number, Stream::Withdrawals);
        let count = WITHDRAWALS.get(turn).copied().unwrap_or(0);
        out.extend((0..count).map(|nth| withdrawal(first.saturating_add(nth), &mut draw)));
    }

    /// The uncles as encoded items: none or one, a sibling of the parent that has no transactions.
    pub(super) fn uncles(&self, place: &Place) -> Vec<u8> {
        let mut draw = Draw::new(self.seed, place.salt, place.number, Stream::Uncles);
        let mined = self.forks.at(place.number) < DevFork::London;
        if !mined || place.number < 2 || !draw.one_in(UNCLE_EVERY) {
            return Vec::new();
        }
        let sibling = Place { number: place.number - 1, parent: place.grandparent, ..*place };
        let empty = Commitments {
            roots: Roots { transactions: EMPTY_ROOT_HASH, receipts: EMPTY_ROOT_HASH },
            withdrawals_root: EMPTY_ROOT_HASH,
            bloom: BloomBits::default(),
            totals: Totals::default(),
        };
        self.write_header(&sibling, EMPTY_UNCLES_HASH, &empty, Stream::Uncles)
    }
}

fn withdrawal(index: u64, draw: &mut Draw) -> Vec<u8> {
    let mut fields = Vec::with_capacity(48);
    write_uint(&mut fields, index);
    write_uint(&mut fields, draw.below(VALIDATORS));
    write_string(&mut fields, CAST.senders.at(draw.bits()).address.as_slice());
    write_uint(&mut fields, draw.below(WITHDRAWAL_MAX));
    let mut item = Vec::with_capacity(fields.len() + 1);
    write_list(&mut item, &fields);
    item
}
