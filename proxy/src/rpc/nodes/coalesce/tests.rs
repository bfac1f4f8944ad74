//! Who leaves, and what becomes of the call.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::poll_immediate;
use hypasis_upstream::{Call, Class, ForwardError, Need, Reply};
use tokio::sync::watch;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, service_fn};

use super::{Coalesce, CoalesceLayer, Incoming, Outgoing};

/// Nodes that answer while the gate is open.
struct Nodes {
    started: Arc<AtomicUsize>,
    ended: watch::Sender<usize>,
    open: watch::Sender<bool>,
    stack: Coalesce<BoxCloneSyncService<Call, Reply, ForwardError>>,
}

// === impl Nodes ===

impl Nodes {
    fn new() -> Self {
        let (started, ended, open) =
            (Arc::<AtomicUsize>::default(), watch::Sender::new(0), watch::Sender::new(false));
        let (begins, ends, gate) = (Arc::clone(&started), ended.clone(), open.clone());
        let node = service_fn(move |call: Call| {
            let (begins, ends, gate) = (Arc::clone(&begins), ends.clone(), gate.clone());
            async move {
                begins.fetch_add(1, Ordering::Relaxed);
                let _ = gate.subscribe().wait_for(|open| *open).await;
                ends.send_modify(|count| *count += 1);
                Ok::<_, ForwardError>(Reply {
                    status: 200,
                    content_type: None,
                    body: call.body,
                    upstream: "n".into(),
                })
            }
        });
        let stack = CoalesceLayer::default().layer(BoxCloneSyncService::new(node));
        Self { started, ended, open, stack }
    }

    fn ask(
        &mut self,
        key: Option<&'static [u8]>,
    ) -> impl Future<Output = Result<Incoming, super::AskError>> + Unpin + use<> {
        let call =
            Call { body: Bytes::from_static(b"{}"), class: Class::Read, need: Need::default(), method: "m" };
        self.stack.call(Outgoing { call, key: key.map(Bytes::from_static) })
    }

    fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    fn in_flight(&self) -> usize {
        self.stack.flights.lock().len()
    }
}

#[tokio::test]
async fn equal_calls_are_one_and_others_are_not() {
    let mut nodes = Nodes::new();
    let (mut first, mut second, mut other) =
        (nodes.ask(Some(b"a")), nodes.ask(Some(b"a")), nodes.ask(Some(b"b")));
    assert!(poll_immediate(&mut second).await.is_none());
    assert!(poll_immediate(&mut first).await.is_none());
    assert!(poll_immediate(&mut other).await.is_none());
    assert_eq!((nodes.started(), nodes.in_flight()), (2, 2));
    nodes.open.send_replace(true);
    let (first, second, other) = tokio::join!(first, second, other);
    assert_eq!((first.unwrap().shared, second.unwrap().shared, other.unwrap().shared), (false, true, false));
    assert_eq!(nodes.in_flight(), 0);
    assert!(!nodes.ask(Some(b"a")).await.unwrap().shared, "nothing is kept");
    assert_eq!(nodes.started(), 3);
}

#[tokio::test]
async fn those_who_joined_get_the_answer_also_when_the_first_caller_leaves() {
    let mut nodes = Nodes::new();
    let mut first = nodes.ask(Some(b"a"));
    assert!(poll_immediate(&mut first).await.is_none());
    let second = nodes.ask(Some(b"a"));
    drop(first);
    let third = nodes.ask(Some(b"a"));
    nodes.open.send_replace(true);
    let (second, third) = tokio::join!(second, third);
    assert!(second.unwrap().shared && third.unwrap().shared);
    assert_eq!((nodes.started(), nodes.in_flight()), (1, 0));
}

#[tokio::test]
async fn a_call_goes_on_when_its_only_caller_leaves() {
    for key in [None, Some(&b"a"[..])] {
        let mut nodes = Nodes::new();
        let mut call = nodes.ask(key);
        assert!(poll_immediate(&mut call).await.is_none());
        drop(call);
        nodes.open.send_replace(true);
        nodes.ended.subscribe().wait_for(|ended| *ended == 1).await.unwrap();
        assert_eq!(nodes.started(), 1, "{key:?}");
    }
}

#[tokio::test]
async fn calls_without_a_key_never_share() {
    let mut nodes = Nodes::new();
    nodes.open.send_replace(true);
    let (first, second) = tokio::join!(nodes.ask(None), nodes.ask(None));
    assert!(!first.unwrap().shared && !second.unwrap().shared);
    assert_eq!((nodes.started(), nodes.in_flight()), (2, 0));
}
