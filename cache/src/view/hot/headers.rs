//! Headers of history that were read last.
//!
//! Whoever asks for a block by number has its header read and hashed, and wants the header next. It lies here: a
//! table with a place for each height modulo its length, where what is written later replaces what lay there.
//! Looking for a header in the general cache and taking it in there would cost as much as reading it again.

use bytes::Bytes;
use parking_lot::Mutex;

/// Longest header that is kept: all but those in which a chain lists its signers, which are read again each time.
const HEADER_BYTES_MAX: u64 = 2 << 10;
/// Of the hot memory, one part in this many at most.
const SHARE: u64 = 16;

/// The table.
#[derive(Debug)]
pub(super) struct Headers {
    /// Each with a lock of its own: requests hardly meet at one.
    places: Vec<Mutex<Option<Place>>>,
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
        let places = (memory / SHARE / HEADER_BYTES_MAX).max(1);
        Self { places: (0..places).map(|_| Mutex::default()).collect() }
    }

    pub(super) fn get(&self, number: u64, epoch: u64) -> Option<Bytes> {
        let place = self.place(number)?.lock();
        place
            .as_ref()
            .filter(|held| (held.number, held.epoch) == (number, epoch))
            .map(|held| held.header.clone())
    }

    pub(super) fn put(&self, number: u64, epoch: u64, header: Bytes) {
        if header.len() as u64 > HEADER_BYTES_MAX {
            return;
        }
        if let Some(place) = self.place(number) {
            *place.lock() = Some(Place { number, epoch, header });
        }
    }

    /// Bytes that it holds at most.
    pub(super) fn bytes(&self) -> u64 {
        self.places.len() as u64 * HEADER_BYTES_MAX
    }

    fn place(&self, number: u64) -> Option<&Mutex<Option<Place>>> {
        self.places.get((number % self.places.len() as u64) as usize)
    }
}
