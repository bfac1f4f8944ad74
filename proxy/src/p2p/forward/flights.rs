//! Who asks for what is under way already waits for it with the others.
//!
//! What is under way runs in tasks of its own: an asker that leaves takes nothing from the others, and what comes for
//! nobody any more is still verified and kept. It runs as long as the most patient of them waits, and none of them is
//! asked for it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use hypasis_upstream::peer::Askers;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::p2p::serve::Asker;

/// What is under way by name.
#[derive(Debug)]
pub(super) struct Flights<K: Copy + Eq + Hash, V: Clone> {
    under_way: Arc<Mutex<HashMap<K, UnderWay<V>>>>,
}

#[derive(Debug)]
struct UnderWay<V> {
    receiver: watch::Receiver<Option<V>>,
    terms: Terms,
}

/// Until when, and whom not to ask: what follows from who waits. Clones are one.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    inner: Arc<Mutex<Inner>>,
    askers: Askers,
}

#[derive(Debug)]
struct Inner {
    deadline: Instant,
    sources: Vec<Arc<str>>,
}

/// The duty to bring what was named. Dropped without landing, those who wait get nothing.
#[derive(Debug)]
pub(super) struct Flight<K: Copy + Eq + Hash, V: Clone> {
    key: K,
    flights: Flights<K, V>,
    sender: watch::Sender<Option<V>>,
}

/// A place among those who wait.
#[derive(Debug)]
pub(super) struct Wait<V> {
    receiver: watch::Receiver<Option<V>>,
}

// === impl Flights ===

impl<K: Copy + Eq + Hash, V: Clone> Default for Flights<K, V> {
    fn default() -> Self {
        Self { under_way: Arc::default() }
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Clone for Flights<K, V> {
    fn clone(&self) -> Self {
        Self { under_way: self.under_way.clone() }
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Flights<K, V> {
    /// Waits for what `key` names. Whoever is first gets the duty to bring it, on `terms`.
    pub(super) fn join(&self, key: K, asker: Asker<'_>, terms: &Terms) -> (Wait<V>, Option<Flight<K, V>>) {
        let mut under_way = self.under_way.lock();
        if let Some(found) = under_way.get(&key) {
            found.terms.add(asker);
            return (Wait { receiver: found.receiver.clone() }, None);
        }
        let (sender, receiver) = watch::channel(None);
        under_way.insert(key, UnderWay { receiver: receiver.clone(), terms: terms.clone() });
        (Wait { receiver }, Some(Flight { key, flights: self.clone(), sender }))
    }
}

// === impl Terms ===

impl Terms {
    /// Those of one asker.
    pub(super) fn of(asker: Asker<'_>) -> Self {
        let inner = Inner { deadline: asker.deadline, sources: Vec::new() };
        let terms = Self { inner: Arc::new(Mutex::new(inner)), askers: Askers::default() };
        terms.add(asker);
        terms
    }

    fn add(&self, asker: Asker<'_>) {
        if let Some(peer) = asker.who.peer {
            self.askers.add(peer);
        }
        let mut inner = self.inner.lock();
        inner.deadline = inner.deadline.max(asker.deadline);
        for source in &asker.who.sources {
            if !inner.sources.contains(source) {
                inner.sources.push(source.clone());
            }
        }
    }

    /// The peers that wait.
    pub(super) fn askers(&self) -> Askers {
        self.askers.clone()
    }

    /// The sources that are one of them and nobody else.
    pub(super) fn sources(&self) -> Vec<Arc<str>> {
        self.inner.lock().sources.clone()
    }

    /// Does `work` until nobody waits any more.
    pub(super) async fn run(self, work: impl Future<Output = ()>) {
        let mut work = std::pin::pin!(work);
        loop {
            let until = self.inner.lock().deadline;
            let done = timeout_at(until, &mut work).await.is_ok();
            if done || self.inner.lock().deadline <= until {
                return;
            }
        }
    }
}

// === impl Flight ===

impl<K: Copy + Eq + Hash, V: Clone> Flight<K, V> {
    /// It is there.
    pub(super) fn land(self, value: V) {
        self.sender.send_replace(Some(value));
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Drop for Flight<K, V> {
    fn drop(&mut self) {
        self.flights.under_way.lock().remove(&self.key);
    }
}

// === impl Wait ===

impl<V: Clone> Wait<V> {
    /// What came, if it comes before the deadline.
    pub(super) async fn until(mut self, deadline: Instant) -> Option<V> {
        let came = timeout_at(deadline, self.receiver.wait_for(Option::is_some)).await;
        came.ok()?.ok()?.clone()
    }
}
