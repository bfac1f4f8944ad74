//! Receipts as a peer of each version sends them, made into the slim lists that are stored.

use bytes::Bytes;
use hypasis_chain::receipt::slim_list;
use hypasis_chain::rlp::{Item, RlpError, write_list_prefix};

/// First version whose receipts have no bloom (EIP-7642).
const SLIM_SINCE: u8 = 69;

/// One block's receipts in slim form. Those of eth/68 carry a bloom each, which must be that of their logs.
pub(super) fn slim(version: u8, list: &Bytes) -> Result<Bytes, RlpError> {
    if version >= SLIM_SINCE {
        return Ok(list.clone());
    }
    let mut consensus = Vec::new();
    for item in Item::parse(list)?.items()? {
        let item = item?;
        // A typed receipt is a string that holds the type and the list; a legacy one is the list itself.
        consensus.push(if item.is_list() { item.raw() } else { item.string()? });
    }
    slim_list(consensus.into_iter()).map(Bytes::from)
}

/// A list that came in parts (eth/70), and how many receipts it has by now.
#[derive(Debug, Default)]
pub(super) struct Parts {
    payload: Vec<u8>,
    count: u64,
}

// === impl Parts ===

impl Parts {
    /// Adds the next part.
    pub(super) fn add(&mut self, list: &Bytes) -> Result<(), RlpError> {
        let item = Item::parse(list)?;
        for receipt in item.items()? {
            receipt?;
            self.count = self.count.saturating_add(1);
        }
        self.payload.extend_from_slice(item.payload());
        Ok(())
    }

    /// Index of the receipt that comes next.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.payload.len()
    }

    /// The whole list.
    pub(super) fn finish(self) -> Bytes {
        let mut list = Vec::with_capacity(self.payload.len() + 9);
        write_list_prefix(&mut list, self.payload.len());
        list.extend_from_slice(&self.payload);
        list.into()
    }
}
