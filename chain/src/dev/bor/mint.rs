//! The next block.

use alloy_primitives::{Address, B256, Bloom, U256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;
use bytes::Bytes;

use super::validators::Validators;
use super::{BorChain, BorSpan, at, is_sprint_end};
use crate::block::{Block, BlockId};
use crate::genesis::{EMPTY_UNCLES_HASH, INITIAL_BASE_FEE};
use crate::header::Header;
use crate::rlp::{write_list, write_list_prefix, write_string, write_uint};

/// Begins the extra data of every block; the branch's number ends it.
const VANITY: &[u8; 24] = b"hypasis development bor ";
/// Length of a seal: r, s, v.
const SEAL: usize = 65;
/// Body of an empty block.
const BODY: &[u8] = &[0xc2, 0xc0, 0xc0];
/// Receipts of an empty block.
const RECEIPTS: &[u8] = &[0xc0];

/// Where the next block of a chain or of a branch stands. Minting takes a few microseconds a block.
///
/// A clone mints the same blocks; with another [`branch`](Self::branch), signer or time it mints others.
#[derive(Clone, Debug)]
pub struct BorMinter {
    chain: BorChain,
    parent: BlockId,
    time: u64,
    gas_limit: u64,
    base_fee: u64,
    state_root: B256,
    total_difficulty: U256,
    span: BorSpan,
    validators: Validators,
    branch: u64,
    succession: usize,
    delay: u64,
}

// === impl BorMinter ===

impl BorMinter {
    pub(super) fn new(chain: BorChain) -> Self {
        let (span, genesis) = (chain.span(0), chain.genesis());
        let state_root = Header::parse(&genesis.header).map(|header| header.state_root()).unwrap_or_default();
        Self {
            parent: genesis.id,
            time: chain.options().genesis_time,
            gas_limit: chain.options().gas_limit,
            base_fee: 0,
            state_root,
            total_difficulty: U256::ONE,
            validators: Validators::new(producers(&chain, &span)),
            span,
            branch: 0,
            succession: 0,
            delay: 0,
            chain,
        }
    }

    /// From here on the blocks carry this number in their vanity, and so are others.
    pub fn branch(mut self, number: u64) -> Self {
        self.branch = number;
        self
    }

    /// From here on the one signs who stands so far behind the proposer: later, and with less difficulty.
    pub fn succession(mut self, places: usize) -> Self {
        self.succession = places;
        self
    }

    /// From here on every block comes so many seconds later than it could.
    pub fn delay(mut self, seconds: u64) -> Self {
        self.delay = seconds;
        self
    }

    /// The block that was minted last.
    pub fn head(&self) -> BlockId {
        self.parent
    }

    /// Time of the block that was minted last.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Total difficulty up to it, block 0 included.
    pub fn total_difficulty(&self) -> U256 {
        self.total_difficulty
    }

    /// Mints one block.
    pub fn mint(&mut self) -> Block {
        let number = self.parent.number.saturating_add(1);
        self.enter(number);
        let (options, forks) = (self.chain.options(), self.chain.options().forks);
        let succession = self.succession % self.validators.count().max(1);
        let difficulty = (self.validators.count() - succession) as u64;
        let base_fee = (number >= forks.london).then(|| self.next_base_fee(number));
        let mut extra = self.extra(number);
        let gas_limit = options.gas_limit * if number >= forks.london { 2 } else { 1 };
        let time = self.time.saturating_add(self.wait(number, succession));
        let mut fields = Vec::with_capacity(HEADER);
        write_string(&mut fields, self.parent.hash.as_slice());
        write_string(&mut fields, EMPTY_UNCLES_HASH.as_slice());
        write_string(&mut fields, Address::ZERO.as_slice());
        write_string(&mut fields, self.state_root.as_slice());
        write_string(&mut fields, EMPTY_ROOT_HASH.as_slice());
        write_string(&mut fields, EMPTY_ROOT_HASH.as_slice());
        write_string(&mut fields, Bloom::ZERO.as_slice());
        write_uint(&mut fields, difficulty);
        write_uint(&mut fields, number);
        write_uint(&mut fields, gas_limit);
        write_uint(&mut fields, 0);
        write_uint(&mut fields, time);
        let sealed = keccak256(header(&fields, &extra, base_fee.filter(|_| number >= forks.jaipur)));
        extra.extend_from_slice(&self.seal(sealed, succession));
        let header = header(&fields, &extra, base_fee);
        let id = BlockId { number, hash: keccak256(&header) };
        self.parent = id;
        (self.time, self.gas_limit) = (time, gas_limit);
        self.base_fee = base_fee.unwrap_or_default();
        self.total_difficulty += U256::from(difficulty);
        Block {
            id,
            header: header.into(),
            body: Bytes::from_static(BODY),
            receipts: Some(Bytes::from_static(RECEIPTS)),
            extra: None,
        }
    }

    /// Changes producers: by span from Rio, by sprint before.
    fn enter(&mut self, number: u64) {
        let begins = number > 1 && is_sprint_end(self.chain.options(), number - 1);
        if !self.span.blocks.contains(&number) {
            self.span = self.chain.span_at(number);
        }
        let rio = self.chain.options().forks.rio;
        if number >= rio {
            if number == rio || *self.span.blocks.start() == number {
                self.validators = Validators::new(producers(&self.chain, &self.span));
            }
        } else if begins {
            self.validators.replace(producers(&self.chain, &self.span));
        }
    }

    /// Seconds behind the parent.
    fn wait(&self, number: u64, succession: usize) -> u64 {
        let options = self.chain.options();
        let period = at(&options.period, number);
        if number >= options.forks.rio {
            return period + self.delay;
        }
        let begins = number.is_multiple_of(at(&options.sprint, number));
        let turn = if begins { options.producer_delay.max(period) } else { period };
        turn + succession as u64 * options.backup_multiplier + self.delay
    }

    /// What an empty parent makes of its base fee.
    fn next_base_fee(&self, number: u64) -> u64 {
        let forks = &self.chain.options().forks;
        if number <= forks.london {
            return INITIAL_BASE_FEE;
        }
        self.base_fee - self.base_fee / self.denominator()
    }

    /// By how much the parent changes the base fee at most.
    fn denominator(&self) -> u64 {
        let (forks, parent) = (&self.chain.options().forks, self.parent.number);
        match parent {
            _ if parent >= forks.bhilai => 64,
            _ if parent >= forks.delhi => 16,
            _ => 8,
        }
    }

    /// Extra data in front of the seal.
    fn extra(&self, number: u64) -> Vec<u8> {
        let forks = &self.chain.options().forks;
        let mut extra = Vec::with_capacity(EXTRA);
        extra.extend_from_slice(VANITY);
        extra.extend_from_slice(&self.branch.to_be_bytes());
        let names = number < forks.rio && is_sprint_end(self.chain.options(), number);
        let validators = if names {
            let next = self.chain.span_at(number.saturating_add(1));
            Validators::header_bytes(producers(&self.chain, &next))
        } else {
            Vec::new()
        };
        if number < forks.cancun {
            extra.extend_from_slice(&validators);
            return extra;
        }
        let mut items = Vec::with_capacity(validators.len() + 16);
        write_string(&mut items, &validators);
        write_list(&mut items, &[]);
        if number >= forks.giugliano {
            let percent = if self.parent.number >= forks.dandeli { 65 } else { 50 };
            write_uint(&mut items, self.gas_limit * percent / 100);
            write_uint(&mut items, self.denominator());
        }
        write_list(&mut extra, &items);
        extra
    }

    fn seal(&self, hash: B256, succession: usize) -> [u8; SEAL] {
        let mut seal = [0; SEAL];
        if let Some(signer) = self.chain.signers.get(self.validators.signer(succession)) {
            let signature = signer.sign(hash);
            let parts = signature.r.into_iter().chain(signature.s).chain([u8::from(signature.odd)]);
            seal.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
        }
        seal
    }
}

/// It never ends.
impl Iterator for BorMinter {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        Some(self.mint())
    }
}

/// Room for a header with 16 fields and no validators.
const HEADER: usize = 640;
/// Room for extra data without validators.
const EXTRA: usize = 128;

fn header(fields: &[u8], extra: &[u8], base_fee: Option<u64>) -> Vec<u8> {
    let mut rest = Vec::with_capacity(extra.len() + 64);
    write_string(&mut rest, extra);
    write_string(&mut rest, B256::ZERO.as_slice());
    write_string(&mut rest, &[0; 8]);
    if let Some(base_fee) = base_fee {
        write_uint(&mut rest, base_fee);
    }
    let mut header = Vec::with_capacity(fields.len() + rest.len() + 3);
    write_list_prefix(&mut header, fields.len() + rest.len());
    header.extend_from_slice(fields);
    header.extend_from_slice(&rest);
    header
}

/// A span's producers: place, address, power.
fn producers(chain: &BorChain, span: &BorSpan) -> impl Iterator<Item = (usize, Address, u64)> {
    let signer = |place: &usize| chain.signers.get(*place).map(|signer| (*place, signer.address));
    span.producers
        .iter()
        .filter_map(signer)
        .map(|(place, address)| (place, address, chain.power(place)))
        .collect::<Vec<_>>()
        .into_iter()
}
