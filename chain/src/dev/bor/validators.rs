//! Whose turn it is: Tendermint's proposer rotation over voting powers, as Bor's `valset` has it.
//!
//! A validator's priority grows by its power each sprint; the one with the most is the proposer and pays the total. The
//! numbers are rescaled and centred in the same order as there, and divisions round the same way.

use std::cmp::Reverse;

use alloy_primitives::Address;

/// One producer.
#[derive(Clone, Debug)]
struct Validator {
    /// Its place in the chain's list of validators.
    place: usize,
    address: Address,
    power: i64,
    priority: i64,
}

/// Producers, sorted by address, and which of them proposes.
#[derive(Clone, Debug)]
pub(super) struct Validators {
    members: Vec<Validator>,
    total: i64,
    proposer: usize,
}

/// Priorities may lie so many times the total apart.
const WINDOW: i64 = 2;

// === impl Validators ===

impl Validators {
    /// A new set of places, addresses and powers, with its first proposer.
    pub(super) fn new(members: impl Iterator<Item = (usize, Address, u64)>) -> Self {
        let mut set = Self { members: Vec::new(), total: 0, proposer: 0 };
        set.replace(members);
        set
    }

    /// The set of a new sprint: who stays keeps its priority, who comes begins far behind. Then one takes its turn.
    pub(super) fn replace(&mut self, members: impl Iterator<Item = (usize, Address, u64)>) {
        let members: Vec<_> = members.collect();
        let old = std::mem::take(&mut self.members);
        let known = |address: &Address| old.iter().find(|member| member.address == *address);
        // Bor counts here what leaves as well.
        let new = members.iter().filter(|(_, address, _)| known(address).is_none());
        let total = self.total + new.map(|(_, _, power)| signed(*power)).sum::<i64>();
        let last = -(total + (total >> 3));
        self.members = members
            .iter()
            .map(|(place, address, power)| Validator {
                place: *place,
                address: *address,
                power: signed(*power),
                priority: known(address).map_or(last, |member| member.priority),
            })
            .collect();
        self.members.sort_by_key(|member| member.address);
        self.total = self.members.iter().map(|member| member.power).sum();
        self.rescale();
        self.centre();
        self.turn();
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    /// The place, in the chain's list, of the one who stands so far behind the proposer.
    pub(super) fn signer(&self, succession: usize) -> usize {
        let index = (self.proposer + succession) % self.members.len().max(1);
        self.members.get(index).map_or(0, |member| member.place)
    }

    /// Addresses and powers as headers carry them: 20 bytes each, sorted by address.
    pub(super) fn header_bytes(members: impl Iterator<Item = (usize, Address, u64)>) -> Vec<u8> {
        let mut members: Vec<_> = members.collect();
        members.sort_by_key(|(_, address, _)| *address);
        let mut bytes = Vec::with_capacity(members.len() * 40);
        for (_, address, power) in members {
            bytes.extend_from_slice(address.as_slice());
            bytes.extend_from_slice(&[0; 12]);
            bytes.extend_from_slice(&power.to_be_bytes());
        }
        bytes
    }

    fn turn(&mut self) {
        self.rescale();
        self.centre();
        self.members.iter_mut().for_each(|member| member.priority += member.power);
        let first = self
            .members
            .iter_mut()
            .enumerate()
            .max_by_key(|(_, member)| (member.priority, Reverse(member.address)));
        if let Some((index, member)) = first {
            member.priority -= self.total;
            self.proposer = index;
        }
    }

    /// Brings priorities back into the window.
    fn rescale(&mut self) {
        let priorities = self.members.iter().map(|member| member.priority);
        let (least, most) = (priorities.clone().min().unwrap_or(0), priorities.max().unwrap_or(0));
        let (spread, window) = (most - least, WINDOW * self.total);
        if window > 0 && spread > window {
            let ratio = (spread + window - 1) / window;
            self.members.iter_mut().for_each(|member| member.priority /= ratio);
        }
    }

    /// Takes the average off, which is rounded down.
    fn centre(&mut self) {
        let sum: i64 = self.members.iter().map(|member| member.priority).sum();
        let average = sum.div_euclid(i64::try_from(self.members.len().max(1)).unwrap_or(1));
        self.members.iter_mut().for_each(|member| member.priority -= average);
    }
}

/// Powers are small here; Bor allows an eighth of this range.
fn signed(power: u64) -> i64 {
    i64::try_from(power).unwrap_or(i64::MAX >> 3)
}
