//! Blooms of a block's receipts.
//!
//! A block's logs name the same few contracts and event signatures again and again, and hashing each of them anew
//! costs more than the receipts root. The bits of a value are kept as long as the block is worked on, and the values
//! of many receipts are hashed beside each other.

use std::vec;

use alloy_primitives::map::{Entry, HashMap};
use alloy_primitives::{B256, Bloom};

use crate::keccak::{Message, hash_all};
use crate::receipt::{Receipt, Receipts};
use crate::rlp::{Items, RlpError};

/// A block's receipts, each with its bloom.
#[derive(Debug)]
pub(crate) struct WithBlooms<'a> {
    receipts: Items<'a>,
    /// Those of a piece, with blooms.
    ready: vec::IntoIter<(Receipt<'a>, Bloom)>,
    /// The number of each address and topic met so far.
    numbers: HashMap<&'a [u8], usize>,
    /// The three bits of each of them, by number.
    bits: Vec<Bits>,
    /// Those of them that are not hashed yet.
    unhashed: Vec<Message<'a>>,
}

/// A receipt that waits for the bits of its values.
struct Waiting<'a> {
    receipt: Receipt<'a>,
    /// Where its values end among those of the piece.
    end: usize,
}

/// Places of the three bits that a value sets, counted from the bloom's end (Yellow Paper 4.3.1).
type Bits = [u16; 3];

/// A piece ends behind this many bytes of hashed form: all of it is worked on in a core's own cache.
pub(super) const PIECE: usize = 128 << 10;
/// What the hashed form of a receipt has beyond its stored form: the bloom, the type and longer prefixes.
const CONSENSUS_MORE: usize = 300;

// === impl WithBlooms ===

impl<'a> WithBlooms<'a> {
    pub(crate) fn of(receipts: &Receipts<'a>) -> Self {
        Self {
            receipts: receipts.items(),
            ready: Vec::new().into_iter(),
            numbers: HashMap::default(),
            bits: Vec::new(),
            unhashed: Vec::new(),
        }
    }

    fn piece(&mut self) -> Result<Vec<(Receipt<'a>, Bloom)>, RlpError> {
        let (mut waiting, mut values, mut len) = (Vec::new(), Vec::new(), 0);
        while len < PIECE {
            let Some(item) = self.receipts.next() else { break };
            let receipt = Receipt::parse(item?.raw())?;
            for log in receipt.logs() {
                let log = log?;
                values.push(self.number(log.address));
                for topic in log.topics() {
                    values.push(self.number(topic?));
                }
            }
            len += receipt.raw().len() + CONSENSUS_MORE;
            waiting.push(Waiting { receipt, end: values.len() });
        }
        self.bits.extend(hash_all(&self.unhashed).iter().map(bits));
        self.unhashed.clear();
        let mut start = 0;
        let bloom = |Waiting { receipt, end }| {
            let values = values.get(start..end).unwrap_or_default();
            start = end;
            (receipt, self.bloom(values))
        };
        Ok(waiting.into_iter().map(bloom).collect())
    }

    fn number(&mut self, value: &'a [u8]) -> usize {
        let next = self.numbers.len();
        match self.numbers.entry(value) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.unhashed.push(value.into());
                *new.insert(next)
            }
        }
    }

    fn bloom(&self, values: &[usize]) -> Bloom {
        let mut bloom = Bloom::ZERO;
        for bits in values.iter().filter_map(|number| self.bits.get(*number)) {
            for bit in bits.map(usize::from) {
                if let Some(byte) = bloom.0.0.get_mut(255_usize.saturating_sub(bit / 8)) {
                    *byte |= 1 << (bit % 8);
                }
            }
        }
        bloom
    }
}

impl<'a> Iterator for WithBlooms<'a> {
    type Item = Result<(Receipt<'a>, Bloom), RlpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.len() == 0 {
            match self.piece() {
                Ok(piece) => self.ready = piece.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
        self.ready.next().map(Ok)
    }
}

fn bits(hash: &B256) -> Bits {
    let pair = |i: usize| hash.get(i..i.saturating_add(2)).and_then(|pair| pair.try_into().ok());
    [0, 2, 4].map(|i| u16::from_be_bytes(pair(i).unwrap_or_default()) & 0x7ff)
}
