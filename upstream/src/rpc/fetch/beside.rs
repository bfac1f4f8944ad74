//! State syncs that stand beside blocks, in neither body nor roots (Polygon before Madhugiri).
//!
//! Bor shows them in the JSON forms alone (`internal/ethapi`): `eth_getBlockReceipts` has a receipt more than
//! `debug_getRawReceipts`, `eth_getBlockBy*` a transaction more than `debug_getRawBlock`. So the first blocks of
//! sprints are asked for in JSON too. A node that does not answer that, or whose forms contradict each other, does not
//! say: what stands there stays unknown, and the block is of use all the same.

use bytes::Bytes;
use hypasis_chain::bor::state_sync::{NONE, may_stand_beside};
use hypasis_chain::{ChainSpec, rebuild};

use super::assemble::{Parts, present, rebuilt, text};
use super::{RpcSource, Trouble};
use crate::rpc::message::Ask;
use crate::rpc::node::Lane;

// === impl RpcSource ===

impl RpcSource {
    /// Asks what stands beside those blocks that came in raw forms.
    pub(super) async fn beside(&self, mut parts: Vec<Parts>, lane: Lane) -> Vec<Parts> {
        let Some(spec) = &self.spec else { return parts };
        let asked = |part: &&mut Parts| part.receipts.is_some() && may_stand_beside(spec, part.id.number);
        let ask = |part: &mut Parts| Ask::new("eth_getBlockReceipts", format!(r#"["{}"]"#, part.id.hash));
        let asks: Vec<Ask> = parts.iter_mut().filter(asked).map(ask).collect();
        if asks.is_empty() || !self.node.abilities.block_receipts.is_likely() {
            return parts;
        }
        let outcomes = match self.batch(asks, lane, &self.blocks).await {
            Ok(outcomes) => outcomes,
            Err(trouble) => {
                tracing::debug!(upstream = %self.node.id, ?trouble, "State syncs beside blocks are not told");
                return parts;
            }
        };
        for (part, outcome) in parts.iter_mut().filter(asked).zip(outcomes) {
            let taken = present(outcome).and_then(|json| part.take_beside(Some(spec), text(&json)?));
            match taken {
                Ok(()) => {}
                Err(Trouble::Lesson) => self.node.abilities.block_receipts.set(false),
                Err(trouble) => {
                    let number = part.id.number;
                    tracing::debug!(upstream = %self.node.id, number, ?trouble, "A state sync is not told");
                }
            }
        }
        parts
    }
}

// === impl Parts ===

impl Parts {
    /// Takes what stands beside the block from its receipts in JSON.
    pub(super) fn take_beside(&mut self, spec: Option<&ChainSpec>, receipts: &str) -> Result<(), Trouble> {
        if !spec.is_some_and(|spec| may_stand_beside(spec, self.id.number)) {
            return Ok(());
        }
        let (inside, extra) = rebuilt(rebuild::beside(receipts, self.id))?;
        if self.transactions() != Some(inside) {
            return Ok(());
        }
        // A block in JSON shows the transaction as well.
        let shown = self.json.as_deref().map(text).transpose()?;
        let shown = shown.map(|json| rebuilt(rebuild::shows_beside(json, self.id))).transpose()?;
        if shown.is_none_or(|shown| shown == extra.is_some()) {
            self.extra = Some(extra.unwrap_or(Bytes::from_static(NONE)));
        }
        Ok(())
    }
}
