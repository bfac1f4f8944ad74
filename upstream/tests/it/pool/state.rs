//! What the pool makes of its nodes' state: limits, breaker, backups, heads.

use super::*;

// === limits ===

#[tokio::test]
async fn a_full_node_is_busy_after_the_wait_and_free_again_when_a_caller_leaves() {
    let (a, _) = two().await;
    let one = NodeOptions { concurrency: 1, ..a.options() };
    let waits = PoolOptions { queue_wait: Duration::from_millis(50), ..options() };
    let (pool, _tasks) = pool(&[one], waits).await;
    a.fault(Fault::Stall);
    let stalled = tokio::spawn({
        let pool = pool.clone();
        async move { pool.forward(read()).await }
    });
    a.asked_times(1).await;
    assert!(matches!(pool.forward(read()).await, Err(ForwardError::Busy)));
    stalled.abort();
    assert!(stalled.await.unwrap_err().is_cancelled());
    a.fault(Fault::None);
    assert_eq!(who(&pool.forward(read()).await.unwrap()), "a");
    assert_eq!(pool.status()[0].in_flight, 0);
}

#[tokio::test]
async fn a_full_node_is_passed_over() {
    let (a, b) = two().await;
    let one = NodeOptions { concurrency: 1, ..a.options() };
    let waits = PoolOptions { queue_wait: Duration::from_millis(20), ..options() };
    let (pool, _tasks) = pool(&[one, NodeOptions { role: Role::Backup, ..b.options() }], waits).await;
    a.fault(Fault::Stall);
    let stalled = tokio::spawn({
        let pool = pool.clone();
        async move { pool.forward(read()).await }
    });
    a.asked_times(1).await;
    assert_eq!(who(&pool.forward(read()).await.unwrap()), "b");
    stalled.abort();
}

// === breaker ===

#[tokio::test]
async fn the_breaker_opens_and_recovers() {
    let (a, _) = two().await;
    let (pool, _tasks) = pool(&[a.options()], options()).await;
    a.fault(Fault::Status(500, "oops"));
    for _ in 0..5 {
        assert_eq!(pool.forward(read()).await.unwrap().status, 500);
    }
    assert!(matches!(pool.forward(read()).await, Err(ForwardError::NoUpstream)));
    assert_eq!(a.asked().len(), 5, "an open breaker keeps calls away");
    assert_eq!(pool.status()[0].breaker, BreakerState::Open);
    a.fault(Fault::None);
    // When a breaker tries again is told by no event.
    let answered = async {
        loop {
            match pool.forward(read()).await {
                Ok(reply) => break reply,
                Err(ForwardError::NoUpstream) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let answered = tokio::time::timeout(Duration::from_secs(60), answered).await.expect("it closes again");
    assert_eq!(who(&answered), "a");
    assert_eq!(pool.status()[0].breaker, BreakerState::Closed);
}

// === backups, heads ===

#[tokio::test]
async fn a_backup_serves_only_while_no_primary_can() {
    let (a, b) = two().await;
    let backup = NodeOptions { role: Role::Backup, ..b.options() };
    let (pool, _tasks) = pool(&[backup, a.options()], options()).await;
    for _ in 0..10 {
        assert_eq!(who(&pool.forward(read()).await.unwrap()), "a");
    }
    a.stop().await;
    pool.sources()[1].heads().wait_for(|heads| heads.latest.is_none()).await.unwrap();
    assert_eq!(who(&pool.forward(read()).await.unwrap()), "b");
    assert_eq!(who(&pool.forward(call(Class::Send, SEND)).await.unwrap()), "b");
    a.start_again(&a).await;
    all_up(&pool).await;
    assert_eq!(who(&pool.forward(read()).await.unwrap()), "a");
    assert_eq!(who(&pool.forward(call(Class::Send, SEND)).await.unwrap()), "a");
}

#[tokio::test]
async fn the_pools_head_is_the_highest_and_liars_count_last() {
    let (low, high) = (Fake::start("low", chain(1, 100)).await, Fake::start("high", chain(1, 120)).await);
    let (pool, _tasks) = pool(&[low.options(), high.options()], options()).await;
    let mut heads = pool.heads();
    let top = high.chain.head();
    heads.wait_for(|heads| heads.latest == Some(top)).await.unwrap();
    assert_eq!(heads.borrow().finalized, Some(low.chain.id_at(36)), "what both have reached");
    for number in 0..3 {
        pool.sources()[1].blame(number, &hypasis_chain::Fault::Bloom);
    }
    let honest = low.chain.head();
    heads.wait_for(|heads| heads.latest == Some(honest)).await.unwrap();
    for _ in 0..5 {
        assert_eq!(who(&pool.forward(read()).await.unwrap()), "low");
    }
    low.stop().await;
    heads.wait_for(|heads| heads.latest == Some(top)).await.unwrap();
    assert_eq!(who(&pool.forward(read()).await.unwrap()), "high", "better than nothing");
}
