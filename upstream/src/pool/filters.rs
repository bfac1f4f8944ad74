//! Which node gave which filter.
//!
//! Bounded: the oldest are forgotten first. Ids are the nodes' own. Nodes that count from 1 (Erigon) give ids that
//! another node has given as well, and then an id alone does not tell whose filter is meant. Such an id is not handed
//! out: its node is asked for another one ([`Learned::Taken`]), and the filter that nobody uses lapses there. An id is
//! free again once nobody has used it for as long as nodes keep filters.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Filters that are remembered.
const FILTERS_MAX: usize = 65_536;
/// Longest id that is remembered; Geth's are 34 characters.
const ID_BYTES_MAX: usize = 128;
/// Nodes drop filters after five minutes without use; one more for clocks and queues.
const LIFE: Duration = Duration::from_secs(360);

/// Filter id to node id.
#[derive(Debug, Default)]
pub(super) struct Filters {
    state: Mutex<State>,
}

/// What came of an answer to a new filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// The id leads to its node from now on; or the answer names none.
    Known,
    /// Another node's filter in use has this id.
    Taken,
}

#[derive(Debug, Default)]
struct State {
    nodes: HashMap<Arc<str>, Giver>,
    ages: VecDeque<Arc<str>>,
}

#[derive(Debug)]
struct Giver {
    node: Arc<str>,
    used: Instant,
}

// === impl Filters ===

impl Filters {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// `node` gave the filter that the answer names, if it names one.
    pub(super) fn learn(&self, answer: &[u8], node: &Arc<str>) -> Learned {
        #[derive(serde::Deserialize)]
        struct Answer {
            result: String,
        }
        match serde_json::from_slice(answer) {
            Ok(Answer { result }) if result.len() <= ID_BYTES_MAX => self.insert(result.into(), node),
            _ => Learned::Known,
        }
    }

    /// Who gave the filter.
    pub(super) fn node(&self, filter: &str) -> Option<Arc<str>> {
        let mut state = self.state.lock();
        let giver = state.nodes.get_mut(filter)?;
        giver.used = Instant::now();
        Some(Arc::clone(&giver.node))
    }

    fn insert(&self, filter: Arc<str>, node: &Arc<str>) -> Learned {
        let mut state = self.state.lock();
        let lives = |giver: &Giver| giver.node != *node && giver.used.elapsed() < LIFE;
        if state.nodes.get(&filter).is_some_and(lives) {
            return Learned::Taken;
        }
        let giver = Giver { node: Arc::clone(node), used: Instant::now() };
        if state.nodes.insert(Arc::clone(&filter), giver).is_none() {
            state.ages.push_back(filter);
        }
        if state.ages.len() > FILTERS_MAX
            && let Some(oldest) = state.ages.pop_front()
        {
            state.nodes.remove(&oldest);
        }
        Learned::Known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_beyond_the_bound() {
        let filters = Filters::new();
        let node: Arc<str> = "a".into();
        for id in 0..=FILTERS_MAX {
            filters.learn(format!(r#"{{"id":1,"result":"{id:#x}"}}"#).as_bytes(), &node);
        }
        assert_eq!(filters.node("0x0"), None);
        assert_eq!(filters.node("0x1"), Some(node));
        assert_eq!(filters.state.lock().nodes.len(), FILTERS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_in_use_is_no_other_nodes_until_it_has_lapsed() {
        let filters = Filters::new();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let answer = br#"{"result":"0x1"}"#;
        assert_eq!(filters.learn(answer, &a), Learned::Known);
        tokio::time::advance(LIFE / 2).await;
        assert_eq!(filters.node("0x1"), Some(a.clone()));
        tokio::time::advance(LIFE / 2).await;
        assert_eq!(filters.learn(answer, &b), Learned::Taken);
        assert_eq!(filters.learn(answer, &a), Learned::Known, "a node may count anew after a restart");
        tokio::time::advance(LIFE).await;
        assert_eq!(filters.learn(answer, &b), Learned::Known);
        assert_eq!(filters.node("0x1"), Some(b));
    }

    #[test]
    fn errors_and_long_ids_are_not_remembered() {
        let filters = Filters::new();
        filters.learn(br#"{"error":{"code":1}}"#, &"a".into());
        filters.learn(format!(r#"{{"result":"{}"}}"#, "x".repeat(129)).as_bytes(), &"a".into());
        assert!(filters.state.lock().nodes.is_empty());
    }
}
