//! Who has proven to be at an address.

use std::time::Duration;

use tokio::time::Instant;

use crate::p2p::discovery::pending::Asked;
use crate::p2p::generations::Generations;

/// How long a proof is good (go-ethereum `bondExpiration`).
pub(super) const BOND: Duration = Duration::from_secs(24 * 60 * 60);
/// Proofs that are kept; beyond, those longest unused are forgotten and their nodes pinged again.
const BONDS_MAX: usize = 16_384;

/// Proofs by node and IP address. Only who answered a ping gets an entry: spoofed addresses cannot crowd others out.
#[derive(Debug)]
pub(super) struct Bonds {
    proofs: Generations<Asked, Proof>,
}

#[derive(Debug, Default)]
struct Proof {
    /// When it answered our ping.
    answered: Option<Instant>,
    /// When it pinged us: it has answered-for proof of *our* address since.
    pinged_us: Option<Instant>,
}

// === impl Bonds ===

impl Bonds {
    pub(super) fn new() -> Self {
        Self { proofs: Generations::new(BONDS_MAX) }
    }

    /// It answered our ping.
    pub(super) fn proven(&mut self, who: Asked, pinged_us: bool, now: Instant) {
        let proof = self.proofs.entry(who);
        proof.answered = Some(now);
        if pinged_us {
            proof.pinged_us = Some(now);
        }
    }

    /// It pings us. Nothing is kept of strangers.
    pub(super) fn pinged_us(&mut self, who: Asked, now: Instant) {
        if self.proofs.get(&who).is_some() {
            self.proofs.entry(who).pinged_us = Some(now);
        }
    }

    /// Whether it may get more than a pong.
    pub(super) fn is_bonded(&self, who: &Asked, now: Instant) -> bool {
        self.proofs.get(who).is_some_and(|proof| fresh(proof.answered, now))
    }

    /// Whether it would answer more than a ping of ours.
    pub(super) fn knows_us(&self, who: &Asked, now: Instant) -> bool {
        self.proofs.get(who).is_some_and(|proof| fresh(proof.pinged_us, now))
    }
}

fn fresh(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| now.saturating_duration_since(at) < BOND)
}

#[cfg(test)]
mod tests {
    use hypasis_wire::node::PeerId;

    use super::*;

    #[test]
    fn a_bond_holds_for_one_address_and_one_day() {
        let mut bonds = Bonds::new();
        let now = Instant::now();
        let at = |ip: &str| (PeerId::repeat_byte(1), ip.parse().unwrap());
        bonds.pinged_us(at("127.0.0.1"), now);
        assert!(!bonds.is_bonded(&at("127.0.0.1"), now) && !bonds.knows_us(&at("127.0.0.1"), now));
        bonds.proven(at("127.0.0.1"), false, now);
        assert!(bonds.is_bonded(&at("127.0.0.1"), now) && !bonds.knows_us(&at("127.0.0.1"), now));
        assert!(!bonds.is_bonded(&at("127.0.0.2"), now));
        assert!(!bonds.is_bonded(&(PeerId::repeat_byte(2), at("127.0.0.1").1), now));
        bonds.pinged_us(at("127.0.0.1"), now);
        assert!(bonds.knows_us(&at("127.0.0.1"), now));
        assert!(!bonds.is_bonded(&at("127.0.0.1"), now + BOND));
    }
}
