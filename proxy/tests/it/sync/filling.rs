//! The store is filled completely, in both directions, after any stop.

use std::sync::Arc;

use hypasis_cache::Kind;
use hypasis_cache::store::SECTION;

use super::rig::{Puppet, Setup, assert_holds, chain, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_fill_completely() {
    let chain = chain(9_000, 2);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(8_900));
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new().checkpoint(chain.id_at(4_000));
    let rig = setup.start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    assert_holds(&rig.store, &chain, 0..=9_000);
    let status = rig.sync.status();
    assert_eq!((status.backward.current, status.forward.current), (0, 9_000));
    assert_eq!((status.backward.blocks, status.forward.blocks), (4_001, 5_000));
    assert_eq!(status.halted, None);
    rig.until("senders", |rig| rig.store.missing_senders().is_empty()).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trust_on_first_use_is_persisted_and_survives_what_sources_say_later() {
    let chain = chain(300, 2);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(200));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    let first = rig.sync.status().checkpoint.unwrap();
    assert_eq!((first["number"].as_u64(), first["named_by"][0].as_str()), (Some(200), Some("node")));
    rig.stop().await;
    node.announce(Some(280));
    let rig = Setup::new().start(folder.path(), &chain, &[&node]);
    rig.until("checkpoint", |rig| rig.sync.status().checkpoint.is_some()).await;
    assert_eq!(rig.sync.status().checkpoint.unwrap(), first);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_checkpoint_that_contradicts_the_store_is_refused() {
    let chain = chain(300, 2);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(200));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    rig.stop().await;
    let mut wrong = chain.id_at(100);
    wrong.hash = chain.id_at(101).hash;
    let rig = Setup::new().checkpoint(wrong).start(folder.path(), &chain, &[&node]);
    rig.until("refusal", |rig| {
        rig.sync.status().halted.is_some_and(|why| why.contains("contradicts the store"))
    })
    .await;
    assert_holds(&rig.store, &chain, 0..=300);
    rig.stop().await;
}

#[test]
fn filling_goes_on_after_a_stop_at_any_moment() {
    let chain = chain(3_000, 2);
    let folder = tempfile::tempdir().unwrap();
    let setup =
        Setup::new().checkpoint(chain.id_at(1_500)).with(|config| config.sync.backward.batch_size = 100);
    for cycle in 0..24_u64 {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let node = Arc::new(Puppet::new("node", &chain));
        node.announce(Some(2_900));
        runtime.block_on(async {
            let rig = setup.start(folder.path(), &chain, &[&node]);
            let mut changes = rig.sync.changes();
            // A few changes of the store later everything is dropped where it stands.
            for _ in 0..(cycle * 7) % 23 {
                let status = rig.sync.status();
                if status.backward.done && status.forward.done {
                    break;
                }
                changes.changed().await.unwrap();
            }
        });
        runtime.shutdown_timeout(std::time::Duration::from_secs(30));
        let store = open(folder.path(), &chain, 8_192);
        for range in store.view().ranges(Kind::Receipts).iter() {
            assert_holds(&store, &chain, range);
        }
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let node = Arc::new(Puppet::new("node", &chain));
        node.announce(Some(2_900));
        let rig = setup.start(folder.path(), &chain, &[&node]);
        rig.until_whole(&chain).await;
        assert_holds(&rig.store, &chain, 0..=3_000);
        rig.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holes_anywhere_in_history_are_found_and_filled() {
    let chain = chain(9_000, 1);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(8_900));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().checkpoint(chain.id_at(4_000)).start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    for hole in [0..=0, 10..=20, 3_990..=4_000, 4_001..=4_100, 8_000..=8_300, 17..=17] {
        rig.store.remove(hole.clone()).unwrap();
        assert!(!rig.store.view().covers(Kind::Body, *hole.start()));
        rig.sync.look_again();
        rig.until("hole filled", |rig| hole.clone().all(|n| rig.store.view().covers(Kind::Receipts, n)))
            .await;
        assert_holds(&rig.store, &chain, hole);
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_together_stay_within_their_byte_budget() {
    let chain = chain(1_500, 60);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(1_450));
    let folder = tempfile::tempdir().unwrap();
    let budget = 1 << 20;
    let setup = Setup::new().checkpoint(chain.id_at(1_450)).with(|config| {
        config.sync.memory.0 = hypasis_proxy::config::Size(budget);
        config.sync.backward.workers = 6;
        config.sync.backward.batch_size = 128;
    });
    let rig = setup.start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    let peak = rig.sync.status().in_flight_bytes_peak;
    assert!(peak > 0 && peak <= budget, "{peak} bytes in flight");
    assert_holds(&rig.store, &chain, 0..=1_500);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_last_blocks_are_kept_if_so_configured() {
    let chain = chain(2 * SECTION + 2_000, 0);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(2 * SECTION + 1_900));
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new().with(|config| config.sync.backward.batch_size = SECTION);
    let rig = setup.start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    rig.stop().await;
    // The head's last blocks reach into the second section: the first goes as a whole, nothing else does.
    let rig = setup.with(|config| config.sync.backward.oldest = -(SECTION as i64) - 2_000 + 100).start(
        folder.path(),
        &chain,
        &[&node],
    );
    rig.until("pruned", |rig| !rig.store.view().covers(Kind::Header, SECTION - 1)).await;
    let held = rig.store.view().ranges(Kind::Body);
    assert_eq!(held.iter().collect::<Vec<_>>(), [SECTION..=2 * SECTION + 2_000]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_kept_where_nobody_has_receipts_and_receipts_follow() {
    let chain = chain(400, 2);
    let archive = Arc::new(Puppet::new("archive", &chain).without_receipts());
    let head = chain.id_at(400);
    archive.claim(Some(head), Some(head));
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new().checkpoint(head);
    let rig = setup.start(folder.path(), &chain, &[&archive]);
    rig.until("bodies", |rig| rig.store.view().ranges(Kind::Body).contains_all(&(0..=400))).await;
    assert!((1..=400).all(|number| !rig.store.view().covers(Kind::Receipts, number)));
    rig.stop().await;
    let node = Arc::new(Puppet::new("node", &chain));
    node.claim(Some(head), Some(head));
    let rig = setup.start(folder.path(), &chain, &[&archive, &node]);
    rig.until("receipts", |rig| rig.store.view().ranges(Kind::Receipts).contains_all(&(0..=400))).await;
    assert_holds(&rig.store, &chain, 0..=400);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_alone_serves_at_once_what_it_holds() {
    let chain = chain(300, 2);
    let node = Arc::new(Puppet::new("node", &chain));
    node.announce(Some(200));
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().start(folder.path(), &chain, &[&node]);
    rig.until_whole(&chain).await;
    rig.until("finality", |rig| rig.served.now().finalized == Some(chain.id_at(200))).await;
    rig.stop().await;
    let rig = Setup::new().start(folder.path(), &chain, &[]);
    let served = rig.served.now();
    assert_eq!((served.latest, served.local, served.upstream), (Some(chain.id_at(300)), true, false));
    assert_eq!((served.finalized, served.safe), (Some(chain.id_at(200)), Some(chain.id_at(200))));
    rig.stop().await;
}
