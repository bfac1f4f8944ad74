//! What the nodes together say of the chain.

use std::sync::Arc;

use futures_util::future::select_all;
use hypasis_chain::BlockId;
use serde::Serialize;

use super::Shared;
use crate::rpc::node::{Node, State, View};
use crate::rpc::options::Role;

/// Heads over all nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolHeads {
    /// The highest head of a primary that is up; of a backup where no primary is.
    pub latest: Option<BlockId>,
    /// The finalized block that half of the nodes that name one have reached; `None` where two contradict each other.
    pub finalized: Option<BlockId>,
    /// The same for safe.
    pub safe: Option<BlockId>,
    /// Whether any node is up.
    pub up: bool,
}

/// Publishes what the nodes together say whenever one of them says something new.
pub(super) async fn aggregate(shared: Arc<Shared>) {
    let mut receivers: Vec<_> = shared.nodes.iter().map(|node| node.heads()).collect();
    loop {
        for receiver in &mut receivers {
            receiver.mark_unchanged();
        }
        let heads = together(&shared.nodes);
        shared.heads.send_if_modified(|current| std::mem::replace(current, heads) != heads);
        if receivers.is_empty() {
            return;
        }
        let changes = receivers.iter_mut().map(|receiver| Box::pin(receiver.changed()));
        let (_, _, _) = select_all(changes).await;
    }
}

fn together(nodes: &[Arc<Node>]) -> PoolHeads {
    let up: Vec<(Role, bool, View)> = nodes
        .iter()
        .map(|node| (node.role, node.is_shut_out(), node.view()))
        .filter(|(_, _, view)| view.state == State::Up)
        .collect();
    // Liars count only where there is nobody else, like backups only where there is no primary.
    let best = up.iter().map(|(role, liar, _)| (*liar, *role)).min();
    let heard: Vec<&View> =
        up.iter().filter(|(role, liar, _)| Some((*liar, *role)) == best).map(|(_, _, view)| view).collect();
    PoolHeads {
        latest: heard.iter().filter_map(|view| view.latest).max_by_key(|head| head.number),
        finalized: agreed(heard.iter().filter_map(|view| view.finalized).collect()),
        safe: agreed(heard.iter().filter_map(|view| view.safe).collect()),
        up: !up.is_empty(),
    }
}

/// The lower middle one, unless two of the same height differ.
fn agreed(mut named: Vec<BlockId>) -> Option<BlockId> {
    named.sort();
    let contradict = |pair: &[BlockId]| matches!(pair, [a, b] if a.number == b.number && a.hash != b.hash);
    if named.windows(2).any(contradict) {
        return None;
    }
    named.get(named.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;

    fn block(number: u64, hash: u8) -> BlockId {
        BlockId { number, hash: B256::repeat_byte(hash) }
    }

    #[test]
    fn half_of_the_nodes_have_reached_what_is_agreed() {
        assert_eq!(agreed(vec![]), None);
        assert_eq!(agreed(vec![block(5, 1)]), Some(block(5, 1)));
        assert_eq!(agreed(vec![block(9, 1), block(5, 1)]), Some(block(5, 1)));
        assert_eq!(agreed(vec![block(9, 1), block(5, 1), block(7, 1)]), Some(block(7, 1)));
    }

    #[test]
    fn a_contradiction_is_no_agreement() {
        assert_eq!(agreed(vec![block(5, 1), block(5, 2), block(9, 1)]), None);
    }
}
