//! Asking nodes, and what is made of their replies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hypasis_upstream::{Call, ForwardError, Need, Reply};

use super::{Core, Quick, Route, Slow, ToNode};
use crate::rpc::calibrate::compare::{self, Tools};
use crate::rpc::framing::text::{quote, unquote};
use crate::rpc::framing::{Envelope, HEAD, Rendered, RpcError, Said};
use crate::rpc::local::{Asked, Hit, Mode, Stop};
use crate::rpc::memory::Key;
use crate::rpc::methods::{Class, Local, method};
use crate::rpc::nodes::{AskError, Outgoing};
use crate::rpc::params::{self, Arguments, BlockArgument};
use crate::rpc::source::{Miss, Source};

/// What a caller gets.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A reply.
    Said(Said),
    /// A node's body that is no JSON-RPC reply, with the node's status and content type.
    Verbatim(Reply, Miss),
}

// === impl Core ===

impl Core {
    /// Answers a call that takes waiting. `message` is the call as it came.
    pub(crate) async fn slow(
        &self,
        call: &Envelope<'_>,
        message: &Bytes,
        slow: Slow,
        route: Route,
    ) -> Answer {
        let slow = match slow {
            Slow::Here(local) => match self.patiently(call, local, route).await {
                Quick::Said(said) => return Answer::Said(said),
                Quick::Slow(slow) => *slow,
            },
            other => other,
        };
        match slow {
            Slow::Node(node) => self.ask(call, message, node).await,
            Slow::Partly(search) => Answer::Said(self.merged(search).await),
            Slow::Here(_) => Answer::Said(Said::error(&RpcError::INTERNAL, None)),
        }
    }

    /// Renders off the threads that serve, so many at once.
    async fn patiently(&self, call: &Envelope<'_>, local: Local, route: Route) -> Quick {
        let outcome = self.rendered_patiently(call, local, self.asked(route)).await;
        let key = Key::of(&call.method, call.params());
        self.settled(call, method(&call.method), route, outcome, local, &key)
    }

    async fn rendered_patiently(&self, call: &Envelope<'_>, local: Local, asked: Asked) -> Result<Hit, Stop> {
        let (shelf, params) = (Arc::clone(&self.shelf), call.params().to_vec());
        let asked = Asked { patient: true, ..asked };
        let rendering = self.off_the_serving_threads(asked, move |asked| {
            let view = shelf.store.view();
            shelf.moment(&view, asked).answer(local, &params)
        });
        match rendering.await {
            Ok(outcome) => outcome.unwrap_or(Err(Stop::Miss(Miss::Store))),
            Err(error) => Err(Stop::Refused(error)),
        }
    }

    /// Does `work` where waiting hurts nobody, so many at once; `None` if it panicked. The place is taken until the
    /// work ends, also when the caller has left: it is told so and ends soon.
    pub(super) async fn off_the_serving_threads<T: Send + 'static>(
        &self,
        mut asked: Asked,
        work: impl FnOnce(Asked) -> T + Send + 'static,
    ) -> Result<Option<T>, RpcError> {
        let place = Arc::clone(&self.patience).acquire_owned();
        let place = tokio::time::timeout_at(asked.deadline, place).await.map_err(|_| RpcError::TIMEOUT)?;
        let place = place.map_err(|_| RpcError::INTERNAL)?;
        let leaving = Leaving::default();
        asked.left = Some(Arc::clone(&leaving.0));
        let working = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(asked)
        });
        Ok(working.await.ok())
    }

    /// How an answer is asked of the store.
    pub(super) fn asked(&self, route: Route) -> Asked {
        let mode = if route == Route::Store { Mode::StoreOnly } else { Mode::Serve };
        Asked { mode, patient: false, deadline: tokio::time::Instant::now() + self.rules.timeout, left: None }
    }

    async fn ask(&self, call: &Envelope<'_>, message: &Bytes, node: ToNode) -> Answer {
        let params = node.params.as_deref().unwrap_or(call.params());
        let key = Key::of(&call.method, params);
        let body = match node.params {
            None => message.clone(),
            Some(_) => written(call.id.unwrap_or(b"1"), &call.method, Some(params)).into(),
        };
        let need = Need { height: node.height };
        let outgoing = Outgoing {
            call: Call { body, class: node.way.clone(), need, method: node.method.label },
            key: (node.shared && call.id.is_some()).then(|| Bytes::copy_from_slice(key.bytes())),
        };
        let incoming = match self.nodes.ask(outgoing).await {
            Ok(incoming) => incoming,
            Err(error) => return Answer::Said(self.without_node(call, &node, &error).await),
        };
        let source = match incoming.shared {
            true => Source::Coalesced,
            false => Source::Upstream(Arc::clone(&incoming.reply.upstream)),
        };
        match Said::node(&incoming.reply.body, source, Some(node.miss)) {
            Some(said) if incoming.reply.status == 200 => {
                if !said.failed && !incoming.shared {
                    self.learn_and_keep(&node, params, &key, &incoming.reply.body, &incoming.reply.upstream);
                }
                Answer::Said(said)
            }
            _ => Answer::Verbatim(incoming.reply, node.miss),
        }
    }

    /// What is said where no node answered. A form that merely was not compared yet is answered from the store:
    /// there is nobody left to differ from, or to compare with.
    pub(super) async fn without_node(&self, call: &Envelope<'_>, node: &ToNode, error: &AskError) -> Said {
        if let (Miss::Calibration, Class::Local(local)) = (node.miss, node.method.class) {
            let asked = Asked { mode: Mode::Alone, ..self.asked(Route::Any) };
            if let Ok(hit) = self.rendered_patiently(call, local, asked).await {
                return Said::result(hit.rendered, Source::Store);
            }
        }
        unanswered(node, error)
    }

    /// Keeps a good answer, and compares it if its form is not yet known.
    pub(crate) fn learn_and_keep(
        &self,
        node: &ToNode,
        params: &[u8],
        key: &Key,
        body: &Bytes,
        from: &Arc<str>,
    ) {
        let local = match node.method.class {
            Class::Local(local) if node.miss == Miss::Calibration => Some(local),
            _ => None,
        };
        // Most of what passes through is neither kept nor compared: it is not read once more for nothing.
        if node.keep.is_none() && local.is_none() {
            return;
        }
        let result =
            Envelope::read(body).ok().and_then(|reply| reply.result).filter(|result| *result != b"null");
        let Some(result) = result else { return };
        if let Some(bound) = node.keep {
            self.memory.put(key, Rendered::of(result), bound);
        }
        let Some(local) = local else { return };
        if self.shelf.verdicts.of(self.nodes.client_version(from).as_deref()) {
            let result = body.slice_ref(result);
            compare::in_background(&Tools::of(self), local, params.to_vec(), result, from, false);
        }
    }

    /// The lowest head that a node must have to know what the parameters name.
    pub(super) fn height(&self, params: &[u8], miss: Miss) -> Option<u64> {
        if matches!(miss, Miss::AboveHead | Miss::Pending | Miss::Params) {
            return None;
        }
        let arguments = Arguments::split(params, 8).ok()?;
        match params::block(arguments.text(0)?) {
            Ok(BlockArgument::Number(number)) => Some(number),
            Ok(BlockArgument::Tag(_)) => self.shelf.served.now().latest.map(|id| id.number),
            _ => None,
        }
    }
}

/// Says on drop that the caller has left.
#[derive(Debug, Default)]
struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A call with an id of ours.
pub(crate) fn written(id: &[u8], method: &str, params: Option<&[u8]>) -> Vec<u8> {
    let room = params.map_or(0, <[u8]>::len).saturating_add(method.len()).saturating_add(64);
    let mut out = Vec::with_capacity(room);
    out.extend_from_slice(HEAD);
    out.extend_from_slice(id);
    out.extend_from_slice(b",\"method\":");
    quote(&mut out, method);
    if let Some(params) = params {
        out.extend_from_slice(b",\"params\":");
        out.extend_from_slice(params);
    }
    out.push(b'}');
    out
}

/// The filter that the first parameter names.
pub(super) fn filter_id(params: &[u8]) -> Option<String> {
    let arguments = Arguments::split(params, 8).ok()?;
    arguments.text(0).filter(|text| text.first() == Some(&b'"')).map(|text| unquote(text).into_owned())
}

/// Where no node answered: Geth's own words if the call was wrong anyway, else what went wrong here.
fn unanswered(node: &ToNode, error: &AskError) -> Said {
    let absent = matches!(error, AskError::Forward(ForwardError::NoUpstream));
    match &node.fault {
        Some(fault) if absent => Said::error(fault, Some(node.miss)),
        _ => Said::error(&worded(error, node.miss), Some(node.miss)),
    }
}

/// An error of ours about nodes, in Geth's words where it has some.
pub(crate) fn worded(error: &AskError, miss: Miss) -> RpcError {
    match error {
        AskError::Timeout => RpcError::TIMEOUT,
        AskError::Forward(ForwardError::TooLarge(_)) => RpcError::RESPONSE_TOO_LARGE,
        AskError::Forward(ForwardError::NoRoom) => RpcError::BUSY,
        AskError::Forward(ForwardError::UnknownFilter) => RpcError::upstream("filter not found".into(), None),
        error => RpcError::upstream(error.to_string(), Some(miss.name())),
    }
}
