//! Where trust starts, and what a restart makes of it.

use alloy_primitives::B256;
use hypasis_chain::BlockId;
use hypasis_proxy::config::CheckpointSource;
use hypasis_proxy::sync::checkpoint::{Checkpoint, Start, start};

fn id(number: u64, hash: u8) -> BlockId {
    BlockId { number, hash: B256::with_last_byte(hash) }
}

fn persisted(id: BlockId) -> Checkpoint {
    Checkpoint { id, source: CheckpointSource::Upstream, named_by: vec!["a".into()], trusted_at: 1 }
}

#[test]
fn a_new_store_without_a_static_checkpoint_asks_the_sources() {
    assert_eq!(start(None, None, |_| None, 5), Start::Ask);
}

#[test]
fn a_restart_uses_what_was_trusted_first() {
    let first = persisted(id(100, 1));
    assert_eq!(start(None, Some(first.clone()), |_| None, 5), Start::Use(first, false));
}

#[test]
fn a_static_one_is_taken_and_persisted() {
    let expected = Checkpoint {
        source: CheckpointSource::Static,
        named_by: vec![],
        trusted_at: 5,
        ..persisted(id(9, 9))
    };
    assert_eq!(start(Some(id(9, 9)), None, |_| None, 5), Start::Use(expected, true));
}

#[test]
fn a_static_one_that_contradicts_the_store_is_refused_and_says_so() {
    let Start::Refuse(reason) = start(Some(id(9, 9)), None, |_| Some(B256::with_last_byte(8)), 5) else {
        panic!()
    };
    assert!(reason.contains("height 9") && reason.contains(&B256::with_last_byte(8).to_string()), "{reason}");
    assert!(matches!(start(Some(id(9, 9)), Some(persisted(id(9, 7))), |_| None, 5), Start::Refuse(_)));
}

#[test]
fn a_persisted_checkpoint_survives_its_own_form() {
    let first = persisted(id(100, 1));
    let bytes = serde_json::to_vec(&first).unwrap();
    assert_eq!(serde_json::from_slice::<Checkpoint>(&bytes).unwrap(), first);
}
