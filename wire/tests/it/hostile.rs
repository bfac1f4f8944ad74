//! Mutated and random bytes: every parser returns, none panics.

use proptest::prelude::*;

mod messages;
mod packets;
mod pages;
mod sessions;

/// One way to spoil bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Flip { place: prop::sample::Index, bit: u8 },
    Set { place: prop::sample::Index, to: u8 },
    Cut { place: prop::sample::Index },
    Remove { place: prop::sample::Index },
    Insert { place: prop::sample::Index, byte: u8 },
    Repeat { place: prop::sample::Index },
}

impl Arbitrary for Change {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let place = any::<prop::sample::Index>;
        // Bytes at the edges of RLP's prefixes break more than others.
        let edge = prop::sample::select(
            &[0x00, 0x7f, 0x80, 0x81, 0xb7, 0xb8, 0xbf, 0xc0, 0xf7, 0xf8, 0xfb, 0xff][..],
        );
        prop_oneof![
            (place(), 0u8..8).prop_map(|(place, bit)| Self::Flip { place, bit }),
            (place(), edge.clone()).prop_map(|(place, to)| Self::Set { place, to }),
            place().prop_map(|place| Self::Cut { place }),
            place().prop_map(|place| Self::Remove { place }),
            (place(), edge).prop_map(|(place, byte)| Self::Insert { place, byte }),
            place().prop_map(|place| Self::Repeat { place }),
        ]
        .boxed()
    }
}

/// `bytes` after the changes.
pub(crate) fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match *change {
            Change::Flip { place, bit } => bytes[place.index(length)] ^= 1 << bit,
            Change::Set { place, to } => bytes[place.index(length)] = to,
            Change::Cut { place } => bytes.truncate(place.index(length)),
            Change::Remove { place } => drop(bytes.remove(place.index(length))),
            Change::Insert { place, byte } => bytes.insert(place.index(length), byte),
            Change::Repeat { place } => bytes.extend_from_within(place.index(length)..),
        }
    }
    bytes
}
