//! Asks the node on its own for answers whose form is not yet compared, so that callers need not wait for it.
//!
//! Every round looks at some of the held blocks that were not looked at yet, and asks for each form of them that is
//! still open: [`CALLS_MAX`] calls a round at most, a round when the head moves or the store grows. A new client
//! version starts over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hypasis_chain::render::Profile;
use hypasis_chain::spec::Family;
use hypasis_upstream::{Call, Class as Way, Need, Reply};
use tokio::sync::watch;
use tokio::time::Instant;

use super::compare;
use super::record::Calibration;
use super::survey::look;
use super::verdicts::rendered;
use crate::rpc::framing::Envelope;
use crate::rpc::methods::{Class, Local, method};
use crate::rpc::nodes::Outgoing;
use crate::rpc::route::written;
use crate::rpc::stack::Stack;
use crate::served::Served;

/// Time between rounds where nothing is to be done; history that is filled below is seen that late.
const ROUND: Duration = Duration::from_secs(1);
/// Shortest time between two rounds.
const SHORTEST: Duration = Duration::from_millis(100);
/// Time between questions for the client's version.
const VERSION_EVERY: Duration = Duration::from_secs(10);
/// JSON-RPC's code for a method that does not exist.
const NO_METHOD: i64 = -32_601;
/// Calls of a round at most.
const CALLS_MAX: usize = 96;
const VERSION: &str = "web3_clientVersion";
/// Longest client version that is believed to be one.
const VERSION_MAX: usize = 256;

/// Runs until `shutdown`.
pub(crate) async fn run(stack: Arc<Stack>, mut shutdown: watch::Receiver<bool>) {
    let mut client = Calibration::load(&stack.core.shelf.store).map(|record| adopt(&stack, record));
    let mut served = stack.core.shelf.served.subscribe();
    let mut asked = None;
    // What an earlier run learned says which methods the node has, too.
    let mut knows_methods = client.is_some();
    loop {
        let up = served.borrow_and_update().upstream;
        let mut more = false;
        if up {
            if asked.is_none_or(|at: Instant| at.elapsed() >= VERSION_EVERY)
                && let Some(version) = version(&stack).await
            {
                asked = Some(Instant::now());
                if client.as_ref() != Some(&version) {
                    start_over(&stack, &version);
                    client = Some(version);
                    knows_methods = false;
                }
            }
            if client.is_some() {
                more = once(&stack, &mut knows_methods).await;
                save(&stack, client.as_deref().unwrap_or_default());
            }
        } else {
            // It may be another one when it comes back.
            asked = None;
        }
        tokio::select! {
            () = pause(&stack, &mut served, up, more) => {}
            _ = shutdown.wait_for(|down| *down) => return,
        }
    }
}

/// Until the next round: soon while there is something to do or the head moves, else after a while.
async fn pause(stack: &Stack, served: &mut watch::Receiver<Served>, up: bool, more: bool) {
    if up {
        let busy = more || stack.core.shelf.verdicts.survey().is_open();
        tokio::time::sleep(SHORTEST).await;
        if busy {
            return;
        }
    }
    let turned = async {
        if served.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = tokio::time::sleep(ROUND) => {}
        () = turned => {}
    }
}

/// Uses what an earlier run learned; returns the client version that it learned it of.
fn adopt(stack: &Stack, record: Calibration) -> String {
    let client = record.client.clone();
    stack.core.shelf.profile.store(Arc::new(Profile::detect(&client, &stack.core.shelf.spec)));
    let lacking: Vec<&str> = record.lacking.iter().map(String::as_str).collect();
    let lacking: Vec<Local> =
        rendered().filter(|(name, _)| lacking.contains(name)).map(|(_, method)| method).collect();
    stack.core.shelf.verdicts.replace(&client, record.units());
    for method in lacking {
        stack.core.shelf.verdicts.note_lacking(method);
    }
    client
}

fn start_over(stack: &Stack, version: &str) {
    tracing::info!(client = version, "comparing forms with the upstream's");
    stack.core.shelf.profile.store(Arc::new(Profile::detect(version, &stack.core.shelf.spec)));
    stack.core.shelf.verdicts.replace(version, Default::default());
    stack.core.memory.clear();
}

fn save(stack: &Stack, client: &str) {
    let verdicts = &stack.core.shelf.verdicts;
    if !verdicts.take_changed() {
        return;
    }
    if let Err(error) = Calibration::new(client, verdicts).save(&stack.core.shelf.store) {
        tracing::warn!(%error, "what was learned of the upstream's forms could not be kept");
    }
}

async fn version(stack: &Stack) -> Option<String> {
    let (result, _) = ask(stack, VERSION, b"[]", Way::Primary).await?;
    let version: String = serde_json::from_slice(&result).ok()?;
    (version.len() <= VERSION_MAX).then_some(version)
}

/// Asks once for each method whether the node has it: parameters are missing, which it says only of those it has.
async fn methods(stack: &Stack) {
    let bor = stack.core.shelf.spec.family == Family::Bor;
    for (name, method) in rendered().filter(|(_, method)| bor || !method.is_bors()) {
        let Some(answer) = reply(stack, name, b"[]", Way::Read).await else { continue };
        let error = Envelope::read(&answer.body).ok().and_then(|answer| answer.error);
        let code = error.and_then(|error| serde_json::from_slice::<serde_json::Value>(error).ok());
        if code.is_some_and(|error| error.get("code").is_some_and(|code| *code == NO_METHOD)) {
            stack.core.shelf.verdicts.note_lacking(method);
            stack.core.memory.clear();
        }
    }
}

/// One round: looks at blocks, asks what methods there are if these are the first blocks, then asks for what is
/// open in them. Returns whether there may be more to do at once.
async fn once(stack: &Arc<Stack>, knows_methods: &mut bool) -> bool {
    let looking = Arc::clone(stack);
    let more = tokio::task::spawn_blocking(move || {
        let (verdicts, view) = (&looking.core.shelf.verdicts, looking.core.shelf.store.view());
        let heights = verdicts.survey().next(&view);
        for number in &heights {
            let found = look(&looking.core.shelf.spec, &view, verdicts, *number);
            verdicts.survey().looked_at(&view, *number, found);
        }
        !heights.is_empty()
    });
    let more = more.await.unwrap_or_default();
    if more && !*knows_methods {
        methods(stack).await;
        *knows_methods = true;
    }
    let verdicts = &stack.core.shelf.verdicts;
    let questions = verdicts.survey().questions(verdicts, CALLS_MAX);
    let tools = compare::Tools::of(&stack.core);
    for question in questions {
        let Class::Local(local) = method(question.method).class else { continue };
        if let Some((result, from)) = ask(stack, question.method, question.params.as_bytes(), Way::Read).await
        {
            compare::now(&tools, local, question.params.into_bytes(), result, &from).await;
        }
    }
    verdicts.survey().settle(verdicts);
    more
}

async fn ask(stack: &Stack, name: &'static str, params: &[u8], way: Way) -> Option<(Bytes, Arc<str>)> {
    let reply = reply(stack, name, params, way).await?;
    let result = Envelope::read(&reply.body).ok()?.result.filter(|result| *result != b"null")?;
    Some((reply.body.slice_ref(result), reply.upstream))
}

/// The reply of a node whose forms are being compared.
async fn reply(stack: &Stack, name: &'static str, params: &[u8], way: Way) -> Option<Reply> {
    let body = Bytes::from(written(b"1", name, Some(params)));
    let call = Call { body, class: way, need: Need::default(), method: name };
    let reply = stack.core.nodes.ask(Outgoing { call, key: None }).await.ok()?.reply;
    let version = stack.core.nodes.client_version(&reply.upstream);
    let speaks = name == VERSION || stack.core.shelf.verdicts.of(version.as_deref());
    speaks.then_some(reply)
}
