//! Who vouches for blocks: agreement, L1, Heimdall, signed files.

mod agree;
mod heimdall;
mod l1;
mod signed;
mod stub;
