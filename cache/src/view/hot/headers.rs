//! Headers of history that were read to name a block.
//!
//! Whoever asks for a block by number has its header read and hashed, and wants the header next. It lies here
//! until then: a table with a place for each height modulo its length, where what is written later replaces
//! what lay there. Taking each into the general cache would cost as much as reading it again.

use bytes::Bytes;
use parking_lot::Mutex;

/// Places, each with a lock of its own: as many requests hardly meet at one.
const PLACES: u64 = 256;
/// Of the hot memory, one part in this many at most.
const SHARE: u64 = 16;

/// The table.
#[derive(Debug)]
pub(super) struct Headers {
    places: Vec<Mutex<Option<Place>>>,
    /// Longest header that is kept.
    bytes_max: u64,
}

#[derive(Debug)]
struct Place {
    number: u64,
    epoch: u64,
    header: Bytes,
}

// === impl Headers ===

impl Headers {
    /// A table for a hot layer of so many bytes.
    pub(super) fn new(memory: u64) -> Self {
        Self { places: (0..PLACES).map(|_| Mutex::default()).collect(), bytes_max: memory / SHARE / PLACES }
    }

    pub(super) fn get(&self, number: u64, epoch: u64) -> Option<Bytes> {
        let place = self.place(number)?.lock();
        place
            .as_ref()
            .filter(|held| (held.number, held.epoch) == (number, epoch))
            .map(|held| held.header.clone())
    }

    pub(super) fn put(&self, number: u64, epoch: u64, header: Bytes) {
        if header.len() as u64 > self.bytes_max {
            return;
        }
        if let Some(place) = self.place(number) {
            *place.lock() = Some(Place { number, epoch, header });
        }
    }

    /// Bytes that it holds at most.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes_max * PLACES
    }

    fn place(&self, number: u64) -> Option<&Mutex<Option<Place>>> {
        self.places.get((number % PLACES) as usize)
    }
}
