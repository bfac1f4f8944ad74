//! What several sources agree on, without any I/O.
//!
//! The rule is simple: what more than half of those with an opinion say. One source alone is believed, two that
//! contradict each other are not, until one of them changes its mind.

use std::sync::Arc;

use alloy_primitives::B256;
use hypasis_chain::BlockId;
use hypasis_upstream::Heads;

/// What one source says of itself now.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// Its id.
    pub source: Arc<str>,
    /// Its heads.
    pub heads: Heads,
}

/// The outcome of asking several sources for the hash at one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// More than half named this hash; those in the list named another.
    Agreed(B256, Vec<Arc<str>>),
    /// No hash has more than half. The list says who said what.
    Split(Vec<(Arc<str>, B256)>),
    /// Nobody answered.
    Silent,
}

/// Weighs answers for one height.
pub fn weigh(answers: &[(Arc<str>, B256)]) -> Verdict {
    if answers.is_empty() {
        return Verdict::Silent;
    }
    let votes = |hash: &B256| answers.iter().filter(|(_, other)| other == hash).count();
    match answers.iter().map(|(_, hash)| hash).max_by_key(|hash| votes(hash)) {
        Some(hash) if votes(hash).saturating_mul(2) > answers.len() => {
            let others = answers.iter().filter(|(_, other)| other != hash);
            Verdict::Agreed(*hash, others.map(|(source, _)| source.clone()).collect())
        }
        _ => Verdict::Split(answers.to_vec()),
    }
}

/// The height of the head that sources stand behind. One source that runs far ahead of two others is not believed.
pub fn head_height(opinions: &[Opinion]) -> Option<u64> {
    let mut heights: Vec<u64> = latest(opinions).map(|id| id.number).collect();
    heights.sort_unstable_by(|a, b| b.cmp(a));
    heights.get(heights.len().saturating_sub(1) / 2).copied()
}

/// The head at that height, where some source is exactly there.
pub fn head(opinions: &[Opinion]) -> Option<BlockId> {
    let height = head_height(opinions)?;
    latest(opinions).find(|id| id.number == height)
}

/// The height that more than half of the sources call final, among those that speak of finality at all.
pub fn finalized_height(opinions: &[Opinion]) -> Option<u64> {
    let mut heights: Vec<u64> = finalized(opinions).map(|id| id.number).collect();
    heights.sort_unstable_by(|a, b| b.cmp(a));
    heights.get(heights.len() / 2).copied()
}

/// The finalized block at that height as the sources name it; `None` if none does or if two differ.
pub fn finalized_block(opinions: &[Opinion]) -> Option<BlockId> {
    let height = finalized_height(opinions)?;
    let mut named = finalized(opinions).filter(|id| id.number == height);
    let first = named.next()?;
    named.all(|id| id == first).then_some(first)
}

/// The height up to which blocks may become history: the finalized one, or `depth` below the head where no source
/// speaks of finality.
pub fn settled_height(opinions: &[Opinion], depth: u64) -> Option<u64> {
    finalized_height(opinions).or_else(|| head_height(opinions).map(|head| head.saturating_sub(depth)))
}

fn latest(opinions: &[Opinion]) -> impl Iterator<Item = BlockId> + '_ {
    opinions.iter().filter_map(|opinion| opinion.heads.latest)
}

fn finalized(opinions: &[Opinion]) -> impl Iterator<Item = BlockId> + '_ {
    opinions
        .iter()
        .filter(|opinion| opinion.heads.latest.is_some())
        .filter_map(|opinion| opinion.heads.finalized)
}
