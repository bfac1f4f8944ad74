//! Which heights are held: sorted, disjoint, inclusive intervals for each kind of data.

mod map;
mod ranges;

pub(crate) use map::Coverage;
pub use ranges::Ranges;

/// Kinds of data that are covered separately; one may lag behind another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Headers, and hash → number with them.
    Header,
    /// Bodies.
    Body,
    /// Receipts.
    Receipts,
    /// What lies outside the roots (Bor's early state-sync receipts).
    Extra,
    /// Transaction → (block, index).
    Index,
    /// The log index.
    Logs,
    /// Senders of the transactions, which may be filled in long after the bodies.
    Senders,
}

/// A set of kinds.
pub type Kinds = Vec<Kind>;

// === impl Kind ===

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Header, Self::Body, Self::Receipts, Self::Extra, Self::Index, Self::Logs, Self::Senders];

    /// The kind's name in records and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Body => "body",
            Self::Receipts => "receipts",
            Self::Extra => "extra",
            Self::Index => "index",
            Self::Logs => "logs",
            Self::Senders => "senders",
        }
    }
}
