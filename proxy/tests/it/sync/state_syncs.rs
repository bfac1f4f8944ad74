//! State syncs beside blocks: taken with the blocks, filled later, and not believed against contradiction.

use std::sync::Arc;

use bytes::Bytes;
use hypasis_cache::{Kind, Store};
use hypasis_chain::bor::state_sync::{NONE, derived_hash};
use hypasis_chain::dev::DevChain;

use super::rig::{Puppet, Rig, Setup, assert_holds, chain};

const LAST: u64 = 900;
const FINAL: u64 = 850;

/// `[0, 1, 0, []]`
const STATE_SYNC: [u8; 5] = [0xc4, 0x80, 0x01, 0x80, 0xc0];

/// Every third block has one.
fn truth(number: u64) -> Option<Bytes> {
    Some(Bytes::from_static(if number.is_multiple_of(3) { &STATE_SYNC } else { NONE })).filter(|_| number > 0)
}

/// What somebody says who drops those of the hundreds.
fn dropped(number: u64) -> Option<Bytes> {
    truth(number).map(|extra| if number.is_multiple_of(100) { Bytes::from_static(NONE) } else { extra })
}

/// What somebody says who makes one up.
fn malformed(number: u64) -> Option<Bytes> {
    truth(number)
        .map(|extra| if number == 300 { Bytes::from_static(&[0xc3, 0x80, 0x01, 0x80]) } else { extra })
}

fn silent(_: u64) -> Option<Bytes> {
    None
}

fn puppet(id: &str, chain: &Arc<DevChain>, beside: fn(u64) -> Option<Bytes>) -> Puppet {
    Puppet::new(id, chain).telling(beside)
}

/// Asserts that what stands beside the blocks up to `last` is held as it is, but for those that `unknown` names.
fn assert_beside(store: &Store, chain: &DevChain, last: u64, unknown: impl Fn(u64) -> bool) {
    let view = store.view();
    for number in 1..=last {
        let block = view.by_number(number).unwrap().unwrap();
        let gas = hypasis_chain::Header::parse(&chain.block(number).header).unwrap().gas_used();
        let extra = view.extra(&block).unwrap();
        let hash = derived_hash(number, block.id.hash);
        let found = view.transaction(&hash).unwrap().map(|(block, _)| block.id.number);
        if unknown(number) {
            assert_eq!((extra, found), (None, None), "block {number}");
            continue;
        }
        let there = number.is_multiple_of(3);
        assert_eq!(found, there.then_some(number), "block {number}");
        let extra = extra.unwrap_or_else(|| panic!("nothing is known beside block {number}"));
        match there {
            true => assert_eq!(hypasis_chain::receipt::Receipt::parse(&extra).unwrap().cumulative_gas(), gas),
            false => assert_eq!(extra.as_ref(), NONE),
        }
    }
}

/// Waits for history: difficulty decides what stands above it on Polygon, and the development chain has none.
async fn until_held(rig: &Rig) {
    rig.until("history", |rig| rig.store.view().ranges(Kind::Receipts).contains_all(&(0..=FINAL))).await;
}

async fn until_told(rig: &Rig, last: u64) {
    rig.until("all is told", |rig| rig.store.view().ranges(Kind::Extra).contains_all(&(1..=last))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_come_with_the_blocks() {
    let chain = chain(LAST, 2);
    let node = Arc::new(puppet("node", &chain, truth));
    node.announce(Some(FINAL));
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new().polygon().checkpoint(chain.id_at(FINAL));
    let rig = setup.start(folder.path(), &chain, &[&node]);
    until_held(&rig).await;
    let given = node.given();
    assert_holds(&rig.store, &chain, 0..=FINAL);
    assert_beside(&rig.store, &chain, FINAL, |_| false);
    // The window above has come with the same: one range to the head.
    let head = Some(chain.id_at(LAST));
    rig.until("head", |rig| rig.served.now().local && rig.served.now().latest == head).await;
    assert_eq!(rig.store.view().ranges(Kind::Extra).iter().collect::<Vec<_>>(), vec![0..=LAST]);
    assert!(given < 2 * LAST, "nothing is fetched twice: {given}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_told_is_a_gap_that_another_source_fills_later() {
    let chain = chain(LAST, 2);
    let quiet = Arc::new(puppet("quiet", &chain, silent));
    quiet.announce(Some(FINAL));
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new().polygon().checkpoint(chain.id_at(FINAL));
    let rig = setup.start(folder.path(), &chain, &[&quiet]);
    until_held(&rig).await;
    assert_holds(&rig.store, &chain, 0..=FINAL);
    assert_beside(&rig.store, &chain, FINAL, |_| true);
    rig.stop().await;
    let telling = Arc::new(puppet("telling", &chain, truth));
    telling.announce(Some(LAST));
    let rig = setup.start(folder.path(), &chain, &[&quiet, &telling]);
    until_told(&rig, FINAL).await;
    assert_beside(&rig.store, &chain, FINAL, |_| false);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_what_has_not_their_form_is_blamed_and_its_block_is_fetched_elsewhere() {
    let chain = chain(LAST, 2);
    let liar = Arc::new(puppet("liar", &chain, malformed).preferred());
    let honest = Arc::new(puppet("honest", &chain, truth));
    liar.announce(Some(FINAL));
    honest.announce(Some(FINAL));
    let folder = tempfile::tempdir().unwrap();
    let rig =
        Setup::new().polygon().checkpoint(chain.id_at(FINAL)).start(folder.path(), &chain, &[&liar, &honest]);
    until_held(&rig).await;
    assert_beside(&rig.store, &chain, FINAL, |_| false);
    let blamed = liar.blamed();
    assert!(blamed.iter().any(|(number, fault)| *number == 300 && fault.field() == "extra"), "{blamed:?}");
    assert_eq!(honest.blamed(), vec![]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_named_sources_that_disagree_are_both_not_believed() {
    let chain = chain(LAST, 2);
    let quiet = Arc::new(puppet("quiet", &chain, silent).preferred());
    quiet.announce(Some(FINAL));
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new().polygon().checkpoint(chain.id_at(FINAL));
    let rig = setup.start(folder.path(), &chain, &[&quiet]);
    until_held(&rig).await;
    rig.stop().await;
    let (one, other) = (puppet("one", &chain, truth), puppet("other", &chain, dropped));
    let (one, other) = (Arc::new(one), Arc::new(other));
    one.announce(Some(FINAL));
    other.announce(Some(FINAL));
    let rig = setup.start(folder.path(), &chain, &[&one, &other]);
    // In doubt are those of which one says that there is one and the other that there is none.
    let doubted = |number: u64| number > 0 && number.is_multiple_of(300);
    rig.until("all but what is in doubt", |rig| {
        let view = rig.store.view();
        (1..=FINAL).all(|number| doubted(number) || view.covers(Kind::Extra, number))
    })
    .await;
    assert_beside(&rig.store, &chain, FINAL, doubted);
    assert_eq!((one.blamed(), other.blamed()), (vec![], vec![]), "nobody is proven to lie");
    rig.stop().await;
}
