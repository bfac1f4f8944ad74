//! What the one served head is, without any I/O (invariant 4).
//!
//! Before the region at the head is held, the served head is the upstream's: what is advertised can be forwarded.
//! Once it is held, the served head is the highest block whose header, body and receipts are local. It never goes
//! back except by a reorg. Where neither is there (archives alone, without receipts), it is the highest block whose
//! header and body are held.

use hypasis_chain::BlockId;

use crate::served::Served;

/// Blocks that the held head may lie behind the upstream's before the region at the head counts as not held (after
/// a long stop). Larger than any ordinary burst, so that a slow minute does not switch the source of truth.
pub const FOLLOW_LAG_BLOCKS: u64 = 128;

/// What is known at this moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// Highest canonical block held whole in the region at the head.
    pub held: Option<BlockId>,
    /// Highest canonical block whose header and body are held, wherever it is.
    pub bodies: Option<BlockId>,
    /// The upstream's head, if any upstream is up.
    pub upstream: Option<BlockId>,
    /// The block that the upstreams call final.
    pub upstream_finalized: Option<BlockId>,
    /// The higher of the persisted finalized block and the checkpoint.
    pub own_finalized: Option<BlockId>,
    /// Whether the held head was just switched to another branch.
    pub reorg: bool,
    /// Whether following is stopped on purpose: then what is held stays what is served.
    pub halted: bool,
}

/// The next served head.
pub fn next(previous: &Served, moment: &Moment) -> Served {
    let (latest, local) = head(previous, moment);
    let up = moment.upstream.is_some();
    let within = |id: &BlockId| latest.is_none_or(|latest| id.number <= latest.number);
    let finalized =
        if up { moment.upstream_finalized.filter(within) } else { moment.own_finalized.filter(within) };
    // While a node is up, `safe` is its own notion and passes through.
    let safe = if up { None } else { finalized };
    // What `latest` weighs is looked up once it is known which block that is.
    Served { latest, safe, finalized, local, upstream: up, total_difficulty: None }
}

fn head(previous: &Served, moment: &Moment) -> (Option<BlockId>, bool) {
    let Some(held) = moment.held else {
        return (forward_only(previous.latest, moment.upstream.or(moment.bodies)), false);
    };
    let published = previous.latest.map_or(0, |id| id.number);
    let upstream = moment.upstream.map_or(0, |id| id.number);
    if previous.local {
        let behind = upstream.saturating_sub(held.number) > FOLLOW_LAG_BLOCKS;
        if behind && !moment.halted {
            return (forward_only(previous.latest, moment.upstream), false);
        }
        let back = held.number < published && !moment.reorg;
        return if back { (previous.latest, true) } else { (Some(held), true) };
    }
    let near = upstream.saturating_sub(held.number) <= FOLLOW_LAG_BLOCKS || moment.halted;
    let caught_up = near && (held.number >= published || moment.reorg);
    if caught_up { (Some(held), true) } else { (forward_only(previous.latest, moment.upstream), false) }
}

fn forward_only(previous: Option<BlockId>, next: Option<BlockId>) -> Option<BlockId> {
    match (previous, next) {
        (Some(previous), Some(next)) if next.number < previous.number => Some(previous),
        (previous, next) => next.or(previous),
    }
}
