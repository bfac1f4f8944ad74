//! A small share of hits is asked of a node as well, in the background, and compared.

use std::cell::Cell;

use bytes::Bytes;
use hypasis_upstream::{Call, Class as Way, Need};

use super::compare;
use crate::rpc::framing::{Envelope, Said};
use crate::rpc::methods::{Class, Local, Method};
use crate::rpc::nodes::Outgoing;
use crate::rpc::route::{Core, written};
use crate::rpc::source::Source;

thread_local! {
    /// Hits of this thread since the last check: no shared counter on the hot path.
    static SINCE: Cell<u64> = const { Cell::new(0) };
}

/// Takes the hit for a check if it is its turn.
pub(crate) fn sample(core: &Core, call: &Envelope<'_>, method: Method, said: &Said) {
    let Class::Local(local) = method.class else { return };
    let compared = !matches!(local, Local::ChainId | Local::NetVersion | Local::BlockNumber);
    if core.shadow_every == 0
        || !compared
        || said.failed
        || !matches!(said.source, Source::Store | Source::Memory)
    {
        return;
    }
    let turn = SINCE.with(|since| {
        let count = since.get().saturating_add(1);
        since.set(if count >= core.shadow_every { 0 } else { count });
        count >= core.shadow_every
    });
    if turn && core.shelf.served.now().upstream && core.comparing.available_permits() > 0 {
        check(core, call, method, local);
    }
}

fn check(core: &Core, call: &Envelope<'_>, method: Method, local: Local) {
    let params = call.params().to_vec();
    let body = Bytes::from(written(b"1", method.label, Some(&params)));
    let outgoing = Outgoing {
        call: Call { body, class: Way::Read, need: Need::default(), method: method.label },
        key: None,
    };
    let (nodes, tools) = (core.nodes.clone(), compare::Tools::of(core));
    tokio::spawn(async move {
        let Ok(incoming) = nodes.ask(outgoing).await else { return };
        let reply = incoming.reply;
        if !tools.speaks_for(nodes.client_version(&reply.upstream).as_deref()) {
            return;
        }
        let result = Envelope::read(&reply.body).ok().and_then(|answer| answer.result);
        if let Some(result) = result.filter(|result| *result != b"null") {
            compare::in_background(
                &tools,
                local,
                params,
                reply.body.slice_ref(result),
                &reply.upstream,
                true,
            );
        }
    });
}
