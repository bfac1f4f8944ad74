//! Many Keccak-256 hashes, made beside each other.
//!
//! One hash is a chain of rounds that wait for each other and leaves most of a core idle. The vector units of a
//! processor carry four (AVX2) or eight (AVX-512) such chains at once, in less than twice the time of one: verifying
//! and storing a busy block costs little more than half so. Which units there are is seen at run time; without any,
//! and where too little is to be done, hashes are made one after the other by `alloy-primitives`' assembler.

mod message;
#[cfg(target_arch = "x86_64")]
mod permutation;
#[cfg(target_arch = "x86_64")]
mod sponge;

use alloy_primitives::B256;

use message::Job;

pub(crate) use message::{Head, Message};

/// A message that is more than one part in so many of all the work is made alone: beside the few others it would keep
/// one lane busy, and a permutation of all lanes takes nearly twice as long as the assembler's of one.
const SHARE_MAX: usize = 2;

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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use alloy_primitives::keccak256;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::message::RATE;
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
