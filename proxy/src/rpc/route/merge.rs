//! A range of logs that is partly held: what the store has and what nodes say about the rest, merged in order.
//!
//! Chunks are contiguous and each is whole, so that joining them is the answer for the range. All or nothing: a
//! chunk that fails fails the call, in the node's own words.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use hypasis_upstream::{Call, Class as Way, Need};

use super::node::{worded, written};
use super::{Core, Route};
use crate::rpc::framing::{Envelope, ResultWriter, RpcError, Said};
use crate::rpc::local::{Asked, Search, Stop};
use crate::rpc::memory::Key;
use crate::rpc::nodes::Outgoing;
use crate::rpc::source::{Miss, Source};

const METHOD: &str = "eth_getLogs";

// === impl Core ===

impl Core {
    /// The logs of all chunks in order.
    pub(super) async fn merged(&self, search: Search) -> Said {
        let mut out = ResultWriter::with_capacity(1_024);
        out.buffer().push(b'[');
        let mut node = None;
        for chunk in &search.chunks {
            let heights = chunk.heights.clone();
            let held = match chunk.held {
                true => self.searched(&search, heights.clone()).await,
                false => Ok(None),
            };
            let logs = match held {
                Ok(Some(logs)) => Ok(logs),
                Ok(None) => self.fetched(&search, heights, &mut node).await,
                Err(said) => Err(said),
            };
            match logs {
                Ok(logs) => append(&mut out, &logs),
                Err(said) => return *said,
            }
            if out.len() > self.shelf.response_max {
                return Said::error(&RpcError::RESPONSE_TOO_LARGE, Some(Miss::Gap));
            }
        }
        out.buffer().push(b']');
        let source = node.map_or(Source::Store, Source::Both);
        Said { miss: Some(Miss::Gap), ..Said::result(out.finish(), source) }
    }

    /// Searches what is held; `None` where that is left to a node after all (a form that is not compared yet, a
    /// reorg or a removal between the two looks).
    async fn searched(
        &self,
        search: &Search,
        heights: RangeInclusive<u64>,
    ) -> Result<Option<Bytes>, Box<Said>> {
        let internal = || Box::new(Said::error(&RpcError::INTERNAL, Some(Miss::Store)));
        let (shelf, wanted) = (Arc::clone(&self.shelf), search.wanted.clone());
        let asked = Asked { patient: true, ..self.asked(Route::Any) };
        let searching = self.off_the_serving_threads(asked, move |asked| {
            let view = shelf.store.view();
            let moment = shelf.moment(&view, asked);
            let last = moment.canonical(*heights.end())?;
            moment.search(heights, &wanted, last)
        });
        let searched = searching.await.map_err(|error| Box::new(Said::error(&error, None)))?;
        match searched.ok_or_else(internal)? {
            Ok(hit) => Ok(Some(Bytes::copy_from_slice(hit.rendered.result()))),
            Err(Stop::Refused(error)) => Err(Box::new(Said::error(&error, None))),
            Err(_) => Ok(None),
        }
    }

    async fn fetched(
        &self,
        search: &Search,
        heights: RangeInclusive<u64>,
        node: &mut Option<Arc<str>>,
    ) -> Result<Bytes, Box<Said>> {
        let (from, to) = (heights.start(), heights.end());
        let mut params = format!("[{{\"fromBlock\":\"{from:#x}\",\"toBlock\":\"{to:#x}\"").into_bytes();
        params.extend_from_slice(&search.criteria);
        params.extend_from_slice(b"}]");
        let call = Call {
            body: written(b"1", METHOD, Some(&params)).into(),
            class: Way::Read,
            need: Need { height: Some(*to) },
            method: METHOD,
        };
        let key = Bytes::copy_from_slice(Key::of(METHOD, &params).bytes());
        let incoming = self.nodes.ask(Outgoing { call, key: Some(key) }).await;
        let reply = incoming.map_err(|error| wrong(&worded(&error, Miss::Gap)))?.reply;
        let source = Source::Upstream(Arc::clone(&reply.upstream));
        let envelope = Envelope::read(&reply.body).unwrap_or_default();
        if let (None | Some(b"null"), Some([b'[', ..])) = (envelope.error, envelope.result) {
            *node = Some(reply.upstream);
            return Ok(reply.body.slice_ref(envelope.result.unwrap_or_default()));
        }
        let no_reply =
            || wrong(&RpcError::upstream("the upstream answered with no list of logs".into(), None));
        Err(Said::node(&reply.body, source, Some(Miss::Gap))
            .filter(|said| said.failed)
            .map_or_else(no_reply, Box::new))
    }
}

fn wrong(error: &RpcError) -> Box<Said> {
    Box::new(Said::error(error, Some(Miss::Gap)))
}

/// Appends the members of the array `logs`.
fn append(out: &mut ResultWriter, logs: &[u8]) {
    let inner = logs.trim_ascii().strip_prefix(b"[").and_then(|logs| logs.strip_suffix(b"]"));
    let inner = inner.unwrap_or_default().trim_ascii();
    if !inner.is_empty() {
        if out.len() > 1 {
            out.buffer().push(b',');
        }
        out.buffer().extend_from_slice(inner);
    }
}
