//! An answer made from stored bytes, item by item, without knowing beforehand how long it becomes.
//!
//! The prefixes of the lists come first on the wire but are known last. So space for the longest possible
//! ones is left in front, items are appended, and the prefixes are written right before them: each stored
//! byte is copied once.

use alloy_rlp::{Encodable, Header};
use bytes::{Bytes, BytesMut};

use super::answer::write_consensus;
use crate::rlp::{Reader, RlpError};

/// An answer in the making: items are pushed until [`len`](RawAnswer::len) reaches the soft limit
/// ([`SOFT_RESPONSE_LIMIT`](super::SOFT_RESPONSE_LIMIT)) or [`count`](RawAnswer::count) the number that is
/// served.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    request_id: u64,
    /// [`PREFIX_LEN_MAX`] free bytes, then the items.
    buffer: BytesMut,
    count: usize,
    last_incomplete: bool,
}

/// What became of a block's receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptsPage {
    /// How many receipts were appended.
    pub taken: u64,
    /// Whether they reach to the block's end.
    pub complete: bool,
}

/// Prefix of the message, request id, flag of eth/70, prefix of the list.
const PREFIX_LEN_MAX: usize = 9 + 9 + 1 + 9;

// === impl RawAnswer ===

impl RawAnswer {
    /// Begins the answer to a request.
    pub fn new(request_id: u64) -> Self {
        Self::with_capacity(request_id, 0)
    }

    /// Begins an answer whose items will take about `capacity` bytes.
    pub fn with_capacity(request_id: u64, capacity: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(PREFIX_LEN_MAX + capacity);
        buffer.resize(PREFIX_LEN_MAX, 0);
        Self { request_id, buffer, count: 0, last_incomplete: false }
    }

    /// How many items there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many bytes the items take: what limits are compared with.
    pub fn len(&self) -> usize {
        self.buffer.len() - PREFIX_LEN_MAX
    }

    /// Whether there are no items yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends an item, which must be one whole item of RLP: a header, a body, a receipts list in the
    /// session's form.
    pub fn push(&mut self, item: &[u8]) {
        self.buffer.extend_from_slice(item);
        self.count += 1;
    }

    /// Appends a transaction in its consensus encoding: typed ones become strings.
    pub fn push_consensus(&mut self, transaction: &[u8]) {
        write_consensus(&mut self.buffer, transaction);
        self.count += 1;
    }

    /// Appends the receipts list of a block from receipts in their consensus encoding, blooms included:
    /// eth/68.
    pub fn push_consensus_list<'a>(&mut self, receipts: impl IntoIterator<Item = &'a [u8]>) {
        let buffer = &mut self.buffer;
        crate::rlp::write_list(buffer, |out| {
            receipts.into_iter().for_each(|receipt| write_consensus(out, receipt));
        });
        self.count += 1;
    }

    /// Appends receipts of a block from `first` on, as many as fit into `budget` bytes: eth/70.
    ///
    /// `slim_list` is the block's list as eth/69 has it. The first receipt of an answer is taken whatever its
    /// length, so that whoever pages gets on; otherwise nothing is appended when not even one fits. A page
    /// that is not complete is the answer's last item. An index beyond the block's end is an error; the end
    /// itself gives an empty list.
    pub fn push_receipts(
        &mut self,
        slim_list: &[u8],
        first: u64,
        budget: usize,
    ) -> Result<ReceiptsPage, RlpError> {
        const FIELD: &str = "receipts";
        let mut receipts = Reader::whole(slim_list, FIELD)?;
        for _ in 0..first {
            if receipts.is_empty() {
                return Err(RlpError::Value { field: "first-block-receipt-index" });
            }
            receipts.item(FIELD)?;
        }
        let all = receipts.rest();
        let (mut taken, mut length) = (0, 0);
        while !receipts.is_empty() {
            let end = length + receipts.item(FIELD)?.raw.len();
            let must = self.is_empty() && taken == 0;
            if end > budget && !must {
                break;
            }
            (taken, length) = (taken + 1, end);
        }
        let complete = length == all.len();
        if taken > 0 || complete {
            Header { list: true, payload_length: length }.encode(&mut self.buffer);
            self.buffer.extend_from_slice(all.get(..length).unwrap_or_default());
            self.count += 1;
            self.last_incomplete = !complete;
        }
        Ok(ReceiptsPage { taken, complete })
    }

    /// The payload `[request-id, [item, …]]`: every answer but receipts of eth/70.
    pub fn finish(self) -> Bytes {
        self.finish_with(None)
    }

    /// The payload `[request-id, last-block-incomplete, [list, …]]`: receipts of eth/70. Whether the last
    /// block is incomplete follows from the last [`push_receipts`](Self::push_receipts).
    pub fn finish_receipts70(self) -> Bytes {
        let incomplete = self.last_incomplete;
        self.finish_with(Some(incomplete))
    }

    fn finish_with(self, flag: Option<bool>) -> Bytes {
        let Self { request_id, mut buffer, .. } = self;
        let items = buffer.len() - PREFIX_LEN_MAX;
        let mut head = BytesMut::with_capacity(PREFIX_LEN_MAX);
        request_id.encode(&mut head);
        if let Some(flag) = flag {
            flag.encode(&mut head);
        }
        Header { list: true, payload_length: items }.encode(&mut head);
        let mut prefix = BytesMut::with_capacity(PREFIX_LEN_MAX);
        Header { list: true, payload_length: head.len() + items }.encode(&mut prefix);
        prefix.extend_from_slice(&head);

        let mut message = buffer.split_off(PREFIX_LEN_MAX.saturating_sub(prefix.len()));
        if let Some(space) = message.get_mut(..prefix.len()) {
            space.copy_from_slice(&prefix);
        }
        message.freeze()
    }
}
