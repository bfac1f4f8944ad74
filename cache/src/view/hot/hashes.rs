//! Hashes of history blocks by height.
//!
//! Every answer by number needs one, and a general cache would cost more for it than hashing the header anew.
//! So it is a table with a place for each height modulo its length: neighbours never push each other out, and
//! what is written later replaces what lay there.

use alloy_primitives::B256;
use parking_lot::Mutex;

/// Locks over the table; heights in a row go to different ones.
const SHARDS: u64 = 64;
/// Height plus one (zero is an empty place), epoch, hash. Zeroed memory costs nothing until it is written.
type Place = [u8; 48];

/// The table.
#[derive(Debug)]
pub(super) struct Hashes {
    shards: Vec<Mutex<Vec<Place>>>,
    /// Places of a shard.
    places: u64,
}

// === impl Hashes ===

impl Hashes {
    /// A table of at most so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let places = (bytes / SHARDS / size_of::<Place>() as u64).max(1);
        let shards =
            (0..SHARDS).map(|_| Mutex::new(vec![[0; size_of::<Place>()]; places as usize])).collect();
        Self { shards, places }
    }

    pub(super) fn get(&self, number: u64, epoch: u64) -> Option<B256> {
        let (shard, place) = self.place(number)?;
        let place = *shard.lock().get(place)?;
        let (id, hash) = place.split_first_chunk::<16>()?;
        (*id == name(number, epoch)).then(|| B256::from_slice(hash))
    }

    pub(super) fn put(&self, number: u64, epoch: u64, hash: &B256) {
        let Some((shard, place)) = self.place(number) else { return };
        if let Some(place) = shard.lock().get_mut(place)
            && let Some((id, rest)) = place.split_first_chunk_mut::<16>()
        {
            *id = name(number, epoch);
            rest.copy_from_slice(hash.as_slice());
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.places * SHARDS * size_of::<Place>() as u64
    }

    fn place(&self, number: u64) -> Option<(&Mutex<Vec<Place>>, usize)> {
        let shard = self.shards.get((number % SHARDS) as usize)?;
        Some((shard, (number / SHARDS % self.places) as usize))
    }
}

fn name(number: u64, epoch: u64) -> [u8; 16] {
    (u128::from(number.wrapping_add(1)) << 64 | u128::from(epoch)).to_be_bytes()
}
