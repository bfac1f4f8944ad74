//! Disk space: what filling will take, and what is given up when it must not grow.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::keccak256;
use hypasis_cache::store::Stats;
use hypasis_cache::{Kind, StoreError};
use hypasis_chain::BlockId;

use super::gaps::{self, section_of};
use super::shared::{Shared, Way, blocking};
use super::sources::Want;
use super::verify::size;

/// How often sizes are looked at.
const INTERVAL: Duration = Duration::from_secs(5);
/// Blocks that must be held before their mean size says something about the rest.
const SAMPLE_BLOCKS: u64 = 1_024;
/// Blocks that are looked at before anything is filled, and how long that may take.
const SAMPLES: u64 = 8;
const SAMPLE_TIME: Duration = Duration::from_secs(20);
/// Share of `max_size` (in hundredths) at which history takes no more; pruning starts at the whole, so the two do not
/// chase each other.
const FULL_PERCENT: u64 = 95;

/// What the projection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projection {
    /// Bytes that the missing blocks will take.
    pub missing_bytes: u64,
    /// Bytes that are there for them: free disk less what merging the indexes takes for a while, or what `max_size`
    /// leaves if that is less.
    pub room_bytes: u64,
}

// === impl Projection ===

impl Projection {
    /// Projects from the mean size of what is held, or from `sampled` bytes a block while too little is held to say.
    pub fn new(
        stats: &Stats,
        sampled: Option<u64>,
        missing_blocks: u64,
        max_size: Option<u64>,
    ) -> Option<Self> {
        let held = stats.history_blocks >= SAMPLE_BLOCKS;
        let mean = |bytes: u64| held.then(|| bytes / stats.history_blocks.max(1));
        let missing_bytes = mean(stats.disk_bytes).or(sampled)?.saturating_mul(missing_blocks);
        let left = max_size.map_or(u64::MAX, |max| max.saturating_sub(stats.disk_bytes));
        // An index that is merged whole is written anew before the old one goes.
        let indexes = mean(stats.index_bytes()).unwrap_or_default();
        let merging = indexes.saturating_mul(stats.history_blocks.saturating_add(missing_blocks));
        Some(Self { missing_bytes, room_bytes: stats.free_bytes.saturating_sub(merging).min(left) })
    }

    /// Whether it fits.
    pub fn fits(&self) -> bool {
        self.missing_bytes <= self.room_bytes
    }
}

/// Watches sizes until everything must end.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut told = None;
    let sampled = tokio::time::timeout(SAMPLE_TIME, sample(&shared)).await.ok().flatten();
    loop {
        let task = shared.clone();
        match blocking(move || check(&task, sampled)).await {
            Ok(projection) => tell(&shared, projection, &mut told),
            Err(error) => tracing::error!(%error, "Pruning failed"),
        }
        {
            let mut state = shared.state.lock();
            state.unavailable = hypasis_cache::Ranges::default();
            state.lacking_extra = hypasis_cache::Ranges::default();
        }
        shared.bump();
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Says once that it will not fit, and once that it does again.
fn tell(shared: &Shared, projection: Option<Projection>, told: &mut Option<bool>) {
    let Some(projection) = projection else { return };
    if *told == Some(projection.fits()) {
        return;
    }
    *told = Some(projection.fits());
    let Projection { missing_bytes, room_bytes } = projection;
    match (projection.fits(), shared.store_config.max_size.is_some()) {
        (true, _) => tracing::info!(missing_bytes, room_bytes, "What is missing fits the disk"),
        (false, true) => {
            tracing::warn!(
                missing_bytes,
                room_bytes,
                "History will not be whole: the oldest sections go at max_size"
            );
        }
        (false, false) => tracing::error!(
            missing_bytes,
            room_bytes,
            "What is missing will not fit the disk: set store.max_size or sync.backward.oldest, or make room"
        ),
    }
}

/// Mean raw bytes of a few blocks spread over what is to be filled; the disk takes less, since it compresses.
async fn sample(shared: &Arc<Shared>) -> Option<u64> {
    let span = shared.span(Way::Backward)?;
    let step = ((span.end() - span.start()) / SAMPLES).max(1);
    let (mut bytes, mut blocks) = (0_u64, 0_u64);
    for number in span.step_by(usize::try_from(step).ok()?) {
        let lease = shared.sources.lease(&Want::blocks(number..=number)).await;
        let Ok(headers) = lease.source().headers(number, 1).await else { continue };
        let Some(hash) = headers.first().map(keccak256) else { continue };
        let Ok(found) = lease.source().blocks(&[BlockId { number, hash }], true).await else { continue };
        bytes = bytes.saturating_add(found.iter().map(size).sum());
        blocks = blocks.saturating_add(found.len() as u64);
    }
    bytes.checked_div(blocks)
}

fn check(shared: &Shared, sampled: Option<u64>) -> Result<Option<Projection>, StoreError> {
    let stats = shared.store.stats();
    let max_size = shared.store_config.max_size.map(|size| size.bytes());
    shared.state.lock().full = max_size.is_some_and(|max| stats.disk_bytes >= max / 100 * FULL_PERCENT);
    let headers = shared.store.view().ranges(Kind::Header);
    let lowest = headers.iter().next().map(|range| *range.start());
    if let Some(lowest) = lowest {
        let too_large = max_size.is_some_and(|max| stats.disk_bytes > max);
        // What is above the checkpoint's section is the head's region: it goes only by promotion and `oldest`.
        let last = shared.checkpoint().map_or(0, |id| *section_of(id.number).start());
        if let Some(range) = prune(lowest, shared.oldest(), too_large && lowest < last) {
            tracing::info!(from = range.start(), to = range.end(), "Pruning the oldest history");
            shared.store.remove(range.clone())?;
            let mut state = shared.state.lock();
            state.floor =
                if too_large { state.floor.max(range.end().saturating_add(1)) } else { state.floor };
        }
    }
    let missing = shared.span(Way::Backward).map_or(0, |span| gaps::missing(&shared.complete(), span));
    Ok(Projection::new(&stats, sampled, missing, max_size))
}

/// What should go: everything in whole sections below `oldest`, and the lowest section if the store is too large.
pub fn prune(lowest: u64, oldest: u64, too_large: bool) -> Option<RangeInclusive<u64>> {
    let keep_from = *section_of(oldest).start();
    if lowest < keep_from {
        return Some(lowest..=keep_from.saturating_sub(1));
    }
    too_large.then(|| lowest..=*section_of(lowest).end())
}
