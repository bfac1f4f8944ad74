//! Who acts on a development chain: a small population that every such chain shares.
//!
//! Real chains are crowded by few: the same tokens, pools and traders fill most logs. So addresses and topics come
//! from fixed circles, whose bloom bits are known beforehand.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, keccak256};

use super::keys::Signer;

/// Accounts that send, contracts that log, and words that appear as topics.
#[derive(Debug)]
pub(super) struct Cast {
    /// Externally owned accounts; they send in turn.
    pub(super) senders: Circle<Signer>,
    /// The senders' addresses as topics, in the same order.
    pub(super) parties: Circle<Word>,
    /// Contracts that are called and emit logs.
    pub(super) contracts: Circle<Contract>,
    /// Fee recipients.
    pub(super) beneficiaries: Circle<Address>,
    /// Ids of tokens as topics.
    pub(super) token_ids: Circle<Word>,
    /// First topics.
    pub(super) events: Events,
}

/// A contract and where it sits in a bloom.
#[derive(Clone, Debug)]
pub(super) struct Contract {
    /// Its address.
    pub(super) address: Address,
    /// Its bloom bits.
    pub(super) bits: Bits,
}

/// A topic and where it sits in a bloom.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// The topic.
    pub(super) bytes: B256,
    /// Its bloom bits.
    pub(super) bits: Bits,
}

/// Three positions in a bloom of 2,048 bits (Yellow Paper, 4.3.1).
pub(super) type Bits = [u16; 3];

/// Hashes of the signatures of well-known events.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) transfer: Word,
    pub(super) approval: Word,
    pub(super) swap: Word,
    pub(super) sync: Word,
    pub(super) deposit: Word,
    pub(super) ownership: Word,
}

/// A list that is never empty and never ends: positions wrap around.
#[derive(Debug)]
pub(super) struct Circle<T> {
    first: T,
    rest: Vec<T>,
}

/// Everybody; made once a process, in a few milliseconds.
pub(super) static CAST: LazyLock<Cast> = LazyLock::new(Cast::new);

/// How many accounts send in turn.
pub(super) const SENDERS: u64 = 128;
const CONTRACTS: u64 = 48;
const BENEFICIARIES: u64 = 8;
const TOKEN_IDS: u64 = 64;

// === impl Cast ===

impl Cast {
    fn new() -> Self {
        let senders = Circle::new(SENDERS, Signer::new);
        let parties = Circle::new(SENDERS, |index| Word::new(senders.at(index).address.into_word()));
        let contracts = Circle::new(CONTRACTS, |index| Contract::new(label("contract", index)));
        let beneficiaries =
            Circle::new(BENEFICIARIES, |index| Address::from_word(label("beneficiary", index)));
        let token_ids =
            Circle::new(TOKEN_IDS, |index| Word::new(B256::from(alloy_primitives::U256::from(index))));
        Self { senders, parties, contracts, beneficiaries, token_ids, events: Events::new() }
    }
}

/// A number nobody could have chosen, for the `index`th thing of that name.
pub(super) fn label(name: &str, index: u64) -> B256 {
    keccak256([b"hypasis dev ", name.as_bytes(), &index.to_be_bytes()].concat())
}

// === impl Circle ===

impl<T> Circle<T> {
    fn new(count: u64, mut member: impl FnMut(u64) -> T) -> Self {
        Self { first: member(0), rest: (1..count).map(member).collect() }
    }

    /// The member at `index`, counted around the circle.
    pub(super) fn at(&self, index: u64) -> &T {
        let place = index % (self.rest.len() as u64 + 1);
        self.rest.get((place as usize).wrapping_sub(1)).unwrap_or(&self.first)
    }
}

// === impl Contract ===

impl Contract {
    fn new(name: B256) -> Self {
        let address = Address::from_word(name);
        Self { address, bits: bloom_bits(address.as_slice()) }
    }
}

// === impl Word ===

impl Word {
    fn new(bytes: B256) -> Self {
        Self { bytes, bits: bloom_bits(bytes.as_slice()) }
    }
}

// === impl Events ===

impl Events {
    fn new() -> Self {
        let event = |signature: &str| Word::new(keccak256(signature));
        Self {
            transfer: event("Transfer(address,address,uint256)"),
            approval: event("Approval(address,address,uint256)"),
            swap: event("Swap(address,uint256,uint256,uint256,uint256,address)"),
            sync: event("Sync(uint112,uint112)"),
            deposit: event("Deposit(address,uint256)"),
            ownership: event("OwnershipTransferred(address,address)"),
        }
    }
}

/// Where an address or topic sits in a bloom.
fn bloom_bits(value: &[u8]) -> Bits {
    let [a, b, c, d, e, f, ..] = keccak256(value).0;
    [[a, b], [c, d], [e, f]].map(|pair| u16::from_be_bytes(pair) & 0x7ff)
}
