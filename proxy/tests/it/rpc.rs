//! The RPC port.

mod abuse;
mod batches;
mod calibration;
mod framing;
mod held;
mod hostile;
mod passing;
mod rig;
mod state_syncs;
mod vectors;
