//! The limits with a paused clock.

use std::sync::Arc;

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

#[tokio::test(start_paused = true)]
async fn a_full_gate_refuses_at_the_deadline_and_opens_when_a_place_is_free() {
    let gate = Gate::new(1, None);
    let place = gate.enter(1, soon()).await.unwrap();
    assert_eq!(gate.in_flight(), 1);
    assert_eq!(gate.enter(1, soon()).await.unwrap_err(), Full);
    drop(place);
    assert_eq!(gate.in_flight(), 0);
    assert!(gate.enter(1, soon()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded() {
    let gate = Arc::new(Gate::new(1, None));
    let _place = gate.enter(1, soon()).await.unwrap();
    let mut queue = Vec::new();
    for _ in 0..QUEUE_MAX {
        let gate = Arc::clone(&gate);
        queue.push(tokio::spawn(async move { gate.enter(1, soon()).await.map(|_| ()) }));
    }
    while gate.waiting.load(Ordering::Acquire) < QUEUE_MAX {
        tokio::task::yield_now().await;
    }
    let before = Instant::now();
    assert_eq!(gate.enter(1, soon()).await.unwrap_err(), Full);
    assert_eq!(before, Instant::now(), "refused without waiting");
    for waiter in queue {
        assert_eq!(waiter.await.unwrap(), Err(Full));
    }
    assert_eq!(gate.waiting.load(Ordering::Acquire), 0, "those who leave are not counted");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_user_goes_before_filling_that_came_earlier() {
    let gate = Arc::new(Gate::new(1, None));
    let place = gate.enter(1, soon()).await.unwrap();
    let (order, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let filler = tokio::spawn({
        let (gate, order) = (Arc::clone(&gate), order.clone());
        async move {
            let _place = gate.enter_to_fill(1).await.unwrap();
            order.send("fill").unwrap();
        }
    });
    while gate.fill_places.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let user = tokio::spawn({
        let (gate, order) = (Arc::clone(&gate), order.clone());
        async move {
            let _place = gate.enter(1, soon()).await.unwrap();
            order.send("user").unwrap();
        }
    });
    while gate.waiting.load(Ordering::Acquire) == 0 {
        tokio::task::yield_now().await;
    }
    drop(place);
    assert_eq!(arrivals.recv().await, Some("user"));
    assert_eq!(arrivals.recv().await, Some("fill"));
    user.await.unwrap();
    filler.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn filling_leaves_half_of_the_places_to_users() {
    let gate = Gate::new(4, None);
    let _fills = (gate.enter_to_fill(1).await.unwrap(), gate.enter_to_fill(1).await.unwrap());
    let third = tokio::time::timeout(Duration::from_secs(5), gate.enter_to_fill(1)).await;
    assert!(third.is_err());
    assert!(gate.enter(1, soon()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_node_asked_for_is_kept() {
    let gate = Gate::new(4, None);
    gate.pause(Duration::from_secs(3));
    assert_eq!(gate.enter(1, soon()).await.unwrap_err(), Full);
    let before = Instant::now();
    assert!(gate.enter(1, before + Duration::from_secs(10)).await.is_ok());
    assert!(before.elapsed() >= Duration::from_secs(2));
}

#[tokio::test]
async fn calls_a_second_are_capped() {
    let gate = Gate::new(4, Some(5));
    assert!(gate.enter(5, soon()).await.is_ok(), "a burst of one second");
    let refused = gate.enter(5, Instant::now() + Duration::from_millis(10)).await;
    assert_eq!(refused.unwrap_err(), Full);
}
