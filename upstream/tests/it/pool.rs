//! Users' calls over several nodes: who is asked, how often, and what comes back.

mod state;

use std::time::Duration;

use bytes::Bytes;
use hypasis_upstream::pool::BreakerState;
use hypasis_upstream::{
    Call, Class, ExpectedChain, ForwardError, Need, NodeOptions, Pool, PoolOptions, Reply, Role,
};
use tokio::task::JoinSet;

use crate::fake::{Fake, Fault, all_up, chain, quick};

const READ: &str = r#"{"jsonrpc":"2.0","id":7,"method":"eth_call","params":[]}"#;
const SEND: &str = r#"{"jsonrpc":"2.0","id":7,"method":"eth_sendRawTransaction","params":["0x01"]}"#;

fn call(class: Class, body: &'static str) -> Call {
    Call { body: Bytes::from_static(body.as_bytes()), class, need: Need::default(), method: "eth_call" }
}

fn read() -> Call {
    call(Class::Read, READ)
}

/// Without hedges, so that only what a test is about sends a second request.
fn options() -> PoolOptions {
    PoolOptions { hedge_share: 0.0, ..quick() }
}

async fn pool(nodes: &[NodeOptions], options: PoolOptions) -> (Pool, JoinSet<()>) {
    let pool = Pool::new(nodes, options, ExpectedChain::default()).unwrap();
    let tasks = pool.spawn();
    all_up(&pool).await;
    (pool, tasks)
}

async fn two() -> (Fake, Fake) {
    let chain = chain(1, 5);
    (Fake::start("a", chain.clone()).await, Fake::start("b", chain).await)
}

/// Who answered, by the answer itself.
fn who(reply: &Reply) -> String {
    let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    json["result"].as_str().unwrap().to_owned()
}

// === reads ===

#[tokio::test]
async fn an_answer_passes_byte_for_byte_with_status_and_type() {
    let (a, _) = two().await;
    let (pool, _tasks) = pool(&[a.options()], options()).await;
    for body in [
        r#"{"jsonrpc":"2.0",  "id" : "x\u0000", "error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}"#,
        r#"{"id":1e2,"jsonrpc":"2.0","result":null}"#,
        "",
    ] {
        a.fault(Fault::Body(body.into()));
        let reply = pool.forward(read()).await.unwrap();
        assert_eq!((reply.status, reply.body.as_ref()), (200, body.as_bytes()));
        assert_eq!(reply.content_type.as_deref(), Some("application/json"));
        assert_eq!(&*reply.upstream, "a");
    }
    a.fault(Fault::Status(400, "no"));
    assert_eq!(pool.forward(read()).await.unwrap().status, 400);
    assert_eq!(a.asked().len(), 4, "nothing was asked twice");
    assert!(a.asked().iter().all(|body| body == READ), "and nothing was changed on the way");
}

#[tokio::test]
async fn reads_survive_a_node_that_fails_in_any_way() {
    for fault in [
        Fault::Close,
        Fault::CloseMidAnswer,
        Fault::Status(500, "oops"),
        Fault::Status(502, "<html>"),
        Fault::Status(429, "slow down"),
        Fault::Status(401, "no"),
        Fault::Body("<html>".into()),
        Fault::Body(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32005,"message":"limit"}}"#.into()),
        Fault::Body(
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"missing trie node ab"}}"#.into(),
        ),
        Fault::Stall,
        Fault::Drip,
    ] {
        let (a, b) = two().await;
        // The backup is asked only after the primary has failed.
        let primary = NodeOptions { timeout: Duration::from_millis(200), ..a.options() };
        let backup = NodeOptions { role: Role::Backup, ..b.options() };
        let (pool, _tasks) = pool(&[primary, backup], options()).await;
        a.fault(fault.clone());
        assert_eq!(who(&pool.forward(read()).await.unwrap()), "b", "{fault:?}");
        assert_eq!((a.asked().len(), b.asked().len()), (1, 1), "{fault:?}");
        assert_eq!(pool.counts().retries, 1);
    }
}

#[tokio::test]
async fn reads_survive_a_dead_node_before_anybody_noticed() {
    let (a, b) = two().await;
    let backup = NodeOptions { role: Role::Backup, ..b.options() };
    let (pool, mut tasks) = pool(&[a.options(), backup], options()).await;
    tasks.shutdown().await;
    a.stop().await;
    for _ in 0..20 {
        assert_eq!(who(&pool.forward(read()).await.unwrap()), "b");
    }
    assert_eq!(pool.status()[0].breaker, BreakerState::Open);
}

#[tokio::test]
async fn errors_of_the_application_are_not_asked_again() {
    let (a, b) = two().await;
    let (pool, _tasks) = pool(&[a.options(), b.options()], options()).await;
    for code in [3, -32602, -32601, -32000] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":7,"error":{{"code":{code},"message":"reverted"}}}}"#);
        a.fault(Fault::Body(body.clone()));
        b.fault(Fault::Body(body.clone()));
        let before = a.asked().len() + b.asked().len();
        assert_eq!(pool.forward(read()).await.unwrap().body, body);
        assert_eq!(a.asked().len() + b.asked().len(), before + 1);
    }
}

#[tokio::test]
async fn when_everybody_fails_the_last_words_of_a_node_are_passed_on() {
    let (a, b) = two().await;
    let backup = NodeOptions { role: Role::Backup, ..b.options() };
    let (pool, _tasks) = pool(&[a.options(), backup], options()).await;
    a.fault(Fault::Status(503, "a is ill"));
    b.fault(Fault::Status(500, "b is ill"));
    let reply = pool.forward(read()).await.unwrap();
    assert_eq!((reply.status, reply.body.as_ref()), (500, b"b is ill".as_slice()));
    b.fault(Fault::Close);
    let reply = pool.forward(read()).await.unwrap();
    assert_eq!((reply.status, reply.body.as_ref()), (503, b"a is ill".as_slice()));
    a.fault(Fault::Close);
    let error = pool.forward(read()).await.unwrap_err();
    assert!(matches!(error, ForwardError::Failed { ref id, .. } if &**id == "b"), "{error}");
}

#[tokio::test]
async fn an_answer_over_the_bound_is_cut_off() {
    let (a, b) = two().await;
    let small = PoolOptions { response_bytes_max: 64 << 10, ..options() };
    let (pool, _tasks) = pool(&[a.options(), b.options()], small).await;
    for fake in [&a, &b] {
        fake.fault(Fault::Oversized(1 << 30));
    }
    assert!(matches!(pool.forward(read()).await, Err(ForwardError::TooLarge(65_536))));
    assert_eq!(a.asked().len() + b.asked().len(), 1, "another node would say the same");
    let got: u64 = pool.status().iter().map(|status| status.bytes_in).sum();
    assert!(got < 1 << 20, "{got}");
    for fake in [&a, &b] {
        fake.fault(Fault::Oversized(64 << 10));
    }
    let filled = pool.forward(read()).await;
    assert!(filled.is_ok_and(|reply| reply.body.len() == 64 << 10), "exactly the bound passes");
}

#[tokio::test]
async fn a_node_below_the_needed_height_is_never_asked() {
    let (low, high) = (Fake::start("low", chain(1, 10)).await, Fake::start("high", chain(1, 20)).await);
    let backup = NodeOptions { role: Role::Backup, ..high.options() };
    let (pool, _tasks) = pool(&[low.options(), backup], options()).await;
    let need = |height| Call { need: Need { height: Some(height) }, ..read() };
    for height in [11, 20] {
        assert_eq!(who(&pool.forward(need(height)).await.unwrap()), "high");
    }
    high.fault(Fault::Close);
    assert!(pool.forward(need(11)).await.is_err());
    assert!(matches!(pool.forward(need(21)).await, Err(ForwardError::NoUpstream)));
    assert!(low.asked().is_empty());
    assert_eq!(who(&pool.forward(need(10)).await.unwrap()), "low");
}

#[tokio::test]
async fn a_node_is_asked_only_for_methods_on_its_list() {
    let (a, b) = two().await;
    let listed = NodeOptions { methods: vec!["eth_send*".into(), "net_*".into()], ..a.options() };
    let (pool, _tasks) = pool(&[listed, NodeOptions { role: Role::Backup, ..b.options() }], options()).await;
    assert_eq!(who(&pool.forward(read()).await.unwrap()), "b");
    assert_eq!(who(&pool.forward(call(Class::Send, SEND)).await.unwrap()), "a");
    let mixed = r#"[{"id":1,"method":"net_version"},{"id":2,"method":"eth_call"}]"#;
    b.fault(Fault::Body("[]".into()));
    assert_eq!(&*pool.forward(call(Class::Read, mixed)).await.unwrap().upstream, "b");
}

// === budgets ===

#[tokio::test]
async fn retries_stay_within_their_budget() {
    let (a, b) = two().await;
    let (pool, mut tasks) = pool(&[a.options(), b.options()], options()).await;
    tasks.shutdown().await;
    // "Too many requests" leaves breakers alone, so that every call reaches a node.
    let limited = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"header not found"}}"#;
    for fake in [&a, &b] {
        fake.fault(Fault::Body(limited.into()));
    }
    let calls = 400;
    for _ in 0..calls {
        assert_eq!(pool.forward(read()).await.unwrap().body, limited);
    }
    let asked = a.asked().len() + b.asked().len();
    let retries = usize::try_from(pool.counts().retries).unwrap();
    assert_eq!(asked, calls + retries);
    // A fifth, what was saved up, and what some seconds add.
    assert!((calls / 5..calls / 5 + 20 + 30).contains(&retries), "{retries}");
}

#[tokio::test]
async fn a_late_answer_is_hedged_and_the_faster_one_wins() {
    let (a, b) = two().await;
    let backup = NodeOptions { role: Role::Backup, ..b.options() };
    let (pool, _tasks) = pool(&[a.options(), backup], PoolOptions { hedge_share: 0.05, ..quick() }).await;
    a.fault(Fault::Stall);
    assert_eq!(who(&pool.forward(read()).await.unwrap()), "b");
    assert_eq!((a.asked().len(), b.asked().len()), (1, 1));
    let counts = pool.counts();
    assert_eq!((counts.hedges, counts.hedges_won, counts.retries), (1, 1, 0));
    assert_eq!(pool.status()[0].in_flight, 0, "the loser gave its place back");
}

#[tokio::test]
async fn a_hedge_that_fails_leaves_the_first_request_running() {
    let (a, b) = two().await;
    let backup = NodeOptions { role: Role::Backup, ..b.options() };
    let (pool, _tasks) = pool(&[a.options(), backup], PoolOptions { hedge_share: 0.05, ..quick() }).await;
    a.fault(Fault::Delay(Duration::from_millis(800)));
    b.fault(Fault::Close);
    assert_eq!(who(&pool.forward(read()).await.unwrap()), "a");
    assert_eq!((a.asked().len(), b.asked().len()), (1, 1));
    assert_eq!(pool.counts().hedges_won, 0);
}

#[tokio::test]
async fn hedges_stay_within_their_budget_and_need_another_node() {
    let (a, b) = two().await;
    let options = PoolOptions { hedge_share: 0.05, ..quick() };
    let slow = |fake: &Fake| fake.fault(Fault::Delay(Duration::from_millis(700)));
    let (alone, _tasks) = pool(&[a.options()], options).await;
    slow(&a);
    alone.forward(read()).await.unwrap();
    assert_eq!(alone.counts().hedges, 0);

    slow(&b);
    let (both, _more) = pool(&[a.options(), b.options()], options).await;
    let calls = (0..60).map(|_| both.forward(read()));
    let replies = futures_util::future::join_all(calls).await;
    assert!(replies.iter().all(Result::is_ok));
    let hedges = both.counts().hedges;
    assert!((1..=13).contains(&hedges), "{hedges}: ten saved up and a twentieth");
}

// === sends ===

#[tokio::test]
async fn a_send_reaches_one_node_exactly_once_whatever_fails() {
    for fault in [
        Fault::None,
        Fault::Close,
        Fault::CloseMidAnswer,
        Fault::Stall,
        Fault::Drip,
        Fault::Status(500, "oops"),
        Fault::Status(429, "slow down"),
        Fault::Body(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32005,"message":"limit"}}"#.into()),
        Fault::Oversized(32 << 20),
    ] {
        let (a, b) = two().await;
        // What ends by its size must not end by time on a busy machine.
        let large = matches!(fault, Fault::Oversized(_));
        let timeout = Duration::from_millis(if large { 20_000 } else { 200 });
        let nodes = [&a, &b].map(|fake| NodeOptions { timeout, ..fake.options() });
        let (pool, _tasks) = pool(&nodes, quick()).await;
        // Connections are pooled already, so that stale ones are met too.
        pool.forward(call(Class::Primary, READ)).await.unwrap();
        a.fault(fault.clone());
        let reply = pool.forward(call(Class::Send, SEND)).await;
        assert_eq!(a.asked().iter().filter(|body| *body == SEND).count(), 1, "{fault:?}");
        assert!(b.asked().is_empty(), "{fault:?}");
        match fault {
            Fault::Status(status, text) => {
                let reply = reply.unwrap();
                assert_eq!((reply.status, reply.body.as_ref()), (status, text.as_bytes()));
            }
            Fault::Body(body) => assert_eq!(reply.unwrap().body, body),
            Fault::None => assert_eq!(who(&reply.unwrap()), "a"),
            Fault::Oversized(_) => assert!(matches!(reply, Err(ForwardError::TooLarge(_)))),
            _ => assert!(
                matches!(reply, Err(ForwardError::Failed { ref id, .. }) if &**id == "a"),
                "{reply:?}"
            ),
        }
    }
}

#[tokio::test]
async fn a_send_fails_over_while_nothing_has_left() {
    let (a, b) = two().await;
    let (pool, mut tasks) = pool(&[a.options(), b.options()], quick()).await;
    tasks.shutdown().await;
    a.stop().await;
    assert_eq!(who(&pool.forward(call(Class::Send, SEND)).await.unwrap()), "b");
    assert_eq!(b.asked(), [SEND]);
}

#[tokio::test]
async fn the_primary_stays_the_same_while_it_is_up() {
    let (a, b) = two().await;
    let (pool, _tasks) = pool(&[a.options(), b.options()], options()).await;
    for class in [Class::Send, Class::Primary, Class::Send] {
        assert_eq!(who(&pool.forward(call(class, SEND)).await.unwrap()), "a");
    }
    a.stop().await;
    pool.sources()[0].heads().wait_for(|heads| heads.latest.is_none()).await.unwrap();
    assert_eq!(who(&pool.forward(call(Class::Primary, READ)).await.unwrap()), "b");
    a.start_again(&a).await;
    all_up(&pool).await;
    assert_eq!(who(&pool.forward(call(Class::Send, SEND)).await.unwrap()), "b", "no going back without need");
}

// === filters ===

#[tokio::test]
async fn a_filter_sticks_to_the_node_that_gave_it() {
    let (a, b) = two().await;
    let (pool, _tasks) = pool(&[a.options(), b.options()], options()).await;
    let new = r#"{"jsonrpc":"2.0","id":7,"method":"eth_newFilter","params":[{}]}"#;
    let changes = || {
        call(Class::Filter("0xfa".into()), r#"{"id":7,"method":"eth_getFilterChanges","params":["0xfa"]}"#)
    };
    assert!(matches!(pool.forward(changes()).await, Err(ForwardError::UnknownFilter)));
    assert_eq!(who(&pool.forward(call(Class::NewFilter, new)).await.unwrap()), "0xfa");
    for _ in 0..5 {
        assert_eq!(who(&pool.forward(changes()).await.unwrap()), "a");
    }
    a.fault(Fault::Close);
    assert!(matches!(pool.forward(changes()).await, Err(ForwardError::Failed { .. })));
    assert!(b.asked().is_empty());
}

#[tokio::test]
async fn an_id_that_another_nodes_filter_has_is_never_handed_out() {
    let (a, b) = two().await;
    let (pool, _tasks) = pool(&[a.options(), b.options()], options()).await;
    let new = r#"{"jsonrpc":"2.0","id":7,"method":"eth_newFilter","params":[{}]}"#;
    assert_eq!(who(&pool.forward(call(Class::NewFilter, new)).await.unwrap()), "0xfa");
    // Now the other one makes filters, and counts as the first did.
    a.fault(Fault::Status(503, ""));
    b.fault(Fault::Body(r#"{"jsonrpc":"2.0","id":7,"result":"0xfa"}"#.into()));
    let refused = pool.forward(call(Class::NewFilter, new)).await;
    assert!(matches!(refused, Err(ForwardError::FilterTaken)), "{refused:?}");
    let asked = b.asked().len();
    assert!((1..=16).contains(&asked), "{asked}");
    a.fault(Fault::None);
    b.fault(Fault::None);
    let changes = r#"{"id":7,"method":"eth_getFilterChanges","params":["0xfa"]}"#;
    assert_eq!(who(&pool.forward(call(Class::Filter("0xfa".into()), changes)).await.unwrap()), "a");
}

// === what was not asked for ===

#[tokio::test]
async fn compressed_answers_and_redirections_are_no_answers() {
    for fault in [Fault::Coded("gzip"), Fault::Coded("br"), Fault::Status(302, ""), Fault::Status(308, "{}")]
    {
        let (a, b) = two().await;
        let backup = NodeOptions { role: Role::Backup, ..b.options() };
        let (pool, _tasks) = pool(&[a.options(), backup], options()).await;
        a.fault(fault.clone());
        assert_eq!(who(&pool.forward(read()).await.unwrap()), "b", "{fault:?}");
        assert_eq!(a.asked().len(), 1, "{fault:?}");
    }
    let (a, _) = two().await;
    let (pool, _tasks) = pool(&[a.options()], options()).await;
    a.fault(Fault::Coded("identity"));
    assert_eq!(who(&pool.forward(read()).await.unwrap()), "a");
}

#[tokio::test]
async fn answers_together_stay_within_what_may_be_in_flight() {
    let (a, _) = two().await;
    let (pool, _tasks) = pool(&[a.options()], options()).await;
    pool.charge_to(hypasis_upstream::InFlight::new(1 << 20));
    a.fault(Fault::Oversized(600 << 10));
    let first = pool.forward(read()).await.unwrap();
    assert!(matches!(pool.forward(read()).await, Err(ForwardError::NoRoom)));
    assert_eq!(pool.status()[0].errors, 0, "it is not the node's fault");
    drop(first);
    assert_eq!(pool.forward(read()).await.unwrap().body.len(), 600 << 10);
}
