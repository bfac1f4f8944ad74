//! What comes to an open port: scanners, floods, bombs, silence, crowds. Sound peers notice nothing of it.

use std::io::Write;
use std::net::TcpStream as Stream;
use std::time::Duration;

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_tests::appliance::Appliance;
use hypasis_tests::bench::memory::resident;
use hypasis_tests::geth::Release;
use hypasis_tests::many::room_for;
use hypasis_tests::peer::{Ask, Peer};
use hypasis_tests::transaction::{Account, Legacy};
use hypasis_wire::eth::{
    EthMessage, EthMessageID, EthVersion, GetPooledTransactions, RequestPair, Transactions,
};
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Peers of the crowd.
const PEERS: usize = 500;
/// Connections that never say anything.
const SILENT: usize = 10_000;
/// Peers that begin a message and never finish it, bytes of it that each sends, and what all may hold together.
const BEGINNERS: usize = 40;
const BEGUN_BYTES: usize = 9 << 20;
const BEGUN_BYTES_ALL: usize = 256 << 20;
/// What a crowd may cost beside the store's own budget.
const CROWD_BYTES_MAX: u64 = 256 << 20;

#[test]
fn a_crowd_of_peers_is_served_while_ten_thousand_strangers_hold_the_door() {
    room_for(SILENT + PEERS);
    let Some((_dir, appliance)) = served() else { return };
    let enode = appliance.node().0;
    let before = resident(appliance.pid()).expect("it runs");
    Runtime::new().unwrap().block_on(async {
        // Whoever is silent first is at the door when the peers come.
        let strangers: Vec<_> =
            (0..SILENT).map(|_| Stream::connect(appliance.p2p).expect("a stranger connects")).collect();
        let (seated, mut all_seated) = mpsc::channel(PEERS);
        let (ask, asked) = watch::channel(false);
        let mut crowd = JoinSet::new();
        for index in 0..PEERS {
            crowd.spawn(member(enode.clone(), index, seated.clone(), asked.clone()));
        }
        for _ in 0..PEERS {
            all_seated.recv().await.expect("a member was seated");
        }
        ask.send_replace(true);
        crowd.join_all().await;
        let after = resident(appliance.pid()).expect("it still runs");
        let grown = after.saturating_sub(before);
        println!("{} MiB more for {PEERS} peers that ask and {SILENT} silent connections", grown >> 20);
        assert!(grown < CROWD_BYTES_MAX, "it grew by {grown} bytes");
        drop(strangers);
    });
}

/// Takes a seat, stays alive until all are told to ask, and asks.
async fn member(enode: String, index: usize, seated: mpsc::Sender<()>, mut asked: watch::Receiver<bool>) {
    let peer = Peer::connect(&enode, EthVersion::Eth69).await;
    let mut peer = peer.unwrap_or_else(|why| panic!("peer {index}: {why}"));
    seated.send(()).await.expect("the test goes on");
    loop {
        tokio::select! {
            _ = asked.wait_for(|asked| *asked) => break,
            told = peer.receive() => drop(told.unwrap_or_else(|why| panic!("peer {index}: {why}"))),
        }
    }
    let headers = peer.ask(&Ask::Headers(index as u64 % 500, 32)).await;
    assert_eq!(headers.unwrap_or_else(|why| panic!("peer {index}: {why}")).len(), 32);
}

#[test]
fn port_scanners_and_wrong_clients_are_cut_off_and_cost_sound_peers_nothing() {
    let Some((_dir, appliance)) = served() else { return };
    let enode = appliance.node().0;
    let openings: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        &[0; 4_096],
        &[0xff; 4_096],
        &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc],
    ];
    let mut strangers = Vec::new();
    for opening in openings {
        let mut stream = Stream::connect(appliance.p2p).unwrap();
        let _ = stream.write_all(opening);
        strangers.push(stream);
    }
    Runtime::new().unwrap().block_on(asks_and_gets(&enode));
    for mut stream in strangers {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut rest = [0; 64];
        let read = std::io::Read::read(&mut stream, &mut rest);
        assert!(matches!(read, Ok(0) | Err(_)), "a stranger was told something: {read:?}");
        let refused = |error: &std::io::Error| error.kind() != std::io::ErrorKind::WouldBlock;
        assert!(read.as_ref().err().is_none_or(refused), "a stranger was not cut off");
    }
}

#[test]
fn what_no_peer_may_send_costs_the_session_with_the_right_reason() {
    let Some((_dir, appliance)) = served() else { return };
    let enode = appliance.node().0;
    let bad: [(u8, Bytes, &str); 4] = [
        (EthMessageID::GetBlockHeaders.into(), Bytes::from_static(&[0xf8]), "breach of protocol"),
        (EthMessageID::Status.into(), Bytes::from_static(&[0xc0]), "breach of protocol"),
        (
            EthMessageID::BlockRangeUpdate.into(),
            Bytes::from_static(&[0xc3, 0x09, 0x08, 0x80]),
            "breach of protocol",
        ),
        (0x0c, Bytes::from_static(&[0xc0]), "breach of protocol"),
    ];
    Runtime::new().unwrap().block_on(async {
        for (id, payload, reason) in bad {
            let mut peer = Peer::connect(&enode, EthVersion::Eth69).await.unwrap();
            peer.send_raw(id, payload).await.unwrap();
            let told = loop {
                if let Err(told) = peer.receive().await {
                    break told;
                }
            };
            assert!(told.contains(reason), "message {id:#x}: {told}");
            asks_and_gets(&enode).await;
        }
    });
}

#[test]
fn a_flood_of_requests_slows_down_its_sender_alone() {
    let Some((_dir, appliance)) = served() else { return };
    let enode = appliance.node().0;
    let before = resident(appliance.pid()).expect("it runs");
    Runtime::new().unwrap().block_on(async {
        let mut flood = Peer::connect(&enode, EthVersion::Eth69).await.unwrap();
        // Each answer is some 300 kB that nobody reads: after a few the node must stop working for this peer.
        let sending = async {
            loop {
                if flood.request(&Ask::Headers(0, 600)).await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), sending).await;
        let grown = resident(appliance.pid()).expect("it runs").saturating_sub(before);
        assert!(grown < CROWD_BYTES_MAX, "it grew by {grown} bytes");
        asks_and_gets(&enode).await;
    });
}

#[test]
fn a_flood_of_questions_for_transactions_slows_down_its_sender_alone() {
    let Some((_dir, appliance)) = served() else { return };
    let enode = appliance.node().0;
    let before = resident(appliance.pid()).expect("it runs");
    Runtime::new().unwrap().block_on(async {
        let mut flood = Peer::connect(&enode, EthVersion::Eth69).await.unwrap();
        let hashes = fill_the_pool(&mut flood).await;
        let mut id = 0;
        let sending = async {
            loop {
                // Each answer is some 2 MB that nobody reads.
                id += 1;
                let question = RequestPair::new(id, GetPooledTransactions(hashes.clone()));
                if flood.send(&EthMessage::GetPooledTransactions(question)).await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), sending).await;
        let grown = resident(appliance.pid()).expect("it runs").saturating_sub(before);
        assert!(id > 64, "only {id} questions were taken");
        assert!(grown < CROWD_BYTES_MAX, "it grew by {grown} bytes for {id} questions");
        asks_and_gets(&enode).await;
    });
}

#[test]
fn messages_that_are_begun_and_never_finished_have_a_bound_over_all_peers() {
    let Some((_dir, appliance)) = served() else { return };
    let enode = appliance.node().0;
    let before = resident(appliance.pid()).expect("it runs");
    // Nothing in it repeats, so that it is as long on the wire.
    let hashes = (0_u64..).map(|seed| keccak256(seed.to_be_bytes()));
    let message: Bytes = hashes.take(BEGUN_BYTES / 32 + 1_000).flat_map(|hash| hash.0).collect();
    Runtime::new().unwrap().block_on(async {
        let mut beginners = JoinSet::new();
        for _ in 0..BEGINNERS {
            let mut peer = Peer::connect(&enode, EthVersion::Eth69).await.unwrap();
            let begun = peer.begin(EthMessageID::Transactions.into(), message.clone(), BEGUN_BYTES).await;
            beginners.spawn(async move {
                // Who is sent away in the middle of it may see the connection end before it reads why.
                match begun {
                    Ok(()) => sent_away(peer).await,
                    Err(broken) => broken.to_string(),
                }
            });
        }
        let grown = resident(appliance.pid()).expect("it runs").saturating_sub(before);
        println!("{} MiB more for {BEGINNERS} beginners", grown >> 20);
        assert!(grown < BEGUN_BYTES_ALL as u64 * 5 / 4, "it grew by {grown} bytes");
        // There is room for the others until they were silent for too long.
        for _ in BEGUN_BYTES_ALL / BEGUN_BYTES..BEGINNERS {
            beginners.join_next().await.unwrap().unwrap();
        }
        asks_and_gets(&enode).await;
    });
}

async fn sent_away(mut peer: Peer) -> String {
    loop {
        if let Err(why) = peer.receive().await {
            return why;
        }
    }
}

/// Sends transactions of 128 kB each, until one peer can ask for 2 MB; waits until they can be had.
async fn fill_the_pool(peer: &mut Peer) -> Vec<B256> {
    let account = Account::poor();
    let large = |nonce| {
        let input = vec![0; 120_000];
        Legacy { chain_id: None, nonce, gas_price: 1_000_000_000, gas: 2_000_000, input }.sign(&account)
    };
    let transactions: Vec<_> = (0..20).map(large).collect();
    let hashes: Vec<_> = transactions.iter().map(keccak256).collect();
    peer.send(&EthMessage::Transactions(Transactions(transactions))).await.unwrap();
    loop {
        let question = RequestPair::new(0, GetPooledTransactions(hashes.clone()));
        peer.send(&EthMessage::GetPooledTransactions(question)).await.unwrap();
        loop {
            if let EthMessage::PooledTransactions(answer) = peer.receive().await.unwrap() {
                if answer.message.0.iter().map(Bytes::len).sum::<usize>() > 2_000_000 {
                    return hashes;
                }
                break;
            }
        }
    }
}

async fn asks_and_gets(enode: &str) {
    let mut peer = Peer::connect(enode, EthVersion::Eth70).await.unwrap();
    assert_eq!(peer.ask(&Ask::Headers(1, 100)).await.unwrap().len(), 100);
}

fn served() -> Option<(TempDir, Appliance)> {
    let dir = tempdir().unwrap();
    let appliance =
        super::filled(dir.path(), Release::Newest, "[p2p]\nmax_peers = 1000\nmax_per_ip = 12000\n")?;
    Some((dir, appliance))
}
