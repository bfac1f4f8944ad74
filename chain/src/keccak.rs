//! Many Keccak-256 hashes, made beside each other.
//!
//! One hash is a chain of rounds that wait for each other and leaves most of a core idle. The vector units of a
//! processor carry four (AVX2) or eight (AVX-512) such chains at once, in less than twice the time of one: verifying
//! and storing a busy block costs little more than half so. Which units there are is seen at run time; without any,
//! and where too little is to be done, hashes are made one after the other by `alloy-primitives`' assembler.

#[cfg(target_arch = "x86_64")]
mod permutation;
#[cfg(target_arch = "x86_64")]
mod sponge;

use std::mem;

use alloy_primitives::{B256, Keccak256};

/// Bytes that a permutation takes in: Keccak-256's rate.
const RATE: usize = 136;
/// One permutation of all lanes takes not twice as long as the assembler's: a message that is more than this share of
/// all the work is made alone.
const SHARE_MAX: usize = 2;

/// A message and where its hash belongs.
type Job<'a> = (&'a Message<'a>, &'a mut B256);

/// What is hashed: a few bytes made for it, followed by bytes that lie somewhere already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Message<'a> {
    head: Head,
    body: &'a [u8],
}

/// Up to [`Head::MAX`] bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head {
    bytes: [u8; Self::MAX],
    len: u8,
}

/// The hashes of `messages`, in their order.
pub(crate) fn hash_all(messages: &[Message<'_>]) -> Vec<B256> {
    let mut hashes = vec![B256::ZERO; messages.len()];
    let most = messages.iter().map(Message::permutations).sum::<usize>() / SHARE_MAX;
    let (mut beside, alone): (Vec<Job<'_>>, Vec<Job<'_>>) =
        messages.iter().zip(&mut hashes).partition(|(message, _)| message.permutations() <= most);
    if beside.len() > 1 {
        beside = hash_beside(beside);
    }
    beside.into_iter().chain(alone).for_each(|(message, hash)| *hash = message.hash());
    hashes
}

/// The vector units on which hashes are made beside each other, as an operator is told: `AVX-512`, `AVX2` or `none`.
pub fn units() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    match pulp::Arch::new() {
        pulp::Arch::V4(_) => return "AVX-512",
        pulp::Arch::V3(_) => return "AVX2",
        _ => {}
    }
    "none"
}

/// Makes the hashes on the widest vector units that there are; gives back what it could not.
fn hash_beside(jobs: Vec<Job<'_>>) -> Vec<Job<'_>> {
    #[cfg(target_arch = "x86_64")]
    match pulp::Arch::new() {
        pulp::Arch::V4(units) => return sponge::run(units, jobs),
        pulp::Arch::V3(units) => return sponge::run(units, jobs),
        _ => {}
    }
    jobs
}

// === impl Message ===

impl<'a> Message<'a> {
    /// `head` and then `body`.
    pub(crate) fn new(head: Head, body: &'a [u8]) -> Self {
        Self { head, body }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.head.as_slice().len() + self.body.len()
    }

    /// The bytes in one piece.
    pub(crate) fn to_vec(self) -> Vec<u8> {
        [self.head.as_slice(), self.body].concat()
    }

    /// Its hash, made alone.
    pub(crate) fn hash(&self) -> B256 {
        let mut hasher = Keccak256::new();
        hasher.update(self.head.as_slice());
        hasher.update(self.body);
        hasher.finalize()
    }

    /// How often the state is permuted for it. At least one byte of padding follows the message.
    fn permutations(&self) -> usize {
        self.len() / RATE + 1
    }

    /// The [`RATE`] bytes from `at` on, a multiple of the rate: where they lie, or put together in `space` and padded
    /// where the message ends among them.
    fn piece<'s>(&self, at: usize, space: &'s mut [u8; RATE]) -> &'s [u8]
    where
        'a: 's,
    {
        let head = self.head.as_slice();
        let body = self.body.get(at.saturating_sub(head.len())..).unwrap_or_default();
        let head = head.get(at..).unwrap_or_default();
        if let (true, Some(whole)) = (head.is_empty(), body.get(..RATE)) {
            return whole;
        }
        space.fill(0);
        let mut room = space.as_mut_slice();
        put(&mut room, head);
        put(&mut room, body);
        if let Some(first) = room.first_mut() {
            // Keccak's padding as Ethereum has it: one bit, zeros, one bit (SHA-3 has another first byte).
            *first = 0x01;
            space[RATE - 1] |= 0x80;
        }
        space
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(body: &'a [u8]) -> Self {
        Self { head: Head::default(), body }
    }
}

/// Moves as much of `bytes` into `room` as fits.
fn put(room: &mut &mut [u8], bytes: &[u8]) {
    let len = bytes.len().min(room.len());
    let (front, rest) = mem::take(room).split_at_mut(len);
    front.copy_from_slice(bytes.get(..len).unwrap_or_default());
    *room = rest;
}

// === impl Head ===

impl Head {
    const MAX: usize = 32;

    /// A head of these bytes, [`Self::MAX`] at most.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut head = Self::default();
        put(&mut head.bytes.as_mut_slice(), bytes);
        head.len = bytes.len().min(Self::MAX) as u8;
        head
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use alloy_primitives::keccak256;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Ways to do jobs on this machine: by what is found, and by each kind of unit that it has.
    fn ways() -> Vec<fn(Vec<Job<'_>>) -> Vec<Job<'_>>> {
        let mut ways: Vec<fn(Vec<Job<'_>>) -> Vec<Job<'_>>> = vec![hash_beside];
        #[cfg(target_arch = "x86_64")]
        {
            use pulp::x86::{V3, V4};
            if V3::is_available() {
                ways.push(|jobs| sponge::run(V3::try_new().unwrap(), jobs));
            }
            if V4::is_available() {
                ways.push(|jobs| sponge::run(V4::try_new().unwrap(), jobs));
            }
        }
        ways
    }

    /// Messages of these lengths of head and body, each of other bytes than the next.
    fn bytes(lengths: &[(usize, usize)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let fill =
            |salt: usize, len: usize| (0..len).map(|at| (salt * 31 + at * 7 + at / 251) as u8).collect();
        lengths
            .iter()
            .enumerate()
            .map(|(salt, (head, body))| (fill(salt, *head), fill(salt + 1, *body)))
            .collect()
    }

    fn check(lengths: &[(usize, usize)]) {
        let bytes = bytes(lengths);
        let messages: Vec<_> = bytes.iter().map(|(head, body)| Message::new(Head::of(head), body)).collect();
        let expected: Vec<B256> =
            bytes.iter().map(|(head, body)| keccak256([&head[..], body].concat())).collect();
        assert_eq!(hash_all(&messages), expected);
        for way in ways() {
            let mut hashes = vec![B256::ZERO; messages.len()];
            for (message, hash) in way(messages.iter().zip(&mut hashes).collect()) {
                *hash = message.hash();
            }
            assert_eq!(hashes, expected);
        }
    }

    #[test]
    fn hashes_made_beside_each_other_are_those_made_alone_at_every_length_around_the_rate() {
        check(&(0..=2 * RATE + 2).map(|len| (0, len)).collect::<Vec<_>>());
        check(&(0..=2 * RATE + 2).map(|len| (len % (Head::MAX + 1), len)).collect::<Vec<_>>());
    }

    #[test]
    fn a_message_as_long_as_all_others_together_is_hashed_as_well() {
        for place in [0, 5, 40] {
            let mut lengths = vec![(3, 100); 41];
            lengths[place].1 = 50_000;
            check(&lengths);
        }
    }

    proptest! {
        #[test]
        fn any_messages_have_their_own_hashes(lengths in vec((0..=Head::MAX, 0..1_500_usize), 0..40)) {
            check(&lengths);
        }
    }
}
