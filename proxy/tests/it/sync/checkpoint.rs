//! Where trust starts, and what a restart makes of it.

use alloy_primitives::{B256, U256};
use hypasis_chain::BlockId;
use hypasis_proxy::config::CheckpointSource;
use hypasis_proxy::sync::checkpoint::record::{PENDING_MAX, Record};
use hypasis_proxy::sync::checkpoint::{Checkpoint, Proof, Start, start};
use hypasis_upstream::checkpoint::L1Checkpoint;
use hypasis_upstream::checkpoint::l1::News;

fn id(number: u64, hash: u8) -> BlockId {
    BlockId { number, hash: B256::with_last_byte(hash) }
}

fn named(id: BlockId) -> Checkpoint {
    Checkpoint {
        id,
        source: CheckpointSource::Static,
        named_by: Vec::new(),
        trusted_at: 5,
        total_difficulty: None,
        proof: None,
    }
}

fn persisted(id: BlockId) -> Checkpoint {
    Checkpoint { source: CheckpointSource::Upstream, named_by: vec!["a".into()], trusted_at: 1, ..named(id) }
}

fn on_l1(header_block: u64, start: u64, end: u64) -> L1Checkpoint {
    L1Checkpoint {
        header_block,
        start,
        end,
        root: B256::with_last_byte(9),
        l1_block: id(header_block / 100, 3),
        endpoints: vec!["l1-1".into(), "l1-2".into()],
    }
}

fn news(checkpoints: Vec<L1Checkpoint>, l1_block: u64, complete: bool) -> News {
    News { checkpoints, l1_block: id(l1_block, 4), complete }
}

#[test]
fn a_new_store_without_a_named_checkpoint_asks() {
    assert_eq!(start(None, None, |_| None), Start::Ask);
}

#[test]
fn a_restart_uses_what_was_trusted_first() {
    let first = persisted(id(100, 1));
    assert_eq!(start(None, Some(first.clone()), |_| None), Start::Use(first.into(), false));
}

#[test]
fn a_named_one_is_taken_and_persisted() {
    assert_eq!(start(Some(named(id(9, 9))), None, |_| None), Start::Use(named(id(9, 9)).into(), true));
}

#[test]
fn the_same_block_named_by_somebody_else_keeps_its_age_and_what_was_told_of_it() {
    let total = Some(U256::from(77));
    let before = Checkpoint { total_difficulty: total, ..persisted(id(9, 9)) };
    let after = Checkpoint { total_difficulty: total, trusted_at: 1, ..named(id(9, 9)) };
    let Start::Use(used, write) = start(Some(named(id(9, 9))), Some(before), |_| None) else { panic!() };
    assert_eq!((*used, write), (after.clone(), true));
    // Named once more in the same way, nothing changes.
    assert_eq!(start(Some(named(id(9, 9))), Some(after.clone()), |_| None), Start::Use(after.into(), false));
}

#[test]
fn a_named_one_that_contradicts_the_store_is_refused_and_says_so() {
    let Start::Refuse(reason) = start(Some(named(id(9, 9))), None, |_| Some(B256::with_last_byte(8))) else {
        panic!()
    };
    assert!(reason.contains("height 9") && reason.contains(&B256::with_last_byte(8).to_string()), "{reason}");
    assert!(matches!(start(Some(named(id(9, 9))), Some(persisted(id(9, 7))), |_| None), Start::Refuse(_)));
}

#[test]
fn a_persisted_checkpoint_survives_its_own_form_with_any_proof() {
    let proofs = [
        None,
        Some(Proof::EthereumL1 {
            root_chain: B256::with_last_byte(3).0[12..].try_into().unwrap(),
            checkpoint: on_l1(10_000, 1, 64),
        }),
        Some(Proof::Signed { signers: vec![Default::default()], threshold: 1, timestamp: 7 }),
    ];
    for proof in proofs {
        let total_difficulty = Some(U256::from(1) << 80);
        let first = Checkpoint { proof, total_difficulty, ..persisted(id(100, 1)) };
        let bytes = serde_json::to_vec(&first).unwrap();
        assert_eq!(serde_json::from_slice::<Checkpoint>(&bytes).unwrap(), first);
    }
}

#[test]
fn a_record_of_an_earlier_version_is_read() {
    let hash = B256::with_last_byte(1);
    let text =
        format!(r#"{{"number":100,"hash":"{hash}","source":"upstream","named_by":["a"],"trusted_at":1}}"#);
    assert_eq!(serde_json::from_str::<Checkpoint>(&text).unwrap(), persisted(id(100, 1)));
}

#[test]
fn what_l1_tells_is_pending_until_it_is_covered_in_any_order_and_survives_its_own_form() {
    let mut record = Record::begin(&on_l1(10_000, 1, 64));
    assert_eq!((record.covered.clone(), record.seen), (vec![(1, 64)], 100));
    assert!(!record.learn(news(vec![], 120, true)), "a look without news needs no write");
    assert_eq!(record.seen, 120);
    assert!(record.learn(news(vec![on_l1(20_000, 65, 128), on_l1(30_000, 129, 130)], 150, false)));
    assert_eq!(
        (record.seen, record.latest.header_block),
        (120, 30_000),
        "more is to come of those L1 blocks"
    );
    record.learn(news(vec![on_l1(40_000, 131, 140)], 150, true));
    assert_eq!((record.seen, record.pending.len()), (150, 3));
    record.cover(30_000);
    assert_eq!(record.covered, [(1, 64), (129, 130)]);
    record.cover(30_000);
    record.cover(99_000);
    record.cover(20_000);
    assert_eq!((record.covered.clone(), record.pending.len()), (vec![(1, 130)], 1));
    let bytes = serde_json::to_vec(&record).unwrap();
    assert_eq!(serde_json::from_slice::<Record>(&bytes).unwrap(), record);
}

#[test]
fn no_more_is_asked_for_than_there_is_room() {
    let mut record = Record::begin(&on_l1(10_000, 0, 0));
    let all = (0..PENDING_MAX as u64).map(|n| on_l1(20_000 + 10_000 * n, n + 1, n + 1));
    assert!(record.has_room());
    record.learn(news(all.collect(), 150, true));
    assert!(!record.has_room());
    record.cover(20_000);
    assert!(record.has_room());
}
