//! The breaker with a paused clock.

use super::*;

fn fail(breaker: &Breaker, times: usize) {
    for _ in 0..times {
        breaker.admit().unwrap().failure();
    }
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_and_one_success_after_the_backoff_closes_it() {
    let breaker = Breaker::new();
    fail(&breaker, 5);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert!(breaker.admit().is_none());

    tokio::time::advance(Duration::from_millis(1_001)).await;
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let trial = breaker.admit().unwrap();
    assert!(breaker.admit().is_none(), "one trial at a time");
    assert!(!breaker.is_ready());
    trial.success();
    assert_eq!(breaker.state(), BreakerState::Closed);
    fail(&breaker, 4);
    assert_eq!(breaker.state(), BreakerState::Closed, "the count starts afresh");
}

#[tokio::test(start_paused = true)]
async fn a_failed_trial_doubles_the_backoff_up_to_its_bound() {
    let breaker = Breaker::new();
    fail(&breaker, 5);
    for expected in [1, 2, 4, 8, 16, 30, 30] {
        tokio::time::advance(Duration::from_secs(expected) - Duration::from_millis(1)).await;
        assert!(breaker.admit().is_none(), "{expected} s are not over");
        tokio::time::advance(Duration::from_millis(2)).await;
        breaker.admit().unwrap().failure();
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_share_opens_it_although_successes_lie_between() {
    let breaker = Breaker::new();
    for _ in 0..9 {
        fail(&breaker, 1);
        breaker.admit().unwrap().success();
    }
    assert_eq!(breaker.state(), BreakerState::Closed, "too few samples");
    fail(&breaker, 2);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn old_failures_are_forgotten() {
    let breaker = Breaker::new();
    for _ in 0..4 {
        fail(&breaker, 4);
        breaker.admit().unwrap().success();
        tokio::time::advance(WINDOW).await;
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_trial_gives_its_place_back() {
    let breaker = Breaker::new();
    fail(&breaker, 5);
    tokio::time::advance(Duration::from_secs(2)).await;
    drop(breaker.admit().unwrap());
    assert!(breaker.admit().is_some());
}

#[tokio::test(start_paused = true)]
async fn late_failures_of_calls_begun_before_do_not_lengthen_an_open_breaker() {
    let breaker = Breaker::new();
    let late: Vec<_> = (0..20).map(|_| breaker.admit().unwrap()).collect();
    fail(&breaker, 5);
    late.into_iter().for_each(Ticket::failure);
    tokio::time::advance(Duration::from_millis(1_001)).await;
    assert!(breaker.admit().is_some());
}
