//! Connected peers, each played by a task behind its handle.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hypasis_chain::dev::{Corruption, DevChain, DevOptions, corrupt};
use hypasis_chain::{Block, BlockId};
use hypasis_upstream::peer::{Answer, PeerHandle, PeerId, PeerSource, Question, Request, Start};
use hypasis_upstream::{Heads, Source};
use parking_lot::Mutex;
use tokio::sync::mpsc;

/// How a peer behaves, asked for anything but a header by hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Sound,
    /// Takes requests and never answers.
    Stalls,
    /// Other bodies.
    Lies,
    /// Headers of another chain.
    Forges,
    /// No receipts.
    Bare,
    /// By number it knows nothing above this.
    UpTo(u64),
}

#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) handle: PeerHandle,
    asked: Arc<Mutex<Vec<Question>>>,
}

// === impl Player ===

impl Player {
    /// Says to have all of `chain`.
    pub(crate) fn new(name: u8, chain: &Arc<DevChain>, manner: Manner) -> Self {
        let heads = Heads { latest: Some(chain.head()), ..Heads::default() };
        let (handle, requests) = PeerHandle::new(PeerId::repeat_byte(name), 69, heads);
        let asked = Arc::<Mutex<Vec<Question>>>::default();
        tokio::spawn(play(requests, chain.clone(), manner, asked.clone()));
        Self { handle, asked }
    }

    pub(crate) fn condemned(&self) -> bool {
        self.handle.condemned().borrow().is_some()
    }

    /// Questions but those for headers by hash.
    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().iter().filter(|question| !by_hash(question)).count()
    }
}

/// Attaches the players, and returns when `source` believes their head.
pub(crate) async fn attach(source: &PeerSource, players: &[&Player], head: BlockId) {
    for player in players {
        source.attach(player.handle.clone());
    }
    let mut heads = source.heads();
    let proven = heads.wait_for(|heads| heads.latest == Some(head));
    tokio::time::timeout(Duration::from_secs(60), proven).await.expect("no head was proven").unwrap();
}

/// All peers as one source, with these in it.
pub(crate) async fn strangers(players: &[&Player], head: BlockId) -> Arc<PeerSource> {
    let source = Arc::new(PeerSource::of_many("peers".into(), Duration::ZERO));
    attach(&source, players, head).await;
    source
}

fn by_hash(question: &Question) -> bool {
    matches!(question, Question::Headers { start: Start::Hash(_), .. })
}

async fn play(
    mut requests: mpsc::Receiver<Request>,
    chain: Arc<DevChain>,
    manner: Manner,
    asked: Arc<Mutex<Vec<Question>>>,
) {
    let other = Arc::new(DevChain::new(DevOptions { seed: 99, ..chain.options().clone() }, 1_700_000_000));
    let mut unanswered = Vec::new();
    while let Some(Request { question, answer }) = requests.recv().await {
        asked.lock().push(question.clone());
        if manner == Manner::Stalls && !by_hash(&question) {
            unanswered.push(answer);
            continue;
        }
        let (chain, other) = (chain.clone(), other.clone());
        let items = tokio::task::spawn_blocking(move || tell(&chain, &other, &question, manner));
        let _ = answer.send(Ok(Answer { items: items.await.unwrap(), incomplete: false }));
    }
}

fn tell(chain: &DevChain, other: &DevChain, question: &Question, manner: Manner) -> Vec<Bytes> {
    let highest = if let Manner::UpTo(highest) = manner { highest } else { chain.head().number };
    let blocks = |hashes: &[alloy_primitives::B256]| -> Vec<Block> {
        let known = hashes.iter().map_while(|hash| chain.block_by_hash(hash));
        known.take_while(|block| block.id.number <= highest).collect()
    };
    match question {
        Question::Headers { start: Start::Number(number), limit, .. } => {
            let chain = if manner == Manner::Forges { other } else { chain };
            let end = number.saturating_add(*limit).min(highest + 1);
            if *number < end { chain.headers(*number..end) } else { Vec::new() }
        }
        Question::Headers { start: Start::Hash(hash), .. } => {
            chain.block_by_hash(hash).map(|block| block.header).into_iter().collect()
        }
        Question::Bodies(hashes) => blocks(hashes)
            .into_iter()
            .map(|block| match manner {
                Manner::Lies => corrupt(&block, Corruption::TransactionMissing).unwrap_or(block).body,
                _ => block.body,
            })
            .collect(),
        Question::Receipts { .. } if manner == Manner::Bare => Vec::new(),
        Question::Receipts { hashes, .. } => {
            blocks(hashes).into_iter().filter_map(|block| block.receipts).collect()
        }
    }
}
