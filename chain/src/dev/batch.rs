//! Minting many blocks at once.
//!
//! Only headers need their parents' hashes. Fees and counts follow from plans, which are cheap; so places are laid
//! out first, signatures and roots are computed by as many threads as there are, and then headers are linked.

use std::thread;

use alloy_primitives::keccak256;

use super::header::Commitments;
use super::mint::{Bench, Mint};
use super::place::{Place, Seal};

/// A thread is worth starting for this many transactions and blocks.
const WORK_MIN: u64 = 128;
/// More threads than this never mint one batch.
const THREADS_MAX: usize = 8;

// === impl Mint ===

impl Mint {
    /// Mints `count` blocks from the one at `next` on, and moves `next` behind them.
    pub(super) fn mint(&self, next: &mut Place, count: u64) -> Vec<(Place, Seal)> {
        let mut places = self.lay_out(next, count);
        let commitments = self.commit_all(&places);
        let mut minted = Vec::with_capacity(places.len());
        for (place, with) in places.iter_mut().zip(&commitments) {
            (place.parent, place.grandparent) = (next.parent, next.grandparent);
            let hash = keccak256(self.finish(place, with).0);
            next.follow(hash);
            minted.push((*place, Seal { hash, roots: with.roots }));
        }
        minted
    }

    /// Places without their parents.
    fn lay_out(&self, next: &mut Place, count: u64) -> Vec<Place> {
        let mut plans = Vec::new();
        let place = |_| {
            let place = *next;
            let totals = self.plan(&place, self.forks.at(place.number), &mut plans);
            *next = self.after(&place, &totals);
            place
        };
        (0..count).map(place).collect()
    }

    fn commit_all(&self, places: &[Place]) -> Vec<Commitments> {
        let commit = |places: &[Place]| -> Vec<Commitments> {
            let mut bench = Bench::default();
            places.iter().map(|place| self.commit(place, None, &mut bench)).collect()
        };
        let work = places.len() as u64 * u64::from(self.mean.max(1));
        let most = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let threads = most.min((work / WORK_MIN) as usize).max(1);
        let mut shares = places.chunks(places.len().div_ceil(threads).max(1));
        let own = shares.next().unwrap_or_default();
        thread::scope(|scope| {
            let spawn = |share| thread::Builder::new().spawn_scoped(scope, move || commit(share));
            let helpers: Vec<_> = shares.map(|share| (share, spawn(share))).collect();
            let mut all = commit(own);
            for (share, helper) in helpers {
                // Where no thread is to be had, this one does the share itself.
                let done = helper.ok().and_then(|helper| helper.join().ok());
                all.extend(done.unwrap_or_else(|| commit(share)));
            }
            all
        })
    }
}
