//! Reorgs switch at once or are refused loudly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hypasis_cache::{Kind, Store};
use hypasis_chain::{Body, Header};

use super::rig::{Puppet, Setup, assert_holds, chain};

/// One view never disagrees with itself: number, hash, parent links and transactions tell of one branch.
fn assert_agrees(store: &Store) {
    let view = store.view();
    let Some(head) = view.head() else { return };
    let mut expected = head.hash;
    for number in (head.number.saturating_sub(80)..=head.number).rev() {
        let block = view.by_number(number).unwrap().unwrap();
        assert_eq!(block.id.hash, expected, "parent link at {number} below {head:?}");
        let by_hash = view.by_hash(&expected).unwrap().unwrap();
        assert_eq!((by_hash.id, by_hash.canonical), (block.id, true));
        let body = view.body(&block).unwrap().unwrap();
        for transaction in Body::parse(&body).unwrap().transactions() {
            let (place, _) = view.transaction(&transaction.unwrap().hash()).unwrap().unwrap();
            assert!(place.canonical);
            assert_eq!(view.by_number(place.id.number).unwrap().unwrap().id, place.id);
        }
        expected = Header::parse(&view.header(&block).unwrap().unwrap()).unwrap().parent_hash();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_depth_inside_the_window_switches_and_no_lookup_disagrees() {
    let chain = chain(400, 3);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(300));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    let (stop, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (store, ending, count) = (rig.store.clone(), stop.clone(), looks.clone());
    let watcher = tokio::task::spawn_blocking(move || {
        while !ending.load(Ordering::Relaxed) {
            assert_agrees(&store);
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    for depth in (1..=64).step_by(3).chain([64]) {
        let old = chain.head();
        // Every third new branch is shorter than the old one, as when a node was set back.
        let head = chain.reorg(depth, if depth % 3 == 0 { depth } else { depth + 1 });
        node.announce(Some(300));
        rig.until("reorg", |rig| rig.served.now().latest == Some(head)).await;
        let view = rig.store.view();
        assert!(
            view.by_hash(&old.hash).unwrap().is_none_or(|block| !block.canonical),
            "the old head is no longer canonical"
        );
        assert_holds(&rig.store, &chain, head.number - depth.min(head.number - 1)..=head.number);
    }
    stop.store(true, Ordering::Relaxed);
    watcher.await.unwrap();
    assert!(looks.load(Ordering::Relaxed) > 10);
    assert_eq!(rig.sync.status().halted, None);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_leaves_the_settled_history_is_refused_and_the_old_head_goes_on() {
    let chain = chain(400, 1);
    let node = Arc::new(Puppet::new("node", &chain));
    let settled = chain.id_at(300);
    node.claim(Some(chain.head()), Some(settled));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    let old = chain.head();
    let head = chain.reorg(150, 151);
    node.claim(Some(head), Some(settled));
    rig.until("refusal", |rig| rig.sync.status().halted.is_some_and(|why| why.contains("refused"))).await;
    assert_eq!(rig.served.now().latest, Some(old));
    assert_eq!(rig.store.view().by_number(old.number).unwrap().unwrap().id, old);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_takes_back_what_was_final_is_refused() {
    let chain = chain(400, 1);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(300));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    node.announce(Some(380));
    let old = chain.head();
    rig.until("finality", |rig| rig.store.view().finalized() == Some(chain.id_at(380))).await;
    let head = chain.reorg(40, 41);
    node.claim(Some(head), None);
    rig.until("refusal", |rig| rig.sync.status().halted.is_some_and(|why| why.contains("which was final")))
        .await;
    assert_eq!(rig.served.now().latest, Some(old));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contradicting_heads_wait_until_sources_agree() {
    let (left, right) = (chain(200, 1), chain(200, 1));
    let (a, b) = (Arc::new(Puppet::new("a", &left)), Arc::new(Puppet::new("b", &right)));
    a.announce(Some(150));
    b.announce(Some(150));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().start(folder.path(), &left, &[&a, &b]);
    rig.until_whole(&left).await;
    // Different branches from 201 on: one mints on, the other replaces its last two blocks first.
    right.reorg(2, 4);
    let fork = right.head();
    left.advance(2);
    b.announce(Some(150));
    a.announce(Some(150));
    rig.until("contradiction", |rig| {
        let view = rig.store.view();
        let both = [left.head(), fork].iter().all(|id| view.by_hash(&id.hash).unwrap().is_some());
        both && rig.sync.status().halted.is_some_and(|why| why.contains("contradict"))
    })
    .await;
    let held = rig.store.view();
    assert!(
        held.by_number(fork.number).unwrap().is_none_or(|block| block.id != fork),
        "not canonical while contested"
    );
    // One changes its mind: the branch becomes canonical in one step.
    a.claim(Some(fork), Some(left.id_at(150)));
    rig.until("agreement", |rig| rig.served.now().latest == Some(fork)).await;
    assert_holds(&rig.store, &right, 190..=fork.number);
    rig.until("no halt", |rig| rig.sync.status().halted.is_none()).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_served_head_is_held_and_never_goes_back_without_a_reorg() {
    let chain = chain(3_000, 1);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(2_950));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().checkpoint(chain.id_at(100)).start(folder.path(), &chain, &[&node]);
    let (store, mut changes) = (rig.store.clone(), rig.served.subscribe());
    let watcher = tokio::spawn(async move {
        let mut seen: Vec<u64> = Vec::new();
        while changes.changed().await.is_ok() {
            let served = *changes.borrow_and_update();
            let Some(latest) = served.latest else { continue };
            assert!(seen.last().is_none_or(|last| *last <= latest.number), "{seen:?} then {latest:?}");
            if served.local {
                let view = store.view();
                for kind in [Kind::Header, Kind::Body, Kind::Receipts] {
                    assert!(view.covers(kind, latest.number), "{kind:?} of {latest:?}");
                }
            }
            seen.push(latest.number);
            if latest.number == 3_040 && served.local {
                return seen;
            }
        }
        seen
    });
    for _ in 0..40 {
        chain.advance(1);
        node.announce(Some(2_950));
        let head = chain.head();
        rig.until("next block", |rig| rig.served.now().latest == Some(head)).await;
    }
    rig.until_whole(&chain).await;
    let seen = watcher.await.unwrap();
    assert_eq!(seen.last(), Some(&3_040));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_long_stop_what_lies_between_becomes_history() {
    let chain = chain(2_000, 1);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(1_900));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    rig.stop().await;
    // While it was away the head was replaced and the chain grew far beyond the window's reach.
    chain.reorg(5, 5);
    chain.advance(9_000);
    node.announce(Some(10_900));
    let rig = Setup::new().start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    assert_holds(&rig.store, &chain, 0..=chain.head().number);
    rig.stop().await;
}
