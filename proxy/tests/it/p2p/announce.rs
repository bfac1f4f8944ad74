//! New blocks are told of as Bor tells of them.

mod audience;
mod hostile;
mod live;
mod rig;
