//! A relay with peers, without sockets.

use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::ChainSpec;
use hypasis_chain::spec::{Activation, Engine, Family, Fork, Forks};
use hypasis_proxy::p2p::gossip::{Accepted, Gossip, Head, Limits, Metrics, Outgoing, Parts, Violation};
use hypasis_proxy::served::{Served, ServedHead};
use hypasis_wire::eth::{GetPooledTransactions, NewPooledTransactionHashes68};
use hypasis_wire::node::PeerId;
use tokio::sync::{Notify, watch};

use super::press::CHAIN_ID;

/// Heights of this chain are its times; every fork has its own height, so that a head chooses the rules.
pub(super) const BERLIN: u64 = 10;
pub(super) const LONDON: u64 = 20;
pub(super) const SHANGHAI: u64 = 30;
pub(super) const CANCUN: u64 = 40;
pub(super) const PRAGUE: u64 = 50;
pub(super) const OSAKA: u64 = 60;
pub(super) const GAS_LIMIT: u64 = 30_000_000;

/// A relay whose head is at `number`, with what it told whom.
pub(super) struct Rig {
    pub(super) gossip: Gossip,
    stop: watch::Sender<bool>,
}

/// A session, as far as the relay sees it.
pub(super) struct Peer {
    gossip: Gossip,
    pub(super) id: PeerId,
    wake: Arc<Notify>,
}

/// Everything that a session would have sent.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) pushed: Vec<Bytes>,
    pub(super) announced: NewPooledTransactionHashes68,
    pub(super) asked: Vec<Vec<B256>>,
}

impl Rig {
    pub(super) fn at(number: u64) -> Self {
        Self::with(number, Limits::default())
    }

    pub(super) fn with(number: u64, limits: Limits) -> Self {
        let rig = Self::new(limits);
        rig.advance(number);
        rig
    }

    pub(super) fn without_head() -> Self {
        Self::new(Limits::default())
    }

    fn new(limits: Limits) -> Self {
        let parts = Parts { spec: Arc::new(spec()), limits, metrics: Metrics::default() };
        Self { gossip: Gossip::new(parts), stop: watch::channel(false).0 }
    }

    pub(super) fn advance(&self, number: u64) {
        self.gossip.advance(Head { number, time: number, gas_limit: GAS_LIMIT });
    }

    /// Runs what wakes sessions and gives up on silent peers.
    pub(super) fn run(&self) {
        let served = ServedHead::new(Served::default());
        tokio::spawn(self.gossip.clone().run(served, crate::support::store(), self.stop.subscribe()));
    }

    pub(super) fn peer(&self, number: u8) -> Peer {
        let id = PeerId::repeat_byte(number);
        Peer { gossip: self.gossip.clone(), id, wake: self.gossip.connected(id) }
    }

    pub(super) fn peers<const N: usize>(&self) -> [Peer; N] {
        std::array::from_fn(|at| self.peer(at as u8 + 1))
    }
}

impl Peer {
    /// Announces transactions truthfully: what is hashed, and what will be sent for it.
    pub(super) fn announces(&self, transactions: &[(B256, &Bytes)]) -> Vec<Vec<B256>> {
        let mut announcement = NewPooledTransactionHashes68::default();
        for (hash, raw) in transactions {
            announcement.hashes.push(*hash);
            announcement.types.push(if raw[0] >= 0xc0 { 0 } else { raw[0] });
            announcement.sizes.push(raw.len() as u32);
        }
        self.announces_as(&announcement)
    }

    pub(super) fn announces_as(&self, announcement: &NewPooledTransactionHashes68) -> Vec<Vec<B256>> {
        hashes(self.gossip.announced(self.id, announcement).unwrap())
    }

    pub(super) async fn sends(&self, transactions: &[Bytes]) -> Result<Accepted, Violation> {
        self.gossip.received(self.id, transactions.to_vec(), false).await
    }

    pub(super) async fn answers(&self, transactions: &[Bytes]) -> Result<Accepted, Violation> {
        self.gossip.received(self.id, transactions.to_vec(), true).await
    }

    /// All that is to be sent now.
    pub(super) fn told(&self) -> Told {
        let mut told = Told::default();
        loop {
            let Outgoing { transactions, announce, requests, more } = self.gossip.for_peer(self.id);
            told.pushed.extend(transactions);
            let announce = announce.unwrap_or_default();
            told.announced.types.extend(announce.types);
            told.announced.sizes.extend(announce.sizes);
            told.announced.hashes.extend(announce.hashes);
            told.asked.extend(hashes(requests));
            if !more {
                return told;
            }
        }
    }

    /// Waits until the session is woken.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn leaves(&self) {
        self.gossip.disconnected(self.id);
    }
}

impl Told {
    /// Hashes of all transactions told of, pushed or announced.
    pub(super) fn hashes(&self) -> Vec<B256> {
        let pushed = self.pushed.iter().map(|raw| super::press::hash(raw));
        pushed.chain(self.announced.hashes.iter().copied()).collect()
    }
}

pub(super) fn hashes(requests: Vec<GetPooledTransactions>) -> Vec<Vec<B256>> {
    requests.into_iter().map(|request| request.0).collect()
}

fn spec() -> ChainSpec {
    let old = [Fork::Homestead, Fork::TangerineWhistle, Fork::SpuriousDragon, Fork::Byzantium]
        .into_iter()
        .chain([Fork::Constantinople, Fork::Petersburg, Fork::Istanbul])
        .map(|fork| (fork, Activation::Block(0)));
    let new = [
        (Fork::Berlin, Activation::Block(BERLIN)),
        (Fork::London, Activation::Block(LONDON)),
        (Fork::Shanghai, Activation::Time(SHANGHAI)),
        (Fork::Cancun, Activation::Time(CANCUN)),
        (Fork::Prague, Activation::Time(PRAGUE)),
        (Fork::Osaka, Activation::Time(OSAKA)),
    ];
    ChainSpec {
        family: Family::Ethereum,
        engine: Engine::Ethash,
        forks: Forks::new(old.chain(new)),
        ..ChainSpec::unknown(CHAIN_ID, None)
    }
}
