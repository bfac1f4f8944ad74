//! Which node is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;

use super::{Call, Class};
use crate::rpc::node::Node;
use crate::rpc::options::Role;

/// Chooses among the nodes of a pool, and remembers the one that gets sends.
#[derive(Debug)]
pub(super) struct Chooser {
    nodes: Vec<Arc<Node>>,
    /// Whether any node has a list of methods, so that the names in a call matter.
    lists_methods: bool,
    /// Position of the node that gets sends.
    leader: AtomicUsize,
}

/// What a node must have to be asked, taken from a call once.
#[derive(Debug)]
pub(super) struct Wish {
    height: u64,
    /// Empty where no node has a list.
    methods: Vec<String>,
}

// === impl Chooser ===

impl Chooser {
    pub(super) fn new(nodes: &[Arc<Node>]) -> Self {
        let lists_methods = nodes.iter().any(|node| !node.methods.is_empty());
        Self { nodes: nodes.to_vec(), lists_methods, leader: AtomicUsize::new(0) }
    }

    /// What `call` asks of a node.
    pub(super) fn wish(&self, call: &Call) -> Wish {
        let height = match call.class {
            Class::Send => 0,
            _ => call.need.height.unwrap_or(0),
        };
        Wish { height, methods: if self.lists_methods { methods(&call.body) } else { Vec::new() } }
    }

    /// The node that is likely to answer first and was not tried, primaries before backups, those that lied last.
    pub(super) fn quickest<'a>(&'a self, wish: &Wish, tried: &[usize]) -> Option<(usize, &'a Arc<Node>)> {
        let rank = |node: &Node| (node.is_shut_out(), node.role, node.gate.is_paused());
        self.usable(wish, tried)
            .map(|(index, node)| (rank(node), node.score.cost(node.gate.in_flight()), index, node))
            .min_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)))
            .map(|(_, _, index, node)| (index, node))
    }

    /// The node that gets sends: the same one for as long as it may be asked.
    pub(super) fn leader<'a>(&'a self, wish: &Wish, tried: &[usize]) -> Option<(usize, &'a Arc<Node>)> {
        let current = self.leader.load(Ordering::Relaxed);
        let rank = |index: usize, node: &Node| (node.is_shut_out(), node.role, index != current, index);
        let chosen = self.usable(wish, tried).min_by_key(|(index, node)| rank(*index, node))?;
        if chosen.1.role == Role::Primary {
            self.leader.store(chosen.0, Ordering::Relaxed);
        }
        Some(chosen)
    }

    /// The node with this id, if it may be asked.
    pub(super) fn by_id(&self, id: &str) -> Option<(usize, &Arc<Node>)> {
        let any = Wish { height: 0, methods: Vec::new() };
        let mut usable = self.usable(&any, &[]);
        usable.find(|(_, node)| &*node.id == id)
    }

    fn usable<'a, 'w>(
        &'a self,
        wish: &'w Wish,
        tried: &'w [usize],
    ) -> impl Iterator<Item = (usize, &'a Arc<Node>)> + use<'a, 'w> {
        self.nodes.iter().enumerate().filter(move |(index, node)| {
            !tried.contains(index)
                && node.height().is_some_and(|height| height >= wish.height)
                && node.breaker.is_ready()
                && wish.is_allowed_by(&node.methods)
        })
    }
}

// === impl Wish ===

impl Wish {
    fn is_allowed_by(&self, globs: &[String]) -> bool {
        let allowed = |method: &String| globs.iter().any(|glob| matches(glob.as_bytes(), method.as_bytes()));
        globs.is_empty() || self.methods.iter().all(allowed)
    }
}

/// The method names of one call or of a batch; empty where the body is neither, which no list forbids.
fn methods(body: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default)]
        method: String,
    }
    if let Ok(call) = serde_json::from_slice::<Named>(body) {
        return vec![call.method];
    }
    let calls: Vec<Named> = serde_json::from_slice(body).unwrap_or_default();
    calls.into_iter().map(|call| call.method).collect()
}

/// Matches `*` with any run of bytes; everything else with itself. Linear but for the last star's backtracking.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < text.len() {
        match glob.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if text.get(from) == Some(byte) => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star_at, star_from)) = star else { return false };
                star = Some((star_at, star_from + 1));
                at = star_at + 1;
                from = star_from + 1;
            }
        }
    }
    glob.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_runs_and_nothing_else() {
        for (glob, text) in
            [("*", ""), ("*", "eth_call"), ("eth_*", "eth_call"), ("eth_*", "eth_"), ("*l*", "eth_call")]
        {
            assert!(matches(glob.as_bytes(), text.as_bytes()), "{glob} {text}");
        }
        for (glob, text) in
            [("eth_*", "net_version"), ("eth_call", "eth_callMany"), ("*ll", "eth_calls"), ("", "a")]
        {
            assert!(!matches(glob.as_bytes(), text.as_bytes()), "{glob} {text}");
        }
    }

    #[test]
    fn all_names_of_a_batch_count() {
        assert_eq!(methods(br#"[{"method":"a"},{"method":"b"}]"#), ["a", "b"]);
        assert_eq!(methods(br#"{"id":1,"method":"a"}"#), ["a"]);
    }
}
