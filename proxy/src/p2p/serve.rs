//! Headers, bodies and receipts for peers, from the store.
//!
//! A request is read in one hop on a thread that may wait for the disk: bytes go from the database into the message,
//! and nothing of a block is decoded (but receipts for eth/68, which need their blooms). One view makes an answer.
//! What the store lacks is asked of other sources ([`super::forward`]), within the asker's patience.
//!
//! An answer is never wrong and maybe short. Bodies and receipts end at the first block that could not be had, as
//! Geth's do. Headers reach as far as asked or as far as the chain, since Geth drops whoever gives its skeleton fewer;
//! there is never a hole in them. What lies above the served head does not exist: nobody is asked for it.
//!
//! On Polygon before Madhugiri a receipt may stand beside a block, which no root covers. Bor's eth/69 shows it as the
//! block's last one and its eth/68 does not. Where it is not known whether there is one, the answer ends.
//!
//! Limits are go-ethereum's (`eth/protocols/eth/handler.go`): 1,024 items; bodies and receipts end with the one that
//! reaches 2 MiB. Headers in a row know no such limit there, so they end at the largest message only; with gaps
//! between them they end at 2 MiB.

mod blocks;
mod headers;
mod heights;
mod item;

use std::sync::Arc;

use bytes::Bytes;
use hypasis_cache::{Store, View};
use hypasis_upstream::peer::PeerId;
use hypasis_wire::eth::{
    EthMessageID, EthVersion, GetBlockBodies, GetBlockHeaders, GetReceipts, GetReceipts70,
    MAX_BOR_RECEIPTS_SIZE, MAX_MESSAGE_SIZE, RawAnswer, RequestPair,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::blocks::Form;
use super::forward::Forward;
use crate::served::ServedHead;

/// Answers that are read from the store at once, over all peers; others wait their turn.
const READS_AT_ONCE: usize = 16;
/// Largest payload of an answer: room is left for what a session puts around it.
pub const HARD_LIMIT: usize = MAX_MESSAGE_SIZE - 1_024;
/// The same for receipts on Bor, with room for what compression adds to what cannot be compressed.
pub const BOR_RECEIPTS_LIMIT: usize = MAX_BOR_RECEIPTS_SIZE - (64 << 10);

/// Blocks for peers. Clone freely.
#[derive(Clone, Debug)]
pub struct Library {
    shelf: Arc<Shelf>,
}

#[derive(Debug)]
struct Shelf {
    store: Store,
    served: ServedHead,
    forward: Forward,
    reads: Semaphore,
}

/// What a peer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Headers.
    Headers(RequestPair<GetBlockHeaders>),
    /// Bodies.
    Bodies(RequestPair<GetBlockBodies>),
    /// Receipts, eth/68 and eth/69.
    Receipts(RequestPair<GetReceipts>),
    /// Receipts, eth/70.
    Receipts70(RequestPair<GetReceipts70>),
}

/// A whole answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which message it is.
    pub id: EthMessageID,
    /// Its payload, request id included; at most [`HARD_LIMIT`] bytes.
    pub payload: Bytes,
    /// Headers, bodies or lists of receipts in it.
    pub items: usize,
    /// How many of them came from other sources just now.
    pub forwarded: usize,
}

/// Who asks.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// The peer, if it is one. It is not asked, whichever source it stands behind.
    pub peer: Option<PeerId>,
    /// Sources that are the asker itself and nobody else. They are not asked.
    pub sources: Vec<Arc<str>>,
}

/// Who asks, and until when an answer is of use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    /// Who.
    pub(crate) who: &'a Who,
    /// When its patience ends.
    pub(crate) deadline: Instant,
}

/// An answer in the making.
#[derive(Debug)]
struct Draft {
    answer: RawAnswer,
    forwarded: usize,
}

// === impl Library ===

impl Library {
    /// Serves from `store` up to the head of `served`, and passes on what `forward` can get.
    pub fn new(store: Store, served: ServedHead, forward: Forward) -> Self {
        let shelf = Shelf { store, served, forward, reads: Semaphore::new(READS_AT_ONCE) };
        Self { shelf: Arc::new(shelf) }
    }

    /// Answers a request in a session of `version`; takes five seconds at most. `who` asks is never asked for it.
    pub async fn answer(&self, version: EthVersion, request: Request, who: &Who) -> Answer {
        let asker = Asker { who, deadline: Instant::now() + super::forward::PATIENCE };
        match request {
            Request::Headers(request) => {
                let draft = self.headers(request.request_id, request.message, asker).await;
                draft.finish(EthMessageID::BlockHeaders)
            }
            Request::Bodies(RequestPair { request_id, message }) => {
                let draft = self.blocks(request_id, message.0, Form::Bodies, asker).await;
                draft.finish(EthMessageID::BlockBodies)
            }
            Request::Receipts(RequestPair { request_id, message }) => {
                let form = if version == EthVersion::Eth68 { Form::Receipts68 } else { Form::Receipts69 };
                let draft = self.blocks(request_id, message.0, form, asker).await;
                draft.finish(EthMessageID::Receipts)
            }
            Request::Receipts70(RequestPair { request_id, message }) => {
                let form = Form::Receipts70 { first: message.first_block_receipt_index };
                let draft = self.blocks(request_id, message.hashes, form, asker).await;
                draft.finish_receipts70()
            }
        }
    }

    /// Runs `read` on a thread that may wait for the disk, with a view of this moment.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Shelf, &View) -> T + Send + 'static) -> T {
        // The semaphore is never closed.
        let _turn = self.shelf.reads.acquire().await;
        let shelf = self.shelf.clone();
        crate::sync::blocking(move || read(&shelf, &shelf.store.view())).await
    }
}

// === impl Shelf ===

impl Shelf {
    /// The highest height that is spoken of.
    fn head(&self, view: &View) -> Option<u64> {
        let head = self.served.now().latest.or_else(|| view.head().max(self.forward.head()));
        head.map(|head| head.number)
    }
}

// === impl Asker ===

impl Asker<'_> {
    /// Whether an answer is still of use.
    pub(crate) fn is_waiting(&self) -> bool {
        Instant::now() < self.deadline
    }
}

// === impl Draft ===

impl Draft {
    fn new(answer: RawAnswer) -> Self {
        Self { answer, forwarded: 0 }
    }

    fn finish(self, id: EthMessageID) -> Answer {
        let items = self.answer.count();
        Answer { id, payload: self.answer.finish(), items, forwarded: self.forwarded }
    }

    fn finish_receipts70(self) -> Answer {
        let (id, items) = (EthMessageID::Receipts, self.answer.count());
        Answer { id, payload: self.answer.finish_receipts70(), items, forwarded: self.forwarded }
    }
}
