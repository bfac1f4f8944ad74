//! One byte budget over all workers.

use futures_util::FutureExt;
use hypasis_proxy::sync::budget::Budget;

const KIB: u64 = 1 << 10;

#[tokio::test]
async fn who_finds_the_budget_spent_waits_until_it_is_given_back() {
    let budget = Budget::new(64 * KIB);
    let first = budget.reserve(48 * KIB).await;
    let second = budget.reserve(32 * KIB);
    tokio::pin!(second);
    assert!((&mut second).now_or_never().is_none());
    drop(first);
    let second = second.await;
    assert_eq!(budget.used(), 32 * KIB);
    drop(second);
    assert_eq!(budget.used(), 0);
    assert_eq!(budget.peak(), 48 * KIB);
}

#[tokio::test]
async fn a_surplus_goes_back_at_once() {
    let budget = Budget::new(64 * KIB);
    let mut first = budget.reserve(64 * KIB).await;
    first.settle(16 * KIB);
    let second = budget.reserve(48 * KIB).await;
    assert_eq!(budget.used(), 64 * KIB);
    drop((first, second));
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn more_than_arrived_is_counted_and_taken_from_the_others() {
    let budget = Budget::new(64 * KIB);
    let mut first = budget.reserve(8 * KIB).await;
    first.settle(60 * KIB);
    assert_eq!(budget.used(), 60 * KIB);
    let second = budget.reserve(8 * KIB);
    tokio::pin!(second);
    assert!((&mut second).now_or_never().is_none());
}

#[tokio::test]
async fn what_is_larger_than_the_whole_passes_alone() {
    let budget = Budget::new(16 * KIB);
    let huge = budget.reserve(1 << 30).await;
    let other = budget.reserve(1);
    tokio::pin!(other);
    assert!((&mut other).now_or_never().is_none());
    drop(huge);
    other.await;
}

#[tokio::test]
async fn what_was_reserved_is_kept_while_more_may_follow() {
    let budget = Budget::new(64 * KIB);
    let mut first = budget.reserve(60 * KIB).await;
    first.at_least(10 * KIB);
    let second = budget.reserve(32 * KIB);
    tokio::pin!(second);
    assert!((&mut second).now_or_never().is_none());
    first.settle(10 * KIB);
    second.await;
}
