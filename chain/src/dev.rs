//! The development chain: deterministic from a seed, minted as it is needed.
//!
//! Everything of a block follows from the options, the genesis time, its height and its parent; the same options
//! give the same hashes in every process. Headers, fees, signatures, blooms and roots are valid under Ethereum's
//! rules. There is no state behind it: state roots and balances mean nothing, and whether a transaction succeeds
//! is drawn. The senders' keys are public (see `keys`).
//!
//! Heights are minted in order, since a header needs its parent's hash. A table of 128 bytes a height is kept,
//! so that any minted block can be made again at once, from any thread. Heights above the head are minted for
//! whoever asks, but belong to the chain only once [`DevChain::advance`] has reached them.
//!
//! * `plan`: what transactions do; `transactions`, `logs`, `lists`, `header`: how it is written; `mint`: a whole
//!   block; `batch`: many new ones
//! * `place`, `fees`, `forks`: the rules; `cast`, `keys`: who acts; `draw`: the dice
//! * `table`: what is remembered; `corrupt`: lies for tests
//! * [`bor`]: another development chain, of Polygon's form

mod batch;
pub mod bor;
mod bytes;
mod cast;
mod corrupt;
mod draw;
mod fees;
mod forks;
mod header;
mod keys;
mod lists;
mod logs;
mod mint;
mod place;
mod plan;
mod table;
mod transactions;

use std::ops::Range;

use ::bytes::Bytes;
use alloy_primitives::B256;
use parking_lot::{Mutex, MutexGuard, RwLock};

pub use self::corrupt::{Corruption, corrupt};
pub use self::forks::{DevFork, DevForks, NEVER};
pub use self::plan::TRANSACTIONS_MAX;
pub use self::table::REPLACED_MAX;

use self::mint::{Bench, Mint};
use self::place::{Place, Seal};
use self::table::Table;
use crate::block::{Block, BlockId};
use crate::spec::ChainSpec;

/// Chain id of every development chain, as of Geth's.
pub const DEV_CHAIN_ID: u64 = 1_337;

/// What a development chain looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevOptions {
    /// Heights that exist at start.
    pub history: u64,
    /// Mean transactions of a block, 0 to 500 (more count as 500). With 1, no block has more than one.
    pub transactions: u32,
    /// Milliseconds between blocks. Timestamps are a second apart at least, since no block may share its parent's.
    pub period_ms: u64,
    /// Everything follows from this.
    pub seed: u64,
}

/// A chain that mints itself. Shared freely; minting holds a lock of its own, which readers of minted heights do
/// not wait for.
#[derive(Debug)]
pub struct DevChain {
    options: DevOptions,
    mint: Mint,
    table: RwLock<Table>,
    /// Where the next block stands. Whoever mints holds this lock, and takes the table's only after it.
    next: Mutex<Place>,
}

/// How many transactions and blocks are minted before other threads that wait to mint are let in.
const BATCH_WORK: u64 = 4_096;

// === impl DevChain ===

impl DevChain {
    /// A chain whose genesis time is `genesis_time` (seconds), with every fork active from genesis.
    pub fn new(options: DevOptions, genesis_time: u64) -> Self {
        Self::with_forks(options, genesis_time, DevForks::default())
    }

    /// A chain on which forks come at the given heights.
    pub fn with_forks(options: DevOptions, genesis_time: u64, forks: DevForks) -> Self {
        let mint = Mint::new(&options, genesis_time, forks);
        let table = RwLock::new(Table::new(options.history));
        Self { options, mint, table, next: Mutex::new(Place::GENESIS) }
    }

    /// What it was made with.
    pub fn options(&self) -> &DevOptions {
        &self.options
    }

    /// The heights at which its forks come in fact.
    pub fn forks(&self) -> &DevForks {
        &self.mint.forks
    }

    /// The spec of this chain: `dev`, its genesis included.
    pub fn spec(&self) -> ChainSpec {
        let forks = &self.mint.forks;
        let mut spec = ChainSpec::dev(self.block(0), DEV_CHAIN_ID);
        spec.forks = forks.to_spec(|height| self.mint.timestamp(height));
        spec.merge_block = Some(forks.paris).filter(|height| *height != NEVER);
        spec
    }

    /// Timestamp of the block at `number`, seconds since the epoch, on whatever fork.
    pub fn timestamp(&self, number: u64) -> u64 {
        self.mint.timestamp(number)
    }

    /// The id of the canonical block at `number`, minting up to it. That takes 8 µs of a core a height for blocks
    /// of one transaction and 90 µs at a mean of 20, and 128 bytes of memory; there is no upper bound, so a height
    /// from outside is compared with the head first.
    pub fn id_at(&self, number: u64) -> BlockId {
        self.minted(number, |table| table.id(number))
    }

    /// The canonical block at `number` with receipts, minting up to it.
    pub fn block(&self, number: u64) -> Block {
        let (place, seal) = self.minted(number, |table| table.place(number));
        self.mint.block(&place, seal, &mut Bench::default())
    }

    /// The canonical blocks of a range with receipts, ascending. Threads that ask for ranges that are minted
    /// already do not hinder each other.
    pub fn blocks(&self, range: Range<u64>) -> Vec<Block> {
        let mut bench = Bench::default();
        let places = self.places(range);
        places.iter().map(|(place, seal)| self.mint.block(place, *seal, &mut bench)).collect()
    }

    /// The headers of a range of canonical blocks, ascending; several times cheaper than the blocks.
    pub fn headers(&self, range: Range<u64>) -> Vec<Bytes> {
        let mut bench = Bench::default();
        let places = self.places(range);
        places.iter().map(|(place, seal)| self.mint.header(place, *seal, &mut bench)).collect()
    }

    /// The block with that hash, canonical or among the last [`REPLACED_MAX`] that were replaced.
    pub fn block_by_hash(&self, hash: &B256) -> Option<Block> {
        let (place, seal) = self.table.read().place_of(hash)?;
        Some(self.mint.block(&place, seal, &mut Bench::default()))
    }

    /// The height of the block with that hash if it is minted and canonical.
    pub fn number_of(&self, hash: &B256) -> Option<u64> {
        self.table.read().number_of(hash)
    }

    /// Current head (moves by `advance` and `reorg`), minting up to it.
    pub fn head(&self) -> BlockId {
        let head = self.table.read().head;
        self.id_at(head)
    }

    /// Mints `count` more blocks onto the head.
    pub fn advance(&self, count: u64) -> BlockId {
        let mut next = self.next.lock();
        let head = self.table.read().head.saturating_add(count);
        self.mint_to(&mut next, head);
        self.table.write().head = head;
        drop(next);
        self.id_at(head)
    }

    /// Replaces the last `depth` blocks (never genesis) by `length` other ones; returns the new head. The switch
    /// is one step for readers. Heights above the head that somebody asked for change too.
    pub fn reorg(&self, depth: u64, length: u64) -> BlockId {
        let mut next = self.next.lock();
        let ancestor = self.table.read().head.saturating_sub(depth);
        self.mint_to(&mut next, ancestor);
        let branch = self.table.read().place(ancestor);
        let salt = next.salt.wrapping_add(1);
        if let Some((place, seal)) = branch {
            *next = Place { salt, ..self.mint.child(&place, seal) };
        }
        let fork = self.mint.mint(&mut next, length);
        let mut table = self.table.write();
        table.replace_from(ancestor.saturating_add(1));
        fork.iter().for_each(|(place, seal)| table.push(place, *seal));
        table.head = ancestor.saturating_add(length);
        let head = table.id(table.head);
        drop((table, next));
        head.unwrap_or_else(|| self.head())
    }

    /// Where the blocks of a range stand, all of one fork.
    fn places(&self, range: Range<u64>) -> Vec<(Place, Seal)> {
        let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
            return Vec::new();
        };
        self.minted(last, |table| range.clone().map(|number| table.place(number)).collect())
    }

    /// Reads something that is there once `number` is minted.
    fn minted<T>(&self, number: u64, read: impl Fn(&Table) -> Option<T>) -> T {
        loop {
            if let Some(value) = read(&self.table.read()) {
                return value;
            }
            let mut next = self.next.lock();
            self.mint_batch(&mut next, number);
            MutexGuard::unlock_fair(next);
        }
    }

    /// Mints up to `number`, if that is not there already.
    fn mint_to(&self, next: &mut Place, number: u64) {
        while next.number <= number {
            self.mint_batch(next, number);
        }
    }

    /// Mints a batch towards `number`, if that is not there already.
    fn mint_batch(&self, next: &mut Place, number: u64) {
        let missing = number.saturating_add(1).saturating_sub(next.number);
        let batch = BATCH_WORK / u64::from(self.mint.mean.max(1)) + 1;
        let minted = self.mint.mint(next, missing.min(batch));
        let mut table = self.table.write();
        minted.iter().for_each(|(place, seal)| table.push(place, *seal));
    }
}
