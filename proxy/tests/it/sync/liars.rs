//! What a source lies about never reaches the store.

use std::sync::Arc;

use hypasis_chain::dev::{Corruption, corrupt};

use super::rig::{Puppet, Setup, assert_holds, chain};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_reaches_the_store_and_each_is_named_and_fetched_elsewhere() {
    let chain = chain(64, 12);
    let mut told = 0;
    for lie in Corruption::all() {
        if (1..=64).all(|number| corrupt(&chain.block(number), lie).is_none()) {
            continue;
        }
        told += 1;
        let liar = Arc::new(Puppet::new("liar", &chain).lying(lie));
        let honest = Arc::new(Puppet::new("honest", &chain));
        let head = chain.head();
        for source in [&liar, &honest] {
            source.claim(Some(head), Some(head));
        }
        let folder = tempfile::tempdir().unwrap();
        let rig = Setup::new().checkpoint(head).start(folder.path(), &chain, &[&liar, &honest]);
        rig.until_whole(&chain).await;
        assert_holds(&rig.store, &chain, 0..=64);
        assert!(!liar.blamed().is_empty(), "{lie:?} was told and not named");
        assert!(honest.blamed().is_empty(), "{lie:?}");
        assert!(honest.given() > 0, "{lie:?} was not fetched elsewhere");
        rig.stop().await;
    }
    assert!(told > 40, "only {told} lies were told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lie_at_the_tip_is_caught_and_the_others_lead_on() {
    let chain = chain(100, 12);
    for lie in [Corruption::TransactionMissing, Corruption::LogTopic, Corruption::ReceiptField(1)] {
        let liar = Arc::new(Puppet::new("liar", &chain).lying(lie));
        let honest = Arc::new(Puppet::new("honest", &chain));
        let folder = tempfile::tempdir().unwrap();
        honest.announce(Some(80));
        let rig = Setup::new().checkpoint(chain.id_at(80)).start(folder.path(), &chain, &[&liar, &honest]);
        rig.until_whole(&chain).await;
        let head = chain.advance(1);
        liar.announce(None);
        rig.until("the liar is named", |_| !liar.blamed().is_empty()).await;
        honest.announce(Some(80));
        rig.until("the honest one leads", |rig| rig.served.now().latest == Some(head)).await;
        assert_holds(&rig.store, &chain, 0..=head.number);
        rig.stop().await;
    }
}
