//! When several endpoints are believed, without any I/O.
//!
//! An answer counts if more than half of the endpoints that answered gave it, and at least two did where two or more
//! are configured: one endpoint alone never speaks for others that happen to be away.

use std::fmt;
use std::sync::Arc;

/// Endpoints that must say the same where as many are configured.
const TOGETHER: usize = 2;

/// What came of asking several endpoints the same question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// Enough said this.
    Agreed {
        /// What they said.
        value: T,
        /// Their ids.
        by: Vec<Arc<str>>,
        /// Those that said something else, with what they said.
        against: Vec<(Arc<str>, T)>,
    },
    /// Too few answered at all.
    TooFew {
        /// How many did.
        answered: usize,
        /// How many must say the same.
        needed: usize,
    },
    /// No answer was given often enough.
    Split(Vec<(Arc<str>, T)>),
}

/// Why endpoints cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// Too few answered.
    #[error("{answered} of {configured} endpoints answered, {needed} must say the same{}", Because(.last))]
    TooFew {
        /// How many answered.
        answered: usize,
        /// How many there are.
        configured: usize,
        /// How many must agree.
        needed: usize,
        /// Why one of the others did not.
        last: Option<String>,
    },
    /// They contradict each other.
    #[error("the endpoints contradict each other on {what}: {said}")]
    Split {
        /// What they were asked.
        what: String,
        /// Who said what.
        said: String,
    },
}

/// How many of `answered` endpoints must say the same, where `configured` are.
pub fn needed(configured: usize, answered: usize) -> usize {
    let half = (answered / 2).saturating_add(1);
    half.max(TOGETHER.min(configured))
}

/// Weighs answers.
pub fn weigh<T: Clone + PartialEq>(answers: &[(Arc<str>, T)], configured: usize) -> Verdict<T> {
    let needed = needed(configured, answers.len());
    if answers.len() < TOGETHER.min(configured) || answers.is_empty() {
        return Verdict::TooFew { answered: answers.len(), needed };
    }
    let votes = |value: &T| answers.iter().filter(|(_, other)| other == value).count();
    match answers.iter().map(|(_, value)| value).max_by_key(|value| votes(value)) {
        Some(value) if votes(value) >= needed => {
            let (by, against): (Vec<_>, Vec<_>) =
                answers.iter().cloned().partition(|(_, other)| other == value);
            let by = by.into_iter().map(|(id, _)| id).collect();
            Verdict::Agreed { value: value.clone(), by, against }
        }
        _ => Verdict::Split(answers.to_vec()),
    }
}

/// The highest position that as many endpoints have reached as must say the same. One that claims to be far ahead
/// moves nothing.
pub fn reached(positions: impl IntoIterator<Item = u64>, configured: usize) -> Option<u64> {
    let mut positions: Vec<u64> = positions.into_iter().collect();
    let needed = needed(configured, positions.len());
    positions.sort_unstable_by(|a, b| b.cmp(a));
    positions.get(needed.checked_sub(1)?).copied()
}

/// `: reason`, if there is one.
struct Because<'a>(&'a Option<String>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |reason| write!(f, "; {reason}"))
    }
}
