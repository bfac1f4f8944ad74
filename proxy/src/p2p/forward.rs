//! What peers ask for and the store lacks: asked of other sources, verified, passed on within the asker's deadline.
//!
//! * Askers share: whoever asks for what is under way waits for it with the others (`flights`). Each has a share of the
//!   questions, so that nobody takes them all (`shares`).
//! * Two sources are asked at once where there are two, and what is right first is taken; who lies is blamed, and the
//!   next one is asked (`ask`). The asker itself never is.
//! * Headers by number must be in a row, linked to each other and to what is held beside them; those of strangers also
//!   to a block above them that is known to be of the chain (`headers`). Headers by hash, bodies and receipts prove
//!   themselves (`blocks`).
//! * What came is remembered: headers by hash, so that the bodies that are asked for next are recognised; whole blocks
//!   where sync finds them ([`crate::sync::kept`]).
//!
//! Forwarding goes before filling, but its requests under way are bounded, and so is every memory here.

mod ask;
mod blocks;
mod flights;
mod headers;
mod shares;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::Store;
use hypasis_cache::store::Verified;
use hypasis_chain::{BlockId, ChainSpec, Level};
use hypasis_upstream::peer::PeerId;
use moka::sync::Cache;
use tokio::sync::Semaphore;

use self::flights::Flights;
use self::shares::Shares;
use crate::served::ServedHead;
use crate::sync::kept::Kept;
use crate::sync::sources::Sources;
use crate::sync::verify::Checks;

/// How long an asker waits: Geth gives up after 6 s at the earliest (`p2p/msgrate`: three times a round trip of 2 s).
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Questions that are with sources at once, each with two of them at most.
const ASKED_AT_ONCE: usize = 32;
/// Of those, the ones of one peer.
const ASKED_BY_ONE: usize = 4;
/// The ones about a block of which nothing is known but a hash, which anybody can make up: all, and of one peer.
const UNKNOWN_AT_ONCE: usize = 8;
const UNKNOWN_BY_ONE: usize = 2;
/// Bytes of headers remembered by hash.
const HEADERS_BYTES: u64 = 16 << 20;
/// Hashes remembered that no source knew, and for how long: then one may have learnt of it.
const ABSENT_MAX: u64 = 4_096;
const ABSENT_TIME: Duration = Duration::from_secs(4);
/// Heights of which the hash is known because what lies above them went through here, and for how long: a reorg may
/// come meanwhile.
const ANCHORS_MAX: u64 = 4_096;
const ANCHORS_TIME: Duration = Duration::from_secs(60);
/// Bytes of a block before any was seen.
const BLOCK_BYTES_FIRST: u64 = 16 << 10;
/// Blocks that a reorg may reach back where nobody has said what is final.
const REORG_DEPTH: u64 = 128;

/// The way to other sources. Clone freely.
#[derive(Clone, Debug)]
pub struct Forward {
    desk: Arc<Desk>,
}

/// What forwarding needs of the other rooms.
#[derive(Debug)]
pub struct Parts {
    /// Whom to ask; the same that sync asks.
    pub sources: Sources,
    /// What is checked of a block. Bodies are checked in any case.
    pub checks: Checks,
    /// Where verified blocks go.
    pub kept: Kept,
    /// What is held beside what is missing.
    pub store: Store,
    /// What is final.
    pub served: ServedHead,
}

/// A block that is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Its hash.
    pub(crate) hash: B256,
    /// Its height too, if its header is held.
    pub(crate) id: Option<BlockId>,
}

#[derive(Debug)]
struct Desk {
    sources: Sources,
    checks: Checks,
    kept: Kept,
    store: Store,
    served: ServedHead,
    headers: Flights<HeadersKey, Arc<[Bytes]>>,
    blocks: Flights<BlockKey, Verified>,
    known: Cache<B256, (u64, Bytes)>,
    absent: Cache<B256, ()>,
    /// Hashes of the chain by height.
    anchors: Cache<u64, B256>,
    turns: Semaphore,
    unknown_turns: Semaphore,
    shares: Shares,
    unknown_shares: Shares,
    /// Mean bytes of what was asked of a block lately.
    block_bytes: AtomicU64,
}

/// Headers under way: first and last height, and for whom alone, if not for all.
type HeadersKey = (u64, u64, Option<PeerId>);
/// A block under way, whether its receipts must come with it, and for whom alone, if not for all.
type BlockKey = (B256, bool, Option<PeerId>);

// === impl Forward ===

impl Forward {
    /// Forwards to the sources of `parts`.
    pub fn new(parts: Parts) -> Self {
        let Parts { sources, checks, kept, store, served } = parts;
        let weigh = |_: &B256, (_, header): &(u64, Bytes)| {
            u32::try_from(header.len()).unwrap_or(u32::MAX).saturating_add(ENTRY_BYTES)
        };
        let checks = Checks::new(checks.level.max(Level::Light), checks.spec);
        Self {
            desk: Arc::new(Desk {
                sources,
                checks,
                kept,
                store,
                served,
                headers: Flights::default(),
                blocks: Flights::default(),
                known: Cache::builder().max_capacity(HEADERS_BYTES).weigher(weigh).build(),
                absent: Cache::builder().max_capacity(ABSENT_MAX).time_to_live(ABSENT_TIME).build(),
                anchors: Cache::builder().max_capacity(ANCHORS_MAX).time_to_live(ANCHORS_TIME).build(),
                turns: Semaphore::new(ASKED_AT_ONCE),
                unknown_turns: Semaphore::new(UNKNOWN_AT_ONCE),
                shares: Shares::new(ASKED_BY_ONE),
                unknown_shares: Shares::new(UNKNOWN_BY_ONE),
                block_bytes: AtomicU64::new(BLOCK_BYTES_FIRST),
            }),
        }
    }

    /// The highest block that can be had where nothing is served yet: only of sources that the operator named, since a
    /// stranger may name what it likes.
    pub(crate) fn head(&self) -> Option<BlockId> {
        self.desk.sources.named_head()
    }

    /// The chain's rules.
    pub(crate) fn spec(&self) -> &Arc<ChainSpec> {
        &self.desk.checks.spec
    }

    /// To which level blocks from here are verified; their receipts, where they have some.
    pub(crate) fn level(&self) -> Level {
        self.desk.checks.level
    }
}

/// What a remembered header costs beside its bytes.
const ENTRY_BYTES: u32 = 160;

// === impl Desk ===

impl Desk {
    fn remember(&self, hash: B256, number: u64, header: &Bytes) {
        // A copy of its own: a slice would keep the whole answer alive.
        self.known.insert(hash, (number, Bytes::copy_from_slice(header)));
    }

    fn block_bytes(&self) -> u64 {
        self.block_bytes.load(Ordering::Relaxed).max(1)
    }

    fn learn_block_bytes(&self, bytes: u64) {
        let mean = self.block_bytes().saturating_mul(7).saturating_add(bytes) / 8;
        self.block_bytes.store(mean, Ordering::Relaxed);
    }

    /// The hash at `number`, if that is known although the block is not held.
    fn anchor(&self, number: u64) -> Option<B256> {
        let served = self.served.now();
        let known = [served.latest, served.finalized, self.sources.named_head()];
        let known = known.into_iter().flatten().find(|id| id.number == number).map(|id| id.hash);
        known.or_else(|| self.anchors.get(&number))
    }

    /// Up to which height what contradicts itself is a lie, and no reorg.
    fn settled(&self) -> u64 {
        let (served, view) = (self.served.now(), self.store.view());
        let finalized = served.finalized.max(view.finalized()).map(|id| id.number);
        finalized.unwrap_or_else(|| served.latest.map_or(0, |id| id.number.saturating_sub(REORG_DEPTH)))
    }
}
