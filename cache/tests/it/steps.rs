//! The order of syncs, and what a failure at each of them leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy_primitives::B256;
use hypasis_cache::store::Family;
use hypasis_cache::store::trace::{Observer, Step};
use hypasis_cache::{Store, StoreError, Verified};
use parking_lot::Mutex;

use crate::support::{assert_claims_hold, assert_held, chain, fill, ids, open, open_observed, trust};

/// Writes down the steps, and fails at one of them.
#[derive(Default)]
struct Recorder {
    steps: Mutex<Vec<Step>>,
    fail_at: Option<usize>,
}

impl Observer for Recorder {
    fn before(&self, step: Step) -> Result<(), String> {
        let mut steps = self.steps.lock();
        steps.push(step);
        match self.fail_at {
            Some(place) if steps.len() > place => Err("no space left on device".to_owned()),
            _ => Ok(()),
        }
    }
}

#[test]
fn files_are_whole_before_the_intent_and_taken_in_before_coverage() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let store = open_observed(folder.path(), Arc::clone(&recorder) as _);
    recorder.steps.lock().clear();
    fill(&store, &chain(0, 8, B256::ZERO, 0)).unwrap();
    let families = [
        Family::Headers,
        Family::Bodies,
        Family::Receipts,
        Family::Extra,
        Family::Senders,
        Family::HashNumber,
        Family::TxLocation,
    ];
    let mut expected: Vec<Step> = families.map(Step::Built).to_vec();
    expected.push(Step::Intent);
    expected.extend(families.map(Step::Ingest));
    expected.extend([Step::Coverage, Step::Publish]);
    assert_eq!(*recorder.steps.lock(), expected);
    recorder.steps.lock().clear();
    store.remove(0..=7).unwrap();
    let steps = recorder.steps.lock();
    assert_eq!(steps[..2], [Step::CoverageOff, Step::Publish]);
    assert!(steps[2..steps.len() - 1].iter().all(|step| matches!(step, Step::Delete(_))));
    assert_eq!(steps.last(), Some(&Step::Deleted));
}

/// Threads that go through the steps; most of the time is waiting for syncs.
const THREADS: usize = 8;

#[test]
fn a_failure_at_any_step_stops_writing_and_loses_nothing_that_was_claimed() {
    let trunk = chain(0, 60, B256::ZERO, 0);
    let fork = chain(50, 4, trunk[49].block.id.hash, 1);
    let steps = run(&trunk, &fork, None).expect("nothing fails where nothing is made to");
    assert!(steps > 30, "the script has many steps, not {steps}");
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(place) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|place| *place < steps)
                {
                    assert_eq!(run(&trunk, &fork, Some(place)), None, "step {place} failed unnoticed");
                }
            });
        }
    });
}

/// Runs the script with a failure at a step, checks what is left, and tells how many steps a whole run took.
fn run(trunk: &[Verified], fork: &[Verified], fail_at: Option<usize>) -> Option<usize> {
    let folder = tempfile::tempdir().unwrap();
    // A new store writes its identity, an old one takes no step to open.
    open(folder.path());
    let recorder = Arc::new(Recorder { fail_at, ..Recorder::default() });
    let store = open_observed(folder.path(), Arc::clone(&recorder) as _);
    assert!(recorder.steps.lock().is_empty());
    let mut done = 0;
    let ended = script(&store, trunk, fork, &mut done);
    assert_claims_hold(&store.view(), trunk);
    if ended.is_ok() {
        return Some(recorder.steps.lock().len());
    }
    let why = store.read_only().unwrap();
    assert!(why.contains("no space") && why.contains("after the next start"), "{why}, {ended:?}");
    assert!(matches!(store.insert_tip(fork, &trust("late")), Err(StoreError::ReadOnly(_))));
    drop(store);
    let store = open(folder.path());
    let view = store.view();
    assert_claims_hold(&view, trunk);
    // What was acknowledged is there, but for what the script itself removed.
    let kept: &[std::ops::Range<usize>] = match done {
        0 => &[],
        1..=2 => &[0..5, 10..20],
        3..=5 => &[0..5, 10..20, 40..60],
        6..=7 => &[0..5, 10..60],
        _ => &[0..40, 40..60],
    };
    for range in kept {
        trunk[range.clone()].iter().for_each(|block| assert_held(&view, block));
    }
    let mut report = |range, why: &str| panic!("step {fail_at:?}, {range:?}: {why}");
    store.verify(0..=u64::MAX, false, &mut report).unwrap();
    None
}

/// Every way of writing; counts what was acknowledged.
fn script(store: &Store, trunk: &[Verified], fork: &[Verified], done: &mut usize) -> Result<(), StoreError> {
    let mut step = |result: Result<(), StoreError>| result.map(|()| *done += 1);
    step(fill(store, &trunk[..20]))?;
    step(store.insert_tip(&trunk[40..], &trust("node")))?;
    step(store.set_canonical(&ids(&trunk[40..])))?;
    step(store.insert_tip(fork, &trust("node")))?;
    step(store.promote(48))?;
    step(fill(store, &trunk[20..40]))?;
    step(store.remove(5..=9))?;
    step(fill(store, &trunk[5..10]))
}
