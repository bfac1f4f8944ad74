//! Recovering senders in the background.
//!
//! A sender costs two hundred times what rendering its transaction costs, so filling stores blocks without them and
//! this task adds them later, newest first, on one blocking thread. While workers fill, it takes a small share.

use std::sync::Arc;
use std::time::Duration;

use hypasis_cache::{Ranges, StoreError};

use super::shared::{Shared, blocking};
use super::verify::senders_of;

/// Heights of one step.
const STEP: u64 = 64;
/// While workers fill, the rest after a step is so many times the step's own time.
const YIELD: u32 = 4;
/// Longest sleep with nothing to do.
const IDLE: Duration = Duration::from_secs(5);

/// Recovers until everything must end.
pub(crate) async fn run(shared: Arc<Shared>) {
    // Heights with transactions of a type that nobody here knows: their senders cannot be recovered.
    let mut unknown = Ranges::default();
    loop {
        let mut changes = shared.changes();
        let started = tokio::time::Instant::now();
        let task = shared.clone();
        let known = unknown.clone();
        match blocking(move || step(&task, known)).await {
            Ok(Some(next)) => unknown = next,
            Ok(None) => {
                let _ = tokio::time::timeout(IDLE, changes.changed()).await;
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "Senders could not be stored");
                tokio::time::sleep(IDLE).await;
                continue;
            }
        }
        if !shared.state.lock().busy.is_empty() {
            tokio::time::sleep(started.elapsed() * YIELD).await;
        }
    }
}

/// One step over the newest heights without senders; `None` if there are none.
fn step(shared: &Shared, mut unknown: Ranges) -> Result<Option<Ranges>, StoreError> {
    let missing = shared.store.missing_senders();
    let Some(gap) = missing.iter().rev().find_map(|range| unknown.gaps(range).pop()) else { return Ok(None) };
    let from = gap.end().saturating_sub(STEP - 1).max(*gap.start());
    let view = shared.store.view();
    let mut found = Vec::new();
    for number in from..=*gap.end() {
        let body = match view.by_number(number)? {
            Some(block) => view.body(&block)?,
            None => None,
        };
        match body.and_then(|body| senders_of(&body)) {
            Some(senders) => found.push((number, senders)),
            None => unknown.insert(number..=number),
        }
    }
    if !found.is_empty() {
        shared.store.put_senders(&found)?;
        shared.metrics.senders_blocks.inc_by(found.len() as u64);
    }
    Ok(Some(unknown))
}
