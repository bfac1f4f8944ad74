//! As many sponges as a vector has lanes: when one message is done, the next one takes its lane.

use std::array;

use alloy_primitives::B256;
use pulp::bytemuck;

use super::message::{Job, Message, RATE};
use super::permutation::{Permutation, Units, WORDS};

/// Lanes of the widest units.
const LANES_MAX: usize = 8;
/// Bytes of a word.
const WORD: usize = 8;

/// A message that is being taken in.
struct Lane<'a> {
    message: &'a Message<'a>,
    hash: &'a mut B256,
    taken: usize,
}

/// Does all jobs; none is left.
pub(super) fn run<'a, U: Units>(units: U, jobs: Vec<Job<'a>>) -> Vec<Job<'a>> {
    let mut states = [units.splat_u64s(0); WORDS];
    let mut waiting = jobs.into_iter().map(|(message, hash)| Lane { message, hash, taken: 0 });
    let mut lanes: [Option<Lane<'a>>; LANES_MAX] =
        array::from_fn(|lane| (lane < U::U64_LANES).then(|| waiting.next()).flatten());
    let mut space = [0; RATE];
    while lanes.iter().any(Option::is_some) {
        for (number, lane) in lanes.iter_mut().enumerate() {
            let Some(Lane { message, taken, .. }) = lane else { continue };
            absorb::<U>(&mut states, number, message.piece(*taken, &mut space));
            *taken += RATE;
        }
        units.vectorize(Permutation { units, states: &mut states });
        for (number, lane) in lanes.iter_mut().enumerate() {
            if let Some(done) = lane.take_if(|lane| lane.taken > lane.message.len()) {
                squeeze::<U>(&mut states, number, done.hash);
                *lane = waiting.next();
            }
        }
    }
    Vec::new()
}

fn absorb<U: Units>(states: &mut [U::u64s; WORDS], lane: usize, piece: &[u8]) {
    for (word, bytes) in words::<U>(states, lane).zip(piece.as_chunks::<WORD>().0) {
        *word ^= u64::from_le_bytes(*bytes);
    }
}

/// Reads the hash of a lane and leaves its state empty.
fn squeeze<U: Units>(states: &mut [U::u64s; WORDS], lane: usize, hash: &mut B256) {
    for (word, bytes) in words::<U>(states, lane).zip(hash.0.as_chunks_mut::<WORD>().0) {
        *bytes = word.to_le_bytes();
    }
    words::<U>(states, lane).for_each(|word| *word = 0);
}

/// The words of one lane's state.
fn words<U: Units>(states: &mut [U::u64s; WORDS], lane: usize) -> impl Iterator<Item = &mut u64> {
    let rows = bytemuck::cast_slice_mut::<_, u64>(states).chunks_exact_mut(U::U64_LANES);
    rows.filter_map(move |row| row.get_mut(lane))
}
