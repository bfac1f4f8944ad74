//! Where an answer came from and why the store did not give it, as the headers tell.

use std::sync::Arc;

use hyper::header::HeaderValue;

/// Members above which a batch's headers count instead of listing.
const LISTED_MAX: usize = 32;

/// `hypasis-source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Rendered from the store now.
    Store,
    /// Kept from before.
    Memory,
    /// Constants and this program's own errors.
    Local,
    /// Somebody asked the same at the same time.
    Coalesced,
    /// A node.
    Upstream(Arc<str>),
    /// A range answered from both.
    Both(Arc<str>),
}

/// `hypasis-miss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Miss {
    /// The height is not held in a kind that the answer needs.
    Gap,
    /// Above the served head.
    AboveHead,
    /// A tag, while the region at the head is not held.
    Head,
    /// Needs the state, which the store does not keep.
    State,
    /// Held, but not on the canonical chain: the node decides whether it still shows it.
    NotCanonical,
    /// Asks for what is pending.
    Pending,
    /// Not among the methods that are known here.
    UnknownMethod,
    /// A hash that the index does not hold: it may exist elsewhere.
    NotIndexed,
    /// Parameters in a form that is left to the node.
    Params,
    /// Changes something, or is bound to the node (filters, nonces).
    Node,
    /// Outside what can be derived here (a transaction type, a fork).
    Form,
    /// Polygon: it is not known whether a state sync stands beside the block.
    StateSync,
    /// Not yet compared with the node's own answers.
    Calibration,
    /// Compared, and the node writes it in another form.
    Differs,
    /// `hypasis-route: upstream`.
    Route,
    /// The store failed to read it.
    Store,
    /// A range larger than is answered here.
    Range,
}

// === impl Source ===

impl Source {
    /// The header of a single answer.
    pub(crate) fn header(&self) -> HeaderValue {
        match self {
            Self::Store => HeaderValue::from_static("store"),
            Self::Memory => HeaderValue::from_static("memory"),
            Self::Local => HeaderValue::from_static("local"),
            Self::Coalesced => HeaderValue::from_static("coalesced"),
            Self::Upstream(_) | Self::Both(_) => value(self.text()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Store => "store".into(),
            Self::Memory => "memory".into(),
            Self::Local => "local".into(),
            Self::Coalesced => "coalesced".into(),
            // On the way of every miss: the machinery of formats costs several times what joining does.
            Self::Upstream(id) => ["upstream:", id].concat(),
            Self::Both(id) => ["store+upstream:", id].concat(),
        }
    }
}

// === impl Miss ===

impl Miss {
    /// The reason's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::AboveHead => "above-head",
            Self::Head => "head-not-held",
            Self::State => "state",
            Self::NotCanonical => "not-canonical",
            Self::Pending => "pending",
            Self::UnknownMethod => "unknown-method",
            Self::NotIndexed => "not-indexed",
            Self::Params => "params",
            Self::Node => "node",
            Self::Form => "unknown-form",
            Self::StateSync => "state-sync",
            Self::Calibration => "calibrating",
            Self::Differs => "differing-form",
            Self::Route => "route",
            Self::Store => "store-failed",
            Self::Range => "range",
        }
    }
}

/// The sources of a batch, a member each in order; counts above [`LISTED_MAX`].
pub(crate) fn sources<'s>(members: impl ExactSizeIterator<Item = &'s Source>) -> HeaderValue {
    listed(members.map(Source::text))
}

/// The reasons of those members that missed, in order; counts above [`LISTED_MAX`]. `None` if nothing missed.
pub(crate) fn misses(members: &[Miss]) -> Option<HeaderValue> {
    (!members.is_empty()).then(|| listed(members.iter().map(|miss| miss.name().to_owned())))
}

fn listed(members: impl ExactSizeIterator<Item = String>) -> HeaderValue {
    if members.len() <= LISTED_MAX {
        return value(members.collect::<Vec<_>>().join(", "));
    }
    let mut counts: Vec<(String, usize)> = Vec::new();
    for member in members {
        match counts.iter_mut().find(|(name, _)| *name == member) {
            Some((_, count)) => *count += 1,
            None => counts.push((member, 1)),
        }
    }
    let texts: Vec<String> = counts.into_iter().map(|(name, count)| format!("{name}={count}")).collect();
    value(texts.join(", "))
}

/// Ids come from the configuration; one that no header can carry is left out rather than breaking the answer.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("upstream"))
}
