//! Reads of state: passed through, joined in flight, and kept where they name their block for good.
//!
//! Kept: by block hash, or by a finalized number. Not kept: younger numbers and tags, which mean another block
//! after a reorg; with `pin_tags` tags are sent on as the hash of the served head, and are kept under that.

use hypasis_cache::View;
use hypasis_upstream::Class as Way;

use super::{Core, Quick, Route, ToNode, not_held};
use crate::rpc::framing::{Envelope, Said, Scanner};
use crate::rpc::memory::{Bound, Key};
use crate::rpc::methods::Method;
use crate::rpc::params::{self, Arguments, BlockArgument, Tag};
use crate::rpc::source::{Miss, Source};

/// Most parameters of a state read.
const ARGUMENTS_MAX: usize = 8;

// === impl Core ===

impl Core {
    /// What to do with a read of the state of the block that the parameter at `position` names.
    pub(super) fn state(
        &self,
        call: &Envelope<'_>,
        method: Method,
        position: usize,
        route: Route,
        view: &View,
    ) -> Quick {
        if route == Route::Store {
            return Quick::Said(not_held(Miss::State));
        }
        let mut node = ToNode { shared: true, ..ToNode::plain(method, Miss::State, call) };
        let arguments = Arguments::split(call.params(), ARGUMENTS_MAX).unwrap_or_default();
        let served = self.shelf.served.now();
        let latest = served.latest.map(|id| id.number);
        match arguments.text(position).map(params::block) {
            Some(Ok(BlockArgument::Tag(Tag::Pending))) => {
                node = ToNode { way: Way::Primary, miss: Miss::Pending, shared: false, ..node };
            }
            Some(Ok(BlockArgument::Hash(hash, true))) => node.keep = Some(Bound::CanonicalHash(hash)),
            Some(Ok(BlockArgument::Hash(_, false))) => node.keep = Some(Bound::Always),
            Some(Ok(BlockArgument::Number(number))) => {
                let finalized = view.finalized().or(served.finalized).map(|id| id.number);
                node.keep = (finalized >= Some(number)).then_some(Bound::Always);
                if latest.is_some_and(|latest| number > latest) {
                    node.miss = Miss::AboveHead;
                } else {
                    node.height = Some(number);
                }
            }
            Some(Ok(BlockArgument::Tag(tag))) => {
                node.height = latest;
                node.params = self.pinned(call.params(), position, tag);
                node.keep = node.params.is_some().then_some(Bound::Always);
            }
            None => node.height = latest,
            Some(Err(_)) => {}
        }
        self.kept(call, &node, view).unwrap_or_else(|| Self::node(node))
    }

    /// What is in memory under the parameters that would be sent.
    fn kept(&self, call: &Envelope<'_>, node: &ToNode, view: &View) -> Option<Quick> {
        node.keep?;
        let key = Key::of(&call.method, node.params.as_deref().unwrap_or(call.params()));
        let rendered = self.memory.get(&key, &self.shelf, view)?;
        Some(Quick::Said(Said::result(rendered, Source::Memory)))
    }

    /// The parameters with the tag replaced by the hash of the served head, if that is asked for and held.
    fn pinned(&self, params: &[u8], position: usize, tag: Tag) -> Option<Vec<u8>> {
        let served = self.shelf.served.now();
        if !self.rules.pin_tags || !served.local {
            return None;
        }
        let id = match tag {
            Tag::Latest => served.latest,
            Tag::Safe => served.safe,
            Tag::Finalized => served.finalized,
            Tag::Earliest | Tag::Pending => None,
        }?;
        let mut scanner = Scanner::new(params);
        let mut out = Vec::with_capacity(params.len().saturating_add(128));
        scanner.take(b'[');
        out.push(b'[');
        let mut at = 0_usize;
        while !matches!(scanner.peek(), None | Some(b']')) {
            let text = scanner.value().ok()?;
            if at > 0 {
                out.push(b',');
            }
            if at == position {
                let pin = format!("{{\"blockHash\":\"{}\",\"requireCanonical\":true}}", id.hash);
                out.extend_from_slice(pin.as_bytes());
            } else {
                out.extend_from_slice(text);
            }
            at += 1;
            scanner.take(b',');
        }
        out.push(b']');
        Some(out)
    }
}
