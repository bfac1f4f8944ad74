//! What we asked this peer, and its answers.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use hypasis_upstream::peer::{Answer, PeerError, Question, Request, Start};
use hypasis_wire::eth::{
    BlockHashOrNumber, EthMessage, EthVersion, GetBlockBodies, GetBlockHeaders, GetReceipts, GetReceipts70,
    HeadersDirection, RequestPair,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Requests that one peer is sent at once.
pub(super) const ASKED_MAX: usize = 16;
/// Longest wait for an answer; Geth allows its own peers up to a minute, but then there is another to ask.
const PATIENCE: Duration = Duration::from_secs(15);
/// Requests in a row that may stay without an answer.
const LATE_MAX: u32 = 4;
/// Answers that nobody ever asked for which a session may bring.
const STRAYS_MAX: u32 = 64;

/// Requests under way.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pending: HashMap<u64, Pending>,
    next: u64,
    late: u32,
    /// Requests that are waited for no longer.
    given_up: u32,
    strays: u32,
}

#[derive(Debug)]
struct Pending {
    what: What,
    answer: oneshot::Sender<Result<Answer, PeerError>>,
    until: Instant,
}

/// What an answer is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Headers,
    Bodies,
    Receipts,
}

// === impl Asked ===

impl Asked {
    /// Whether another request may go out.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < ASKED_MAX
    }

    /// The message that asks; `None` where nobody waits any more.
    pub(super) fn ask(&mut self, request: Request, version: EthVersion) -> Option<EthMessage> {
        let Request { question, answer } = request;
        if answer.is_closed() {
            return None;
        }
        self.next = self.next.wrapping_add(1);
        let id = self.next;
        let (what, message) = match question {
            Question::Headers { start, limit, reverse } => {
                let start_block = match start {
                    Start::Hash(hash) => BlockHashOrNumber::Hash(hash),
                    Start::Number(number) => BlockHashOrNumber::Number(number),
                };
                let direction = if reverse { HeadersDirection::Falling } else { HeadersDirection::Rising };
                let message = GetBlockHeaders { start_block, limit, skip: 0, direction };
                (What::Headers, EthMessage::GetBlockHeaders(RequestPair::new(id, message)))
            }
            Question::Bodies(hashes) => {
                (What::Bodies, EthMessage::GetBlockBodies(RequestPair::new(id, GetBlockBodies(hashes))))
            }
            Question::Receipts { hashes, first_index } if version == EthVersion::Eth70 => {
                let message = GetReceipts70 { first_block_receipt_index: first_index, hashes };
                (What::Receipts, EthMessage::GetReceipts70(RequestPair::new(id, message)))
            }
            Question::Receipts { hashes, .. } => {
                (What::Receipts, EthMessage::GetReceipts(RequestPair::new(id, GetReceipts(hashes))))
            }
        };
        self.pending.insert(id, Pending { what, answer, until: Instant::now() + PATIENCE });
        Some(message)
    }

    /// An answer came. `Err` when the peer sends what nobody asked for, again and again.
    pub(super) fn answered(
        &mut self,
        id: u64,
        what: What,
        items: Vec<Bytes>,
        incomplete: bool,
    ) -> Result<bool, ()> {
        if self.pending.get(&id).is_none_or(|pending| pending.what != what) {
            // What was given up may still come, once.
            if self.given_up > 0 {
                self.given_up -= 1;
                return Ok(false);
            }
            self.strays += 1;
            return if self.strays > STRAYS_MAX { Err(()) } else { Ok(false) };
        }
        self.late = 0;
        if let Some(pending) = self.pending.remove(&id) {
            // Whoever asked may have left; then the answer is of no use, but no fault either.
            let _ = pending.answer.send(Ok(Answer { items, incomplete }));
        }
        Ok(true)
    }

    /// Gives up what has waited too long. `Err` when the peer answers nothing at all.
    pub(super) fn expire(&mut self, now: Instant) -> Result<(), ()> {
        let late: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| pending.until <= now).map(|(id, _)| *id).collect();
        for id in late {
            let Some(pending) = self.pending.remove(&id) else { continue };
            self.given_up = self.given_up.saturating_add(1);
            if !pending.answer.is_closed() {
                self.late += 1;
            }
            let _ = pending.answer.send(Err(PeerError::Late));
        }
        if self.late >= LATE_MAX { Err(()) } else { Ok(()) }
    }
}
