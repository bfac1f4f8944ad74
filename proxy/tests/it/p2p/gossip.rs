//! The relay, driven as sessions drive it.

mod bounds;
mod fetching;
mod hostile;
mod press;
mod relaying;
mod rig;
mod rules;
mod violations;
