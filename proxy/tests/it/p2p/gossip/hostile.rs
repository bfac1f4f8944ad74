//! Any bytes: a verdict, never a panic, and never something else passed on than what was signed.

use std::sync::LazyLock;

use bytes::Bytes;
use hypasis_chain::transaction::kind;
use proptest::prelude::*;

use super::press::{Draft, PLAIN, hash};
use super::rig::{PRAGUE, Rig};

/// One of each type, with everything in it that a type can have.
static SAMPLES: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let full = |kind| Draft { access: vec![0, 2], input: vec![7; 40], ..Draft::of(kind) };
    let mut samples: Vec<_> = [kind::LEGACY, kind::ACCESS_LIST, kind::DYNAMIC_FEE, kind::SET_CODE]
        .map(|kind| full(kind).sign(1))
        .into();
    // The blobs' own bytes are left out of what is changed: proofs are verified only for what is whole.
    samples.push(PLAIN.bare(1, 0));
    samples
});

fn judge(message: Vec<Bytes>, asked: bool) -> Vec<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let rig = Rig::at(PRAGUE);
        let one = rig.peer(1);
        let hashes: Vec<_> = message.iter().map(|raw| hash(raw)).collect();
        let _ = if asked { one.answers(&message).await } else { one.sends(&message).await };
        rig.gossip.pooled(&hashes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_get_a_verdict(
        raw in prop::collection::vec(any::<u8>(), 0..200),
        first in 0..6_u8,
        asked: bool,
    ) {
        let mut typed = vec![first];
        typed.extend_from_slice(&raw);
        prop_assert!(judge(vec![raw.into()], asked).is_empty());
        prop_assert!(judge(vec![typed.into()], asked).is_empty());
    }

    #[test]
    fn a_changed_transaction_is_not_taken_for_the_one_that_was_signed(
        sample in 0..5_usize,
        at: prop::sample::Index,
        byte: u8,
        cut: bool,
        asked: bool,
    ) {
        let sample = &SAMPLES[sample];
        let mut changed = sample.to_vec();
        let at = at.index(changed.len());
        if cut {
            changed.truncate(at);
        } else {
            changed[at] = byte;
        }
        let changed = Bytes::from(changed);
        for held in judge(vec![changed.clone()], asked) {
            // Some changes give a valid transaction of somebody else.
            prop_assert_eq!(&held, &changed);
        }
    }

    #[test]
    fn a_changed_wrapper_of_blobs_is_not_taken(at: prop::sample::Index, byte: u8, tail: bool) {
        let bare = PLAIN.bare(1, 0);
        let whole = PLAIN.wrap(&bare);
        // Beside the blobs: the first bytes, or the commitments and proofs behind.
        let (start, len) = if tail { (whole.len() - 210, 210) } else { (0, bare.len() + 16) };
        let mut changed = whole.to_vec();
        changed[start + at.index(len)] = byte;
        prop_assume!(changed != whole);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::at(PRAGUE);
            let _ = rig.peer(1).answers(&[changed.into()]).await;
            assert!(rig.gossip.pooled(&[hash(&bare)]).is_empty());
        });
    }
}
