//! Blooms of a block's receipts.
//!
//! A block's logs name the same few contracts and event signatures again and again, and hashing each of them anew
//! costs more than the receipts root. The bits of a value are kept as long as the block is worked on.

use alloy_primitives::map::HashMap;
use alloy_primitives::{Bloom, keccak256};

use crate::receipt::Receipt;
use crate::rlp::RlpError;

/// The three bits of each address and topic met so far.
#[derive(Debug, Default)]
pub(crate) struct Blooms<'a> {
    known: HashMap<&'a [u8], Bits>,
}

/// Places of the three bits that a value sets, counted from the bloom's end (Yellow Paper 4.3.1).
type Bits = [u16; 3];

// === impl Blooms ===

impl<'a> Blooms<'a> {
    /// The bloom over a receipt's logs.
    pub(crate) fn of(&mut self, receipt: &Receipt<'a>) -> Result<Bloom, RlpError> {
        let mut bloom = Bloom::ZERO;
        for log in receipt.logs() {
            let log = log?;
            self.add(log.address, &mut bloom);
            for topic in log.topics() {
                self.add(topic?, &mut bloom);
            }
        }
        Ok(bloom)
    }

    fn add(&mut self, value: &'a [u8], bloom: &mut Bloom) {
        let bits = *self.known.entry(value).or_insert_with(|| bits(value));
        for bit in bits.map(usize::from) {
            if let Some(byte) = bloom.0.0.get_mut(255_usize.saturating_sub(bit / 8)) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
}

fn bits(value: &[u8]) -> Bits {
    let hash = keccak256(value);
    let pair = |i: usize| hash.get(i..i.saturating_add(2)).and_then(|pair| pair.try_into().ok());
    [0, 2, 4].map(|i| u16::from_be_bytes(pair(i).unwrap_or_default()) & 0x7ff)
}
