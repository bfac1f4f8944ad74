//! The gap-aware store of verified blocks.
//!
//! * [`coverage`]: which heights are held, by kind; the answer to "hit or miss" before the database is touched
//! * [`store`]: the database: open, write history in parts, tip window, removal, meta records
//! * [`view`]: a consistent moment of the store, through which everything is read
//!
//! Nothing here knows a network. Available means complete: a height becomes visible only through coverage, which
//! is written (synced) after the data is durable. Everything blocks: call it from threads that may.

pub mod coverage;
pub mod store;
pub mod view;

pub use coverage::{Kind, Kinds, Ranges};
pub use store::{Findings, OpenError, Options, PartWriter, Stats, Store, StoreError, Trust, Verified};
pub use view::{BlockRef, Tier, View};
