//! Telling how far filling has come: a bar on a terminal, a line per interval otherwise.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::metrics::level_of;
use super::shared::{Shared, Way};
use super::{Direction, gaps};

/// How often rates are sampled and the bar is drawn.
const SAMPLE: Duration = Duration::from_secs(1);
/// Samples that a rate is the mean of.
const SAMPLES: usize = 10;

/// Blocks a second lately, for each direction.
#[derive(Debug, Default)]
pub struct Rates {
    forward: Mutex<Rate>,
    backward: Mutex<Rate>,
}

/// The mean over the last samples of a counter.
#[derive(Debug, Default)]
pub struct Rate {
    samples: VecDeque<(Duration, u64)>,
}

// === impl Rate ===

impl Rate {
    /// The counter had this value at this time since some start.
    pub fn sample(&mut self, at: Duration, count: u64) {
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((at, count));
    }

    /// Units a second.
    pub fn per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return 0.0 };
        let seconds = last.0.saturating_sub(first.0).as_secs_f64();
        if seconds > 0.0 { last.1.saturating_sub(first.1) as f64 / seconds } else { 0.0 }
    }

    /// Seconds until `missing` more are there at that rate.
    pub fn eta_seconds(&self, missing: u64) -> Option<u64> {
        let rate = self.per_second();
        (missing > 0 && rate > 0.0).then(|| (missing as f64 / rate).ceil() as u64)
    }
}

// === impl Rates ===

impl Rates {
    fn of(&self, way: Way) -> &Mutex<Rate> {
        match way {
            Way::Forward => &self.forward,
            Way::Backward => &self.backward,
        }
    }
}

/// Samples and tells until everything must end.
pub(crate) async fn run(shared: Arc<Shared>, rates: Arc<Rates>) {
    let started = Instant::now();
    let bar = std::io::stderr().is_terminal().then(bar);
    let interval = shared.log.progress_interval.duration().max(SAMPLE);
    let mut line_at = started + interval;
    // What the last line said: while nothing is left to do and nothing changes, there is nothing to say.
    let mut told = None;
    loop {
        rates.forward.lock().sample(started.elapsed(), shared.metrics.forward_blocks.get());
        rates.backward.lock().sample(started.elapsed(), shared.metrics.backward_blocks.get());
        let (forward, backward) =
            (direction(&shared, &rates, Way::Forward), direction(&shared, &rates, Way::Backward));
        shared.metrics.missing_blocks.set(level_of(missing(&shared)));
        shared.metrics.in_flight_bytes.set(level_of(shared.budget.used()));
        match &bar {
            Some(bar) => draw(bar, &shared, &forward, &backward),
            None if Instant::now() >= line_at => {
                line_at += interval;
                let at = (forward.current, forward.target, backward.current, backward.target);
                let news = told.replace(at) != Some(at) || !(forward.done && backward.done);
                if news {
                    line(&forward, &backward);
                }
            }
            None => {}
        }
        tokio::time::sleep(SAMPLE).await;
    }
}

/// What one direction is doing, for status.
pub(crate) fn direction(shared: &Shared, rates: &Rates, way: Way) -> Direction {
    let rate = rates.of(way).lock();
    let complete = shared.complete();
    let span = shared.span(way);
    let missing = span.clone().map_or(0, |span| gaps::missing(&complete, span));
    let common = Direction { rate: rate.per_second(), ..Direction::default() };
    match way {
        Way::Forward => {
            let held = shared.store.view().head().map_or(0, |id| id.number);
            let served = shared.served.now().latest.map_or(0, |id| id.number);
            let missing = missing.saturating_add(served.saturating_sub(held));
            Direction {
                enabled: shared.config.forward.enabled,
                current: held,
                target: served.max(held),
                blocks: shared.metrics.forward_blocks.get(),
                eta_seconds: rate.eta_seconds(missing),
                done: missing == 0 && shared.checkpoint().is_some(),
                ..common
            }
        }
        Way::Backward => {
            let lowest = span
                .clone()
                .map(|span| complete.gaps(span.clone()).pop().map_or(*span.start(), |gap| gap.end() + 1));
            Direction {
                enabled: shared.config.backward.enabled,
                current: lowest.unwrap_or(0),
                target: shared.oldest(),
                blocks: shared.metrics.backward_blocks.get(),
                eta_seconds: rate.eta_seconds(missing),
                done: missing == 0 && shared.checkpoint().is_some(),
                ..common
            }
        }
    }
}

fn missing(shared: &Shared) -> u64 {
    let complete = shared.complete();
    [Way::Forward, Way::Backward]
        .into_iter()
        .filter_map(|way| shared.span(way))
        .map(|span| gaps::missing(&complete, span))
        .fold(0, u64::saturating_add)
}

fn line(forward: &Direction, backward: &Direction) {
    if forward.done && backward.done {
        return tracing::info!(head = forward.current, "Following the head; nothing is missing");
    }
    tracing::info!(
        head = forward.current,
        target = forward.target,
        forward_per_second = forward.rate.round(),
        history_down_to = backward.current,
        oldest = backward.target,
        backward_per_second = backward.rate.round(),
        eta_seconds = backward.eta_seconds,
        "Filling"
    );
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% {msg}") {
        bar.set_style(style);
    }
    bar
}

fn draw(bar: &ProgressBar, shared: &Shared, forward: &Direction, backward: &Direction) {
    let total = forward.target.saturating_sub(backward.target).saturating_add(1);
    bar.set_length(total);
    bar.set_position(total.saturating_sub(missing(shared)));
    let eta = backward.eta_seconds.map_or_else(String::new, |eta| {
        format!(", {} left", indicatif::HumanDuration(Duration::from_secs(eta)))
    });
    bar.set_message(format!(
        "head {} (+{:.0}/s), history down to {} ({:.0}/s{eta})",
        forward.current, forward.rate, backward.current, backward.rate
    ));
}
