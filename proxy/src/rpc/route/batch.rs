//! Batches: each member on its own way, answers in order.
//!
//! Members that the store answers never wait for the others' nodes to be chosen; what is left goes to nodes in the
//! order it came. Consecutive reads travel as one batch with ids of ours, everything else singly, so that a read
//! behind a send sees what was sent.

use bytes::Bytes;
use hypasis_upstream::{Call, Class as Way, Need, Reply};

use super::node::{Answer, written};
use super::{Core, Glance, Quick, Route, Slow, ToNode};
use crate::rpc::framing::{Envelope, RpcError, Said, Shape};
use crate::rpc::memory::Key;
use crate::rpc::methods;
use crate::rpc::nodes::Outgoing;
use crate::rpc::source::{Miss, Source};

/// Most members of a batch that a node gets: Bor refuses more by default.
const MEMBERS_MAX: usize = 100;

/// A batch while it is answered.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    members: Vec<Member<'a>>,
}

#[derive(Debug)]
struct Member<'a> {
    call: Envelope<'a>,
    message: Bytes,
    said: Option<Said>,
    slow: Option<Box<Slow>>,
    silent: bool,
}

// === impl Batch ===

impl<'a> Batch<'a> {
    /// Reads the members of `body`. What Geth ignores is left out.
    pub(crate) fn read(body: &Bytes, texts: &[&'a [u8]]) -> Self {
        let read = |text: &&'a [u8]| {
            let call = Envelope::read(text).unwrap_or_default();
            let shape = call.shape();
            let said = (shape == Shape::Invalid).then(|| Said::error(&RpcError::INVALID_REQUEST, None));
            let silent = shape == Shape::Notification;
            let message = if shape == Shape::Invalid { Bytes::new() } else { call.message(body) };
            (shape != Shape::Response).then_some(Member { call, message, said, slow: None, silent })
        };
        Self { members: texts.iter().filter_map(read).collect() }
    }

    /// Answers all members. Beyond `bytes_max` of answers the rest is refused, as by Geth.
    pub(crate) async fn answer(&mut self, core: &Core, route: Route, bytes_max: usize) {
        self.quick(core, route, bytes_max);
        let mut next = 0;
        while let Some(start) = self.members.iter().skip(next).position(|member| member.slow.is_some()) {
            let start = start.saturating_add(next);
            // What is behind too much is refused: asking for it would only fill memory.
            let Some(room) = bytes_max.checked_sub(bytes(self.members.iter())) else { break };
            next = self.ask(core, route, start, room).await;
        }
        self.cut(bytes_max);
    }

    /// Answers what takes no waiting, all in one view.
    fn quick(&mut self, core: &Core, route: Route, bytes_max: usize) {
        let glance = Glance::new(&core.shelf.store);
        let mut bytes = 0_usize;
        for member in &mut self.members {
            if member.said.is_none() && bytes <= bytes_max {
                member.quick(core, route, &glance);
            }
            bytes = bytes.saturating_add(member.said.as_ref().map_or(0, |said| said.tail.len()));
        }
    }

    /// Answers from `start` on as far as one exchange reaches and its answers have `room`; returns where to go on.
    async fn ask(&mut self, core: &Core, route: Route, start: usize, room: usize) -> usize {
        let open = self.members.get_mut(start..).unwrap_or_default();
        // Members answered already do not stand in the way.
        let reach =
            open.iter().position(|member| member.slow.is_some() && !member.joins()).unwrap_or(open.len());
        let mut group: Vec<&mut Member<'a>> =
            open.iter_mut().take(reach).filter(|member| member.slow.is_some()).collect();
        if group.len() > 1 {
            let mut used = 0_usize;
            for part in group.chunks_mut(MEMBERS_MAX) {
                if used > room {
                    break;
                }
                together(core, part).await;
                used = used.saturating_add(bytes(part.iter().map(|member| &**member)));
            }
        }
        // Those that a node left out of its answer, and those that travel alone.
        let mut used = bytes(group.iter().map(|member| &**member));
        for member in group {
            if used > room {
                break;
            }
            let before = member.bytes();
            member.alone(core, route).await;
            used = used.saturating_add(member.bytes().saturating_sub(before));
        }
        if reach == 0 {
            if let Some(member) = open.first_mut() {
                member.alone(core, route).await;
            }
            return start.saturating_add(1);
        }
        start.saturating_add(reach)
    }

    /// Geth counts results in order and refuses everything behind the one that exceeds the limit.
    fn cut(&mut self, bytes_max: usize) {
        let mut bytes = 0_usize;
        for member in &mut self.members {
            if bytes > bytes_max || member.said.is_none() {
                member.said = Some(Said::error(&RpcError::RESPONSE_TOO_LARGE, None));
            }
            let length = member.said.as_ref().map_or(0, |said| said.tail.len());
            bytes = bytes.saturating_add(if member.silent { 0 } else { length });
        }
    }

    /// The members that are answered, with their ids and methods.
    pub(crate) fn said(&self) -> impl Iterator<Item = (&'a [u8], &Said, usize)> {
        self.members.iter().filter(|member| !member.silent).filter_map(|member| {
            let method = methods::method(&member.call.method).index;
            member.said.as_ref().map(|said| (member.call.reply_id(), said, method))
        })
    }
}

// === impl Member ===

impl Member<'_> {
    /// Bytes of its answer so far.
    fn bytes(&self) -> usize {
        self.said.as_ref().map_or(0, |said| said.tail.len())
    }

    fn quick(&mut self, core: &Core, route: Route, glance: &Glance<'_>) {
        match core.quick(&self.call, route, glance) {
            Quick::Said(said) => self.said = Some(said),
            Quick::Slow(slow) => self.slow = Some(slow),
        }
    }

    /// Whether it may travel with others: an idempotent read that somebody waits for.
    fn joins(&self) -> bool {
        matches!(self.slow.as_deref(), Some(Slow::Node(ToNode { way: Way::Read, .. }))) && !self.silent
    }

    async fn alone(&mut self, core: &Core, route: Route) {
        let Some(slow) = self.slow.take() else { return };
        let said = match core.slow(&self.call, &self.message, *slow, route).await {
            Answer::Said(said) => said,
            Answer::Verbatim(reply, miss) => no_reply(&reply, miss),
        };
        self.said = Some(said);
    }

    fn node(&self) -> Option<&ToNode> {
        match self.slow.as_deref() {
            Some(Slow::Node(node)) => Some(node),
            _ => None,
        }
    }
}

/// Bytes of the answers so far.
fn bytes<'m, 'a: 'm>(members: impl Iterator<Item = &'m Member<'a>>) -> usize {
    members.map(Member::bytes).fold(0, usize::saturating_add)
}

/// Sends reads as one batch; a member that the node's answer leaves out stays open.
async fn together(core: &Core, part: &mut [&mut Member<'_>]) {
    let mut body = vec![b'['];
    let mut height = None;
    for (id, member) in part.iter().enumerate() {
        let Some(node) = member.node() else { continue };
        height = height.max(node.height);
        let params = node.params.as_deref().or(member.call.params);
        if id > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&written(id.to_string().as_bytes(), &member.call.method, params));
    }
    body.push(b']');
    let call = Call { body: body.into(), class: Way::Read, need: Need { height }, method: "batch" };
    match core.nodes.ask(Outgoing { call, key: None }).await {
        Ok(incoming) if incoming.reply.status == 200 => deal(core, part, &incoming.reply),
        Ok(_) => {}
        Err(error) => {
            for member in part {
                let said = match member.node() {
                    Some(node) => Some(core.without_node(&member.call, node, &error).await),
                    None => None,
                };
                member.said = said;
                member.slow = None;
            }
        }
    }
}

/// Hands each answer of a node's batch to its member, found by our ids.
fn deal(core: &Core, part: &mut [&mut Member<'_>], reply: &Reply) {
    let Ok(crate::rpc::framing::Request::Batch(texts)) = crate::rpc::framing::split(&reply.body, MEMBERS_MAX)
    else {
        return;
    };
    for text in texts {
        let body = reply.body.slice_ref(text);
        let id = Envelope::read(text).ok().and_then(|answer| answer.id);
        let place = id.and_then(|id| std::str::from_utf8(id).ok()).and_then(|id| id.parse::<usize>().ok());
        let Some(member) = place.and_then(|place| part.get_mut(place)) else { continue };
        let Some(node) = member.node() else { continue };
        let source = Source::Upstream(std::sync::Arc::clone(&reply.upstream));
        let Some(said) = Said::node(&body, source, Some(node.miss)) else { continue };
        if !said.failed {
            let params = node.params.as_deref().unwrap_or(member.call.params());
            core.learn_and_keep(node, params, &Key::of(&member.call.method, params), &body, &reply.upstream);
        }
        member.said = Some(said);
        member.slow = None;
    }
}

fn no_reply(reply: &Reply, miss: Miss) -> Said {
    let text = format!("upstream {} answered with HTTP status {}", reply.upstream, reply.status);
    let source = Source::Upstream(std::sync::Arc::clone(&reply.upstream));
    Said { source, ..Said::error(&RpcError::upstream(text, None), Some(miss)) }
}
