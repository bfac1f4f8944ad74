//! Downward from the checkpoint: header links, section by section.
//!
//! This task runs ahead of the workers by a few sections only, so that the newest history is whole first. It also
//! closes the holes that removal left anywhere in the settled history: each has a linked block above it.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use hypasis_cache::Kind;
use hypasis_cache::store::SECTION;

use super::gaps;
use super::headers::{HeadersError, link_down};
use super::shared::{Halt, Shared, Way};

/// Sections that links run ahead of each worker.
const AHEAD_SECTIONS: u64 = 2;
/// Rest after the store failed.
const REST: Duration = Duration::from_secs(2);

/// Closes links until everything must end.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        let mut changes = shared.changes();
        let piece = match next(&shared) {
            Some(piece) => piece,
            None => {
                let _ = changes.changed().await;
                continue;
            }
        };
        let (range, way) = piece;
        match link_down(&shared, range, way).await {
            Ok(()) => {}
            Err(HeadersError::Store(error)) => {
                tracing::error!(%error, "Headers could not be stored");
                tokio::time::sleep(REST).await;
            }
            Err(error @ HeadersError::Contradiction { .. }) => {
                let advice = "drop the damaged range with `hypasis store verify`, or correct the checkpoint";
                shared.halt(Halt::Links, Some(format!("{error}; {advice}")));
                shared.stopped().await;
            }
        }
    }
}

/// The next piece to link, holes above the checkpoint first: they are near the head.
fn next(shared: &Shared) -> Option<(RangeInclusive<u64>, Way)> {
    let held = shared.store.view().ranges(Kind::Header);
    if shared.config.forward.enabled
        && let Some(span) = shared.span(Way::Forward)
        && let Some(piece) = gaps::next_headers_down(&held, span)
    {
        return Some((piece, Way::Forward));
    }
    if !shared.config.backward.enabled || shared.state.lock().full {
        return None;
    }
    let span = shared.span(Way::Backward)?;
    let piece = gaps::next_headers_down(&held, span.clone())?;
    // Without workers behind it the task would link the whole chain at once; it waits for them to catch up.
    let pending = gaps::missing(&shared.complete(), *piece.end()..=*span.end());
    let ahead = (shared.config.backward.workers.max(1) as u64).saturating_mul(AHEAD_SECTIONS * SECTION);
    (pending <= ahead).then_some((piece, Way::Backward))
}
