//! How fast one peer may talk.
//!
//! Whoever is faster is read more slowly, and so slows down itself; it breaks no rule. The figures are above what
//! syncing takes on the fastest of links, and below what would keep a processor busy.

/// Messages a second; the cheapest costs some five microseconds.
const MESSAGES: u32 = 10_000;
/// Bytes of messages a second, decompressed: twice what a link of a gigabit brings. One message may go beyond it.
const BYTES: usize = 256 << 20;

/// What is left for this second.
#[derive(Debug)]
pub(super) struct Pace {
    messages: u32,
    bytes: usize,
}

// === impl Pace ===

impl Pace {
    /// Whether another message is taken now.
    pub(super) fn has_room(&self) -> bool {
        self.messages > 0 && self.bytes > 0
    }

    /// A message was taken.
    pub(super) fn took(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// A second has passed.
    pub(super) fn refill(&mut self) {
        *self = Self::default();
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { messages: MESSAGES, bytes: BYTES }
    }
}
