//! Asking one or two sources at once, and others after them, until one is right.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use hypasis_chain::Fault;
use hypasis_upstream::{Source, SourceError};
use tokio::time::{Instant, sleep_until};

use super::Desk;
use super::flights::Terms;
use crate::sync::sources::{Lease, Want};

/// Sources that are asked the same at once.
const SIDE_BY_SIDE: usize = 2;
/// How long the first is waited for where it is asked alone.
const HEDGE: Duration = Duration::from_secs(1);

/// What an answer turned out to be.
#[derive(Debug)]
pub(super) enum Verdict<T> {
    /// Right.
    Good(T),
    /// Right as far as it goes, and provably wrong behind that.
    Partly(T, u64, Fault),
    /// Provably wrong.
    Lie(u64, Fault),
    /// Of no use, and nobody's fault.
    Useless,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    /// What a source must have.
    pub(super) range: RangeInclusive<u64>,
    /// Of headers alone.
    pub(super) headers: bool,
    /// Whether one source is asked at first: where the answer is large, or whoever asks could have made it up.
    pub(super) alone: bool,
    /// Whom not to ask.
    pub(super) terms: Terms,
}

/// An answer on its way.
pub(super) type Asked<T> = BoxFuture<'static, Result<T, SourceError>>;

// === impl Desk ===

impl Desk {
    /// The first right answer to `ask`, and whose it is. `check` is told whether the operator named the source.
    pub(super) async fn ask<T, U, C: Future<Output = Verdict<U>>>(
        &self,
        asking: &Asking,
        ask: impl Fn(Arc<dyn Source>) -> Asked<T>,
        check: impl Fn(T, bool) -> C,
    ) -> Option<(U, Lease)> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let mut asked: Vec<Arc<str>> = Vec::new();
        let mut answers = FuturesUnordered::new();
        let mut at_once = if asking.alone { 1 } else { SIDE_BY_SIDE };
        let hedge_at = Instant::now() + HEDGE;
        loop {
            while answers.len() < at_once
                && let except = asking.except(&asked)
                && let Some(lease) = self.sources.try_lease_urgently(&asking.want(&except))
            {
                asked.push(lease.id().clone());
                let on_its_way = ask(lease.source().clone());
                answers.push(answer(lease, on_its_way));
            }
            let next = tokio::select! {
                next = answers.next() => next,
                () = sleep_until(hedge_at), if at_once < SIDE_BY_SIDE => {
                    at_once = SIDE_BY_SIDE;
                    continue;
                }
            };
            let Some((lease, answered)) = next else {
                let except = asking.except(&asked);
                let want = asking.want(&except);
                if !self.sources.any_has(&want) {
                    return None;
                }
                let lease = self.sources.lease_urgently(&want).await;
                asked.push(lease.id().clone());
                let on_its_way = ask(lease.source().clone());
                answers.push(answer(lease, on_its_way));
                continue;
            };
            match answered {
                Ok(found) => match check(found, !lease.source().is_many()).await {
                    Verdict::Good(found) => {
                        lease.good();
                        return Some((found, lease));
                    }
                    Verdict::Partly(found, number, fault) => {
                        lease.blame(number, &fault);
                        return Some((found, lease));
                    }
                    Verdict::Lie(number, fault) => lease.blame(number, &fault),
                    Verdict::Useless => {}
                },
                Err(error) => lease.failed(&error),
            }
        }
    }
}

// === impl Asking ===

impl Asking {
    /// Who was asked already, and who must not be.
    fn except(&self, asked: &[Arc<str>]) -> Vec<Arc<str>> {
        [asked, self.terms.sources().as_slice()].concat()
    }

    fn want<'a>(&self, except: &'a [Arc<str>]) -> Want<'a> {
        let range = self.range.clone();
        let want = if self.headers { Want::headers(range) } else { Want::blocks(range) };
        want.except(except).by(self.terms.askers())
    }
}

async fn answer<T>(lease: Lease, asked: Asked<T>) -> (Lease, Result<T, SourceError>) {
    (lease, asked.await)
}
