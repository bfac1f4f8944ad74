//! Where a call is answered: here at once ([`Core::quick`]), here with patience, or by a node ([`Core::slow`]).

mod batch;
mod merge;
mod node;
mod state;

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use hypasis_cache::{Store, View};
use hypasis_upstream::Class as Way;
use tokio::sync::Semaphore;

use super::framing::{Envelope, Rendered, RpcError, Said};
use super::local::{Hit, Search, Shelf, Stop};
use super::memory::{Bound, Key, Memory};
use super::methods::{self, Class, Local, Method};
use super::metrics::Metrics;
use super::nodes::Nodes;
use super::params::Arguments;
use super::source::{Miss, Source};

pub(crate) use batch::Batch;
pub(crate) use node::{Answer, written};

/// Everything that answers calls.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) memory: Memory,
    pub(crate) nodes: Nodes,
    pub(crate) metrics: Metrics,
    pub(crate) constants: Constants,
    pub(crate) rules: Rules,
    /// Long searches and renderings at once.
    pub(crate) patience: Arc<Semaphore>,
    /// Background comparisons at once.
    pub(crate) comparing: Arc<Semaphore>,
    /// Of so many local answers one is compared with a node's; 0: none.
    pub(crate) shadow_every: u64,
}

/// Answers that never change.
#[derive(Debug)]
pub(crate) struct Constants {
    pub(crate) chain_id: Rendered,
    pub(crate) network_id: Rendered,
}

/// What the operator said about calls.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Whether dangerous methods are refused: the listener is not loopback.
    pub(crate) guarded: bool,
    /// Methods that are let through nevertheless.
    pub(crate) allow: Vec<String>,
    pub(crate) timeout: Duration,
    pub(crate) pin_tags: bool,
}

/// `hypasis-route`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Route {
    /// The store if it can, else a node.
    #[default]
    Any,
    /// The store alone.
    Store,
    /// A node alone.
    Upstream,
}

/// The one view of a request, taken when it is first needed: constants need none.
#[derive(Debug)]
pub(crate) struct Glance<'s> {
    store: &'s Store,
    view: OnceCell<View>,
}

/// Said at once, or not.
#[derive(Debug)]
pub(crate) enum Quick {
    Said(Said),
    Slow(Box<Slow>),
}

/// What it takes to answer a call that could not be answered at once.
#[derive(Debug)]
pub(crate) enum Slow {
    /// Renders here, off the threads that serve.
    Here(Local),
    /// Asks a node.
    Node(ToNode),
    /// Asks nodes for what is missing of a range.
    Partly(Search),
}

/// A call for a node.
#[derive(Debug)]
pub(crate) struct ToNode {
    pub(crate) method: Method,
    pub(crate) miss: Miss,
    pub(crate) way: Way,
    /// The lowest head that a node must have to be asked.
    pub(crate) height: Option<u64>,
    /// Whether equal calls may share the answer.
    pub(crate) shared: bool,
    /// For how long a good answer may be kept.
    pub(crate) keep: Option<Bound>,
    /// Parameters to send instead of the caller's (pinned tags).
    pub(crate) params: Option<Vec<u8>>,
    /// What is said if no node is there.
    pub(crate) fault: Option<RpcError>,
}

// === impl Core ===

impl Core {
    /// Answers from memory, constants and the store, as far as that takes no waiting.
    pub(crate) fn quick(&self, call: &Envelope<'_>, route: Route, glance: &Glance<'_>) -> Quick {
        let name: &str = &call.method;
        if self.rules.guarded && methods::refused(name, &self.rules.allow) {
            return Quick::Said(Said::error(&RpcError::no_method(name), None));
        }
        let method = methods::method(name);
        match method.class {
            _ if route == Route::Upstream => Self::node(ToNode::plain(method, Miss::Route, call)),
            Class::Local(local @ (Local::ChainId | Local::NetVersion | Local::BlockNumber)) => {
                self.unasked(call, method, local, route, glance)
            }
            Class::Local(local) => self.local(call, method, local, route, glance.view()),
            Class::State(position) => self.state(call, method, position, route, glance.view()),
            _ if route == Route::Store => Quick::Said(not_held(plain_miss(method.class))),
            class => Self::node(ToNode::plain(method, plain_miss(class), call)),
        }
    }

    fn local(&self, call: &Envelope<'_>, method: Method, local: Local, route: Route, view: &View) -> Quick {
        let key = Key::of(&call.method, call.params());
        if let Some(rendered) = self.memory.get(&key, &self.shelf, view) {
            return Quick::Said(Said::result(rendered, Source::Memory));
        }
        let outcome = self.shelf.moment(view, self.asked(route)).answer(local, call.params());
        self.settled(call, method, route, outcome, local, &key)
    }

    /// Turns what the store said into an answer, or into what it takes to get one.
    fn settled(
        &self,
        call: &Envelope<'_>,
        method: Method,
        route: Route,
        outcome: Result<Hit, Stop>,
        local: Local,
        key: &Key,
    ) -> Quick {
        let (miss, fault) = match outcome {
            Ok(hit) => {
                // What the store route rendered was not compared with the node: it is not kept for others.
                if route == Route::Any && !moving(call.params()) {
                    self.memory.put(key, hit.rendered.clone(), Bound::Canonical(hit.bound));
                }
                return Quick::Said(Said::result(hit.rendered, Source::Store));
            }
            Err(Stop::Patience) => return Quick::Slow(Box::new(Slow::Here(local))),
            Err(Stop::Refused(error)) => return Quick::Said(Said::error(&error, None)),
            Err(Stop::Fault(error)) if route == Route::Store => {
                return Quick::Said(Said::error(&error, None));
            }
            Err(Stop::Partly(search)) if route == Route::Any => {
                return Quick::Slow(Box::new(Slow::Partly(search)));
            }
            Err(Stop::Partly(_)) => (Miss::Gap, None),
            Err(Stop::Fault(error)) => (Miss::Params, Some(error)),
            Err(Stop::Miss(miss)) => (miss, None),
        };
        if route == Route::Store {
            return Quick::Said(not_held(miss));
        }
        let way = if miss == Miss::Pending { Way::Primary } else { Way::Read };
        let height = self.height(call.params(), miss);
        let shared = miss != Miss::Pending;
        Self::node(ToNode { way, height, shared, fault, ..ToNode::plain(method, miss, call) })
    }

    /// What takes no parameters. Nodes differ in what they make of some, so these are theirs to judge.
    fn unasked(
        &self,
        call: &Envelope<'_>,
        method: Method,
        local: Local,
        route: Route,
        glance: &Glance<'_>,
    ) -> Quick {
        match (Arguments::split(call.params(), 0), local) {
            (Err(fault), _) if route == Route::Store => Quick::Said(Said::error(&fault, None)),
            (Err(fault), _) => {
                let plain = ToNode::plain(method, Miss::Params, call);
                Self::node(ToNode { fault: Some(fault), ..plain })
            }
            (Ok(_), Local::ChainId) => constant(&self.constants.chain_id),
            (Ok(_), Local::NetVersion) => constant(&self.constants.network_id),
            (Ok(_), _) => self.block_number(call, method, route, glance),
        }
    }

    /// `eth_blockNumber`: the one served head; on the store route the highest held one.
    fn block_number(&self, call: &Envelope<'_>, method: Method, route: Route, glance: &Glance<'_>) -> Quick {
        let served = self.shelf.served.now();
        let head = if route == Route::Store { glance.view().head() } else { served.latest };
        match head {
            Some(id) => {
                let rendered = Rendered::of(format!("\"{:#x}\"", id.number).as_bytes());
                let held = served.local || route == Route::Store;
                Quick::Said(Said::result(rendered, if held { Source::Store } else { Source::Local }))
            }
            None if route == Route::Store => Quick::Said(not_held(Miss::Head)),
            None => Self::node(ToNode::plain(method, Miss::Head, call)),
        }
    }

    fn node(node: ToNode) -> Quick {
        Quick::Slow(Box::new(Slow::Node(node)))
    }
}

// === impl Glance ===

impl<'s> Glance<'s> {
    /// No view yet.
    pub(crate) fn new(store: &'s Store) -> Self {
        Self { store, view: OnceCell::new() }
    }

    fn view(&self) -> &View {
        self.view.get_or_init(|| self.store.view())
    }
}

// === impl ToNode ===

impl ToNode {
    /// As it came, by the method's class alone.
    fn plain(method: Method, miss: Miss, call: &Envelope<'_>) -> Self {
        let way = match method.class {
            Class::Local(_) | Class::State(_) | Class::Read => Way::Read,
            Class::Primary => Way::Primary,
            Class::Send | Class::Unknown => Way::Send,
            Class::NewFilter => Way::NewFilter,
            Class::Filter => node::filter_id(call.params()).map_or(Way::Primary, Way::Filter),
        };
        Self { method, miss, way, height: None, shared: false, keep: None, params: None, fault: None }
    }
}

/// Why methods of this class always miss.
fn plain_miss(class: Class) -> Miss {
    match class {
        Class::Unknown => Miss::UnknownMethod,
        Class::State(_) | Class::Read | Class::Local(_) => Miss::State,
        Class::Primary => Miss::Pending,
        Class::Send | Class::NewFilter | Class::Filter => Miss::Node,
    }
}

/// Whether parameters name a block by a moving tag, so that the same text means another block later.
fn moving(params: &[u8]) -> bool {
    // Every tag but `earliest` moves; `fromBlock` and `toBlock` left out mean the latest.
    const TAGS: [&[u8]; 4] = [b"\"latest\"", b"\"safe\"", b"\"finalized\"", b"\"pending\""];
    let has = |needle: &[u8]| params.windows(needle.len()).any(|window| window == needle);
    let filter = has(b"{") && !has(b"\"blockHash\"") && !(has(b"\"fromBlock\":\"") && has(b"\"toBlock\":\""));
    filter || TAGS.iter().any(|tag| has(tag))
}

fn constant(rendered: &Rendered) -> Quick {
    Quick::Said(Said::result(rendered.clone(), Source::Local))
}

fn not_held(miss: Miss) -> Said {
    Said::error(&RpcError::not_held(miss.name()), Some(miss))
}
