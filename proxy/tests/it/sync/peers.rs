//! Peers as the only source: sync goes on whatever some of them do.

use std::sync::Arc;

use hypasis_chain::BlockId;
use hypasis_upstream::peer::PeerSource;

use super::rig::{Setup, assert_holds, chain};
use crate::p2p::players::{Manner, Player, attach, strangers};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_lies_and_one_who_stalls_do_not_keep_the_others_from_filling() {
    let chain = chain(1_500, 4);
    let head = chain.head();
    let liar = Player::new(1, &chain, Manner::Lies);
    let forger = Player::new(2, &chain, Manner::Forges);
    let stalling = Player::new(3, &chain, Manner::Stalls);
    let bare = Player::new(4, &chain, Manner::Bare);
    let sound = Player::new(5, &chain, Manner::Sound);
    let pool = strangers(&[&liar, &forger, &stalling, &bare, &sound], head).await;
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().checkpoint(head).start_with(folder.path(), &chain, vec![pool]);
    rig.until_whole(&chain).await;
    assert_holds(&rig.store, &chain, 0..=head.number);
    assert!(!sound.condemned() && !stalling.condemned() && !bare.condemned());
    assert!(stalling.asked() > 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_nobody_has_does_not_hold_up_what_there_is() {
    let (short, long) = (chain(1_500, 2), chain(12_000, 2));
    assert_eq!(short.id_at(1_500), long.id_at(1_500));
    let boaster = Player::new(1, &long, Manner::UpTo(1_500));
    let sound = Player::new(2, &short, Manner::Sound);
    let pool = strangers(&[&boaster, &sound], long.head()).await;
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().checkpoint(short.id_at(100)).start_with(folder.path(), &short, vec![pool]);
    rig.until_whole(&short).await;
    assert_holds(&rig.store, &short, 0..=1_500);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_receipts_and_upstreams_the_highest_body_is_served() {
    let chain = chain(300, 4);
    let head: BlockId = chain.head();
    let bare = Player::new(1, &chain, Manner::Bare);
    let source = Arc::new(PeerSource::new("peer".into()));
    attach(&source, &[&bare], head).await;
    let folder = tempfile::tempdir().unwrap();
    let rig = Setup::new().checkpoint(head).start_with(folder.path(), &chain, vec![source]);
    rig.until("the highest body is served", |rig| rig.served.now().latest == Some(head)).await;
    assert!(!rig.served.now().local);
    rig.stop().await;
}
