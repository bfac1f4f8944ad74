//! Which fork a node is on: discv4 does not tell, so its record is asked for.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hypasis_wire::node::NodeRecord;
use tokio::sync::mpsc;

use super::V4;
use crate::p2p::discovery::metrics::Protocol;
use crate::p2p::discovery::record::fork_of;

/// Nodes asked for their record at once.
const RESOLVING_MAX: usize = 16;

impl V4 {
    /// A node was heard of: perhaps the dialer wants it.
    pub(super) fn consider(&self, node: NodeRecord) {
        if self.candidates.worth_asking(&node) && self.to_resolve.try_send(node).is_err() {
            tracing::trace!(%node, "Too many nodes wait to be asked for their record");
        }
    }

    /// Asks the considered nodes for their records and offers those on our fork. Nodes without a record or without a
    /// fork in it are not offered, as in go-ethereum: they are of other networks, or do not answer.
    pub(super) async fn resolve(self: Arc<Self>, mut considered: mpsc::Receiver<NodeRecord>) {
        let mut asking = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(node) = considered.recv(), if asking.len() < RESOLVING_MAX => {
                    let v4 = &self;
                    asking.push(async move { (node, v4.ask_record(node).await) });
                }
                Some((node, enr)) = asking.next() => {
                    if let Some(fork) = enr.as_ref().and_then(fork_of)
                        && self.candidates.offer(node, fork)
                    {
                        self.metrics.candidate(Protocol::V4);
                    }
                }
                else => return,
            }
        }
    }
}
