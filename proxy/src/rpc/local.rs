//! Answers from the store.
//!
//! One [`View`] and one served head make an answer. Whatever is not plainly held is a miss with its reason; `null`
//! is said only about what a held block provably does not have (an index beyond its transactions, say).
//!
//! * [`blocks`], [`transactions`], [`receipts`], [`raw`]: the methods by what they show
//! * [`logs`]: ranges, held wholly or in part
//! * [`bor`]: what only Polygon's chains have

mod blocks;
mod bor;
mod logs;
mod raw;
mod receipts;
mod transactions;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use alloy_primitives::{Address, B256, U256};
use arc_swap::ArcSwap;
use bytes::Bytes;
use hypasis_cache::{BlockRef, Store, StoreError, View};
use hypasis_chain::receipt::Receipt;
use hypasis_chain::render::{self, Beside, Profile, RenderError};
use hypasis_chain::rlp::RlpError;
use hypasis_chain::spec::Family;
use hypasis_chain::{BlockId, Body, ChainSpec, Header};
use tokio::time::Instant;

use super::calibrate::{Facts, Form, Verdicts};
use super::framing::{Rendered, ResultWriter, RpcError};
use super::methods::Local;
use super::params::{Arguments, BlockArgument, Tag};
use super::source::Miss;
use crate::served::{Served, ServedHead};

pub(crate) use logs::Search;

/// The store and what it takes to answer from it.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) store: Store,
    pub(crate) served: ServedHead,
    /// The forms that the node behind writes.
    pub(crate) profile: ArcSwap<Profile>,
    /// Which forms were compared with the node's.
    pub(crate) verdicts: Verdicts,
    /// Largest result.
    pub(crate) response_max: usize,
    /// Most heights of a log search; 0: no limit.
    pub(crate) logs_range_max: u64,
    /// Damaged or failing reads so far.
    pub(crate) failures: AtomicU64,
}

/// A result and the block that it holds for: while that one is canonical, the result is right.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) rendered: Rendered,
    pub(crate) bound: BlockId,
}

/// Why there is no hit.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// Ask a node.
    Miss(Miss),
    /// Ask a node, since its words count; these are Geth's for when there is none.
    Fault(RpcError),
    /// Refused here and everywhere (a limit).
    Refused(RpcError),
    /// A log search of which only parts are held.
    Partly(Search),
    /// Held, but takes its time: ask again with patience.
    Patience,
}

/// Bytes of a body whose senders are recovered at once (29 µs each); larger ones take patience.
const RECOVERED_MAX: usize = 4_096;

/// Who asks, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// What the answer is for.
    pub(crate) mode: Mode,
    /// Whether it may take its time, off the threads that serve.
    pub(crate) patient: bool,
    /// When to give up.
    pub(crate) deadline: Instant,
    /// Turns true when the caller has left.
    pub(crate) left: Option<Arc<AtomicBool>>,
}

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To be given in the node's name.
    Serve,
    /// To be given while no node answers: there is nobody to differ from.
    Alone,
    /// `hypasis-route: store`: tags mean the store's own heads, and forms need no comparison.
    StoreOnly,
    /// To be compared with the node's; notes what it stands on.
    Compare {
        /// Whether logs of state syncs that stand beside blocks are shown in `eth_getLogs`.
        state_sync_logs: bool,
    },
}

/// One moment in which one answer is made.
#[derive(Debug)]
pub(crate) struct Moment<'s> {
    shelf: &'s Shelf,
    pub(crate) view: &'s View,
    pub(crate) served: Served,
    asked: Asked,
    pub(crate) profile: Arc<Profile>,
    /// In [`Mode::Compare`]: the forms and facts that the answer stands on.
    pub(crate) noted: RefCell<Vec<(Form, Facts)>>,
}

/// A block's bytes, alive while it is rendered.
#[derive(Debug)]
struct Held {
    id: BlockId,
    header: Bytes,
    body: Bytes,
    senders: Option<Vec<Address>>,
    /// The receipt of a state sync that stands beside it, if there is one.
    beside: Option<Bytes>,
}

// === impl Asked ===

impl Asked {
    /// Whether nobody waits for the answer any more.
    fn is_over(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(Ordering::Relaxed)) || Instant::now() >= self.deadline
    }
}

// === impl Shelf ===

impl Shelf {
    /// Begins an answer.
    pub(crate) fn moment<'s>(&'s self, view: &'s View, asked: Asked) -> Moment<'s> {
        let served = self.served.now();
        let profile = self.profile.load_full();
        Moment { shelf: self, view, served, asked, profile, noted: RefCell::default() }
    }

    /// Whether what is bound to `id` may be said now.
    pub(crate) fn still_canonical(&self, view: &View, id: BlockId) -> bool {
        if view.finalized().is_some_and(|finalized| id.number <= finalized.number) {
            return true;
        }
        matches!(view.by_number(id.number), Ok(Some(block)) if block.id == id)
    }
}

// === impl Moment ===

impl Moment<'_> {
    /// Answers `method`, or says why not.
    pub(crate) fn answer(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        let in_its_name = matches!(self.asked.mode, Mode::Serve | Mode::Alone);
        if in_its_name && self.shelf.verdicts.lacks(method) {
            return Err(Stop::Miss(Miss::Differs));
        }
        match method {
            Local::ChainId | Local::NetVersion | Local::BlockNumber => Err(Stop::Miss(Miss::Head)),
            Local::BlockByNumber | Local::BlockByHash => self.block(method, params),
            Local::HeaderByNumber | Local::HeaderByHash => self.header(method, params),
            Local::TransactionCountByNumber
            | Local::TransactionCountByHash
            | Local::UncleCountByNumber
            | Local::UncleCountByHash => self.count(method, params),
            Local::UncleByNumber | Local::UncleByHash => self.uncle(method, params),
            Local::TransactionByHash => self.transaction_by_hash(params),
            Local::TransactionByBlockHash | Local::TransactionByBlockNumber => {
                self.transaction_at(method, params)
            }
            Local::RawTransactionByHash | Local::RawTransaction => self.raw_transaction(params),
            Local::RawTransactionByBlockHash | Local::RawTransactionByBlockNumber => {
                self.raw_transaction_at(method, params)
            }
            Local::Receipt => self.receipt(params),
            Local::BlockReceipts => self.block_receipts(params),
            Local::RawHeader | Local::RawBlock | Local::RawReceipts => self.raw(method, params),
            Local::Logs => self.logs(params),
            Local::ReceiptsByBlock
            | Local::BorBlockReceipt
            | Local::RootHash
            | Local::BorRootHash
            | Local::BorAuthor
            | Local::BorSigners
            | Local::BorSignersAtHash => self.bor(method, params),
        }
    }

    /// The canonical block that `argument` names.
    fn resolve(&self, argument: BlockArgument) -> Result<BlockRef, Stop> {
        match argument {
            BlockArgument::Number(number) => self.at(number),
            BlockArgument::Hash(hash, _) => {
                let block = self.read(self.view.by_hash(&hash))?.ok_or(Stop::Miss(Miss::NotIndexed))?;
                if block.canonical { Ok(block) } else { Err(Stop::Miss(Miss::NotCanonical)) }
            }
            BlockArgument::Tag(Tag::Pending) => Err(Stop::Miss(Miss::Pending)),
            BlockArgument::Tag(Tag::Earliest) => self.at(0),
            BlockArgument::Tag(tag) => {
                let id = self.tagged(tag).ok_or_else(|| self.untagged(tag))?;
                match self.read(self.view.by_number(id.number))? {
                    Some(block) if block.id == id => Ok(block),
                    _ => Err(Stop::Miss(Miss::Head)),
                }
            }
        }
    }

    /// The block that a moving tag means, if it is answered here.
    fn tagged(&self, tag: Tag) -> Option<BlockId> {
        match tag {
            Tag::Latest if self.store_only() => self.view.head(),
            Tag::Latest => self.served.latest.filter(|_| self.served.local),
            // Nothing tells Bor which block is safe.
            Tag::Safe => self.served.safe.filter(|_| self.shelf.spec.family != Family::Bor),
            Tag::Finalized => self.served.finalized,
            Tag::Earliest | Tag::Pending => None,
        }
    }

    fn store_only(&self) -> bool {
        self.asked.mode == Mode::StoreOnly
    }

    fn at(&self, number: u64) -> Result<BlockRef, Stop> {
        let above = self.served.latest.is_some_and(|latest| number > latest.number);
        if above && !self.store_only() {
            return Err(Stop::Miss(Miss::AboveHead));
        }
        let missing = if above { Miss::AboveHead } else { Miss::Gap };
        self.read(self.view.by_number(number))?.ok_or(Stop::Miss(missing))
    }

    /// The canonical transaction with that hash.
    fn located(&self, hash: &B256) -> Result<(BlockRef, u32), Stop> {
        self.read(self.view.transaction(hash))?.ok_or(Stop::Miss(Miss::NotIndexed))
    }

    fn header_bytes(&self, block: &BlockRef) -> Result<Bytes, Stop> {
        self.read(self.view.header(block))?.ok_or(Stop::Miss(Miss::Gap))
    }

    fn body_bytes(&self, block: &BlockRef) -> Result<Bytes, Stop> {
        self.read(self.view.body(block))?.ok_or(Stop::Miss(Miss::Gap))
    }

    fn receipt_bytes(&self, block: &BlockRef) -> Result<Bytes, Stop> {
        self.read(self.view.receipts(block))?.ok_or(Stop::Miss(Miss::Gap))
    }

    fn held(&self, block: &BlockRef) -> Result<Held, Stop> {
        let beside = self.beside(block)?;
        Ok(Held { beside, ..self.inside(block)? })
    }

    /// The block without what stands beside it.
    fn inside(&self, block: &BlockRef) -> Result<Held, Stop> {
        let (header, body) = (self.header_bytes(block)?, self.body_bytes(block)?);
        let senders = self.read(self.view.senders(block))?;
        if senders.is_none() && !self.asked.patient && body.len() > RECOVERED_MAX {
            return Err(Stop::Patience);
        }
        Ok(Held { id: block.id, header, body, senders, beside: None })
    }

    /// The canonical block at a height.
    pub(crate) fn canonical(&self, number: u64) -> Result<BlockId, Stop> {
        self.at(number).map(|block| block.id)
    }

    /// Refuses forms that were not found equal to the node's. Offline there is nobody to differ from.
    fn allowed(&self, form: Form, facts: Facts) -> Result<(), Stop> {
        match self.asked.mode {
            Mode::StoreOnly => return Ok(()),
            Mode::Alone => return self.shelf.verdicts.allows(form, facts, false).map_err(Stop::Miss),
            Mode::Compare { .. } => {
                let mut noted = self.noted.borrow_mut();
                if !noted.contains(&(form, facts)) {
                    noted.push((form, facts));
                }
                return Ok(());
            }
            Mode::Serve => {}
        }
        self.shelf.verdicts.allows(form, facts, self.served.upstream).map_err(Stop::Miss)
    }

    fn render<'h>(&'h self, held: &'h Held) -> Result<render::Parts<'h>, Stop> {
        let header = self.sound(Header::parse(&held.header))?;
        let body = self.sound(Body::parse(&held.body))?;
        let parts = render::Parts::new(&self.shelf.spec, &self.profile, held.id.hash, header, body);
        let total_difficulty = self.total_difficulty(&parts.header);
        let beside = match held.beside.as_deref() {
            None => Beside::Nothing,
            Some(extra) => self.sound(Receipt::parse(extra)).map(Beside::Receipt)?,
        };
        Ok(render::Parts { senders: held.senders.as_deref(), total_difficulty, beside, ..parts })
    }

    /// For clients that show it: that of a merged chain, to which nothing is added any more.
    fn total_difficulty(&self, header: &Header<'_>) -> Option<U256> {
        if !self.profile.shows_total_difficulty() || !header.difficulty().is_zero() {
            return None;
        }
        self.shelf.spec.merged_total_difficulty().or_else(|| {
            let genesis = self.view.by_number(0).ok().flatten()?;
            let bytes = self.view.header(&genesis).ok().flatten()?;
            let merged = Header::parse(&bytes).ok()?.difficulty().is_zero();
            merged.then_some(U256::ZERO)
        })
    }

    /// Closes a result; one that is too large is refused.
    fn finish(&self, writer: ResultWriter, bound: BlockId) -> Result<Hit, Stop> {
        self.fits(writer.len())?;
        Ok(Hit { rendered: writer.finish(), bound })
    }

    fn fits(&self, bytes: usize) -> Result<(), Stop> {
        let fits = bytes <= self.shelf.response_max;
        if fits { Ok(()) } else { Err(Stop::Refused(RpcError::RESPONSE_TOO_LARGE)) }
    }

    /// A failing store is a miss for the caller and an error for the operator.
    fn read<T>(&self, outcome: Result<T, StoreError>) -> Result<T, Stop> {
        outcome.map_err(|error| {
            self.failed(&error);
            Stop::Miss(Miss::Store)
        })
    }

    /// Stored bytes that do not parse are damage.
    fn sound<T>(&self, outcome: Result<T, RlpError>) -> Result<T, Stop> {
        outcome.map_err(|error| {
            self.failed(&error);
            Stop::Miss(Miss::Store)
        })
    }

    fn rendered<T>(&self, outcome: Result<T, RenderError>) -> Result<T, Stop> {
        outcome.map_err(|error| match error {
            RenderError::Unknown(_) => Stop::Miss(Miss::Form),
            RenderError::Rlp(error) => {
                self.failed(&error);
                Stop::Miss(Miss::Store)
            }
        })
    }

    fn failed(&self, error: &dyn std::error::Error) {
        self.shelf.failures.fetch_add(1, Ordering::Relaxed);
        tracing::error!(error = %error, "an answer could not be read from the store; the call passes through");
    }
}

/// Splits parameters; an error of form is the node's to word.
fn arguments(params: &[u8], at_most: usize) -> Result<Arguments<'_>, Stop> {
    Arguments::split(params, at_most).map_err(Stop::Fault)
}

/// The block that the first parameter names, by hash or by number as the method wants it.
fn block_argument(arguments: &Arguments<'_>, by_hash: bool) -> Result<BlockArgument, Stop> {
    let argument = if by_hash {
        arguments.hash(0).map(|hash| BlockArgument::Hash(hash, false))
    } else {
        arguments.number_or_tag(0)
    };
    argument.map_err(Stop::Fault)
}
