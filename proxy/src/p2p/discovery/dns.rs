//! Lists of nodes in DNS (EIP-1459): a signed tree of TXT records, walked for nodes to dial.
//!
//! Only the root is signed; every other record is named by its hash, so nothing in the tree can be made up. A walk goes
//! through the leaves in no fixed order, as fast as candidates are wanted and never faster than three questions a
//! second, and begins anew when the tree may have changed. Whoever makes a tree can send us around in it for as long as
//! a walk may be, and nowhere else.

mod entry;
mod resolver;
mod url;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::entry::{Entry, EntryError, Root};
pub(super) use self::resolver::Resolver;
use self::resolver::ResolverError;
pub use self::url::TreeUrl;
use super::candidates::Candidates;
use super::record::fork_of;
use crate::config::PeerUrl;

/// Rest between two questions (Geth: the same).
const PACE: Duration = Duration::from_millis(333);
/// When a tree is walked again (Geth: the same).
const AGAIN: Duration = Duration::from_secs(30 * 60);
/// When a tree whose root could not be had is tried again; doubles up to [`AGAIN`].
const RETRY: Duration = Duration::from_secs(30);
/// Records of one tree that are asked for in one walk.
const RECORDS_MAX: usize = 8_192;
/// Names that wait in one walk. A branch has at most some dozen.
const WAITING_MAX: usize = 16_384;
/// Trees that are walked, those counted that others link to.
const TREES_MAX: usize = 8;

/// Why a tree is not walked.
#[derive(Debug, thiserror::Error)]
enum TreeError {
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// The walker of all trees.
#[derive(Debug)]
pub(super) struct Dns {
    resolver: Resolver,
    candidates: Arc<Candidates>,
    trees: Vec<Tree>,
}

/// One tree under way.
#[derive(Debug)]
struct Tree {
    url: TreeUrl,
    /// Names of records that were not looked at yet.
    waiting: Vec<String>,
    /// Names that came up in this walk.
    seen: HashSet<String>,
    records: usize,
    /// When a walk begins next, and how long to wait after a failure.
    begin: tokio::time::Instant,
    retry: Duration,
}

// === impl Dns ===

impl Dns {
    pub(super) fn new(resolver: Resolver, candidates: Arc<Candidates>, trees: Vec<TreeUrl>) -> Self {
        let trees = trees.into_iter().take(TREES_MAX).map(Tree::new).collect();
        Self { resolver, candidates, trees }
    }

    /// Walks for ever, one question at a time over all trees.
    pub(super) async fn run(mut self) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = 0_usize;
        loop {
            pace.tick().await;
            if self.trees.is_empty() {
                return;
            }
            while !self.candidates.hungry() {
                sleep(Duration::from_secs(1)).await;
            }
            turn = (turn + 1) % self.trees.len();
            let Some(tree) = self.trees.get_mut(turn) else { continue };
            let linked = match tree.step(&self.resolver, &self.candidates).await {
                Ok(linked) => linked,
                Err(error) => {
                    tracing::debug!(tree = %tree.url, %error, "A list of nodes in DNS gave nothing");
                    continue;
                }
            };
            let known = |url: &TreeUrl| self.trees.iter().any(|tree| tree.url == *url);
            if let Some(url) = linked.filter(|url| self.trees.len() < TREES_MAX && !known(url)) {
                self.trees.push(Tree::new(url));
            }
        }
    }
}

// === impl Tree ===

impl Tree {
    fn new(url: TreeUrl) -> Self {
        let begin = tokio::time::Instant::now();
        Self { url, waiting: Vec::new(), seen: HashSet::new(), records: 0, begin, retry: RETRY }
    }

    /// Asks the next question of the walk, if there is one now. Returns another tree that this one links to.
    async fn step(
        &mut self,
        resolver: &Resolver,
        candidates: &Candidates,
    ) -> Result<Option<TreeUrl>, TreeError> {
        if self.waiting.is_empty() {
            return self.begin(resolver).await.map(|()| None);
        }
        let place = rand::rng().random_range(0..self.waiting.len());
        let name = self.waiting.swap_remove(place);
        self.records += 1;
        if self.records >= RECORDS_MAX {
            self.waiting.clear();
        }
        let text = resolver.txt(&format!("{name}.{}", self.url.domain)).await?;
        match Entry::read(&text, &name)? {
            Entry::Branch(names) => self.wait_for(names),
            Entry::Link(url) => return Ok(Some(url)),
            Entry::Node(enr) => {
                let fork = fork_of(&enr);
                if let Some((node, fork)) = PeerUrl::of(*enr).zip(fork) {
                    candidates.offer(node.record(), fork);
                }
            }
        }
        Ok(None)
    }

    /// Begins a walk with the root, if it is time to.
    async fn begin(&mut self, resolver: &Resolver) -> Result<(), TreeError> {
        let now = tokio::time::Instant::now();
        if self.begin > now {
            return Ok(());
        }
        // Until the root is there.
        (self.begin, self.retry) = (now + self.retry, self.retry.saturating_mul(2).min(AGAIN));
        let text = resolver.txt(&self.url.domain).await?;
        let Root { nodes, links, sequence } = Root::read(&text, &self.url)?;
        tracing::debug!(tree = %self.url, sequence, "Walking a list of nodes in DNS");
        (self.begin, self.retry, self.records) = (now + AGAIN, RETRY, 0);
        self.seen.clear();
        self.wait_for(vec![links, nodes]);
        Ok(())
    }

    fn wait_for(&mut self, names: Vec<String>) {
        for name in names {
            if self.seen.len() < WAITING_MAX && self.seen.insert(name.clone()) {
                self.waiting.push(name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
