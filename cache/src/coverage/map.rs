//! The gap map of history: a set of heights for each kind.

use std::ops::RangeInclusive;

use super::{Kind, Ranges};

/// Heights of history by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    header: Ranges,
    body: Ranges,
    receipts: Ranges,
    extra: Ranges,
    index: Ranges,
    logs: Ranges,
    senders: Ranges,
}

// === impl Coverage ===

impl Coverage {
    pub(crate) fn of(&self, kind: Kind) -> &Ranges {
        match kind {
            Kind::Header => &self.header,
            Kind::Body => &self.body,
            Kind::Receipts => &self.receipts,
            Kind::Extra => &self.extra,
            Kind::Index => &self.index,
            Kind::Logs => &self.logs,
            Kind::Senders => &self.senders,
        }
    }

    pub(crate) fn of_mut(&mut self, kind: Kind) -> &mut Ranges {
        match kind {
            Kind::Header => &mut self.header,
            Kind::Body => &mut self.body,
            Kind::Receipts => &mut self.receipts,
            Kind::Extra => &mut self.extra,
            Kind::Index => &mut self.index,
            Kind::Logs => &mut self.logs,
            Kind::Senders => &mut self.senders,
        }
    }

    /// Takes `range` out of every kind.
    pub(crate) fn remove(&mut self, range: &RangeInclusive<u64>) {
        for kind in Kind::ALL {
            self.of_mut(kind).remove(range.clone());
        }
    }

    /// Heights whose header, body and receipts are all held.
    pub(crate) fn complete(&self) -> Ranges {
        self.header.intersection(&self.body).intersection(&self.receipts)
    }
}
