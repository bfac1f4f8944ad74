//! Which heights a request for headers means: arithmetic on hostile numbers.

use hypasis_wire::eth::MAX_HEADERS;

/// Heights in the order in which they are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heights {
    /// The first.
    pub(super) first: u64,
    /// How many.
    pub(super) count: u64,
    /// How far apart.
    pub(super) step: u64,
    /// Towards genesis.
    pub(super) falling: bool,
}

// === impl Heights ===

impl Heights {
    /// `limit` heights from `first` on with `skip` between them, none above `head` and none beyond what numbers can
    /// hold. As with Geth, a falling row that begins above the head begins at the head, in its place in the row; one
    /// with gaps that begins there is empty.
    pub(super) fn new(first: u64, limit: u64, skip: u64, falling: bool, head: Option<u64>) -> Self {
        let mut count = limit.min(MAX_HEADERS as u64);
        let Some(head) = head else { return Self { first, count: 0, step: 1, falling } };
        let Some(step) = skip.checked_add(1) else {
            // The next height is beyond all numbers.
            return Self { first, count: u64::from(first <= head).min(count), step: 1, falling };
        };
        let above = first.saturating_sub(head);
        let mut first = first;
        if above > 0 {
            if !falling || step > 1 || above >= count {
                return Self { first, count: 0, step, falling };
            }
            (first, count) = (head, count - above);
        }
        let room = if falling { first } else { head - first };
        Self { first, count: count.min((room / step).saturating_add(1)), step, falling }
    }

    /// The heights.
    pub(super) fn iter(self) -> impl Iterator<Item = u64> {
        (0..self.count).map(move |index| self.at(index))
    }

    /// The lowest and the highest, if there are any.
    pub(super) fn span(self) -> Option<(u64, u64)> {
        let last = self.at(self.count.checked_sub(1)?);
        Some((self.first.min(last), self.first.max(last)))
    }

    fn at(self, index: u64) -> u64 {
        let far = index.saturating_mul(self.step);
        if self.falling { self.first.saturating_sub(far) } else { self.first.saturating_add(far) }
    }
}
