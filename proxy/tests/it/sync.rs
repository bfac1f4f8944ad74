//! Filling the store in both directions, whatever the sources do.

mod agreement;
mod budget;
mod checkpoint;
mod filling;
mod gaps;
mod heaviest;
mod liars;
mod links;
mod peers;
mod polygon;
mod reorgs;
pub(crate) mod rig;
mod served_head;
mod space;
mod state_syncs;
mod totals;
mod tree;
