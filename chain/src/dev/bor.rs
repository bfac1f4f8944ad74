//! A development chain in Bor's form: empty blocks that a real Bor takes, minted one after the other.
//!
//! Bor pays no reward, so an empty block leaves the state as it was; the contracts of this chain's genesis change
//! nothing either. Then all of a block follows from its parent and from the options: who signs and how hard it is,
//! time, base fee, extra data in the form of its era. Seals are valid; the validators' keys are public (see
//! `keys`). A [`BorMinter`] is the place where the next block stands: a copy of it is where a branch begins.
//!
//! * `mint`: the next block; `validators`: whose turn it is; `genesis`: block 0 and its contracts
//!
//! The rules are those of `consensus/bor` in Bor 2.7, and the tests let a real Bor import such chains.

mod genesis;
mod mint;
mod validators;

use std::ops::RangeInclusive;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use serde_json::Value;

pub use self::mint::BorMinter;

use super::NEVER;
use super::keys::{Signer, account};
use crate::block::Block;
use crate::rlp::{Item, write_list};
use crate::spec::{ChainSpec, SpecError};

/// Last block of span 0, on every chain.
const SPAN_0_END: u64 = 255;
/// Validators have the accounts behind those of the senders.
const FIRST_ACCOUNT: u64 = 1 << 32;

/// What a chain in Bor's form looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BorOptions {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Time of block 0, seconds since the epoch.
    pub genesis_time: u64,
    /// Voting powers of the validators, at least one. A validator's key follows from its place in this list.
    pub validators: Vec<u64>,
    /// How many of them a span selects as producers before Rio; from Rio it selects one.
    pub producers: usize,
    /// Blocks of each span behind span 0, which has 256.
    pub span: u64,
    /// Blocks of a sprint, each value with the height from which it holds; the first with height 0.
    pub sprint: Vec<(u64, u64)>,
    /// Seconds between blocks, likewise.
    pub period: Vec<(u64, u64)>,
    /// Seconds before the first block of a sprint, until Rio.
    pub producer_delay: u64,
    /// Further seconds for each place that a signer stands behind the one whose turn it is.
    pub backup_multiplier: u64,
    /// Gas limit before London; twice that from there.
    pub gas_limit: u64,
    /// When which rules begin.
    pub forks: BorForks,
    /// Accounts of block 0 in the form of a genesis file, Polygon's contracts among them. Those change the state at
    /// span changes before Rio, which nothing here knows of. `None`: contracts that change nothing.
    pub alloc: Option<Value>,
}

/// The heights from which the rules hold that show in an empty block; [`NEVER`] leaves one out. None may be 0: block 0
/// knows none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BorForks {
    /// Base fee.
    pub london: u64,
    /// The seal covers the base fee.
    pub jaipur: u64,
    /// Base fee changes by 1/16; Indore comes with it.
    pub delhi: u64,
    /// Extra data is an RLP list; Shanghai and Prague come with it.
    pub cancun: u64,
    /// Base fee changes by 1/64; Ahmedabad comes with it.
    pub bhilai: u64,
    /// One producer for each span, and no validators in headers.
    pub rio: u64,
    /// State-sync transactions in the body.
    pub madhugiri: u64,
    /// Gas target of 65 %.
    pub dandeli: u64,
    /// Base fee within 5 % of the parent's. Behind London.
    pub lisovo: u64,
    /// Gas target and denominator in the extra data.
    pub giugliano: u64,
}

/// A span: a range of heights and who may sign there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BorSpan {
    /// Its number.
    pub id: u64,
    /// Its heights.
    pub blocks: RangeInclusive<u64>,
    /// The producers, as places in the list of validators.
    pub producers: Vec<usize>,
}

/// A chain in Bor's form. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BorChain {
    options: Arc<BorOptions>,
    signers: Arc<[Signer]>,
    spec: Arc<ChainSpec>,
    genesis: Block,
    genesis_json: Arc<str>,
}

// === impl BorOptions ===

impl Default for BorOptions {
    /// One validator, sprints of 16, a block a second, all forks at once.
    fn default() -> Self {
        Self {
            chain_id: 15_001,
            genesis_time: 1_558_348_305,
            validators: vec![10],
            producers: 1,
            span: 6_400,
            sprint: vec![(0, 16)],
            period: vec![(0, 1)],
            producer_delay: 1,
            backup_multiplier: 1,
            gas_limit: 10_000_000,
            forks: BorForks::default(),
            alloc: None,
        }
    }
}

// === impl BorForks ===

impl Default for BorForks {
    fn default() -> Self {
        Self { lisovo: 2, giugliano: 2, ..Self::staged(0) }
    }
}

impl BorForks {
    /// One after the other, `step` blocks apart, from London at 1.
    pub fn staged(step: u64) -> Self {
        let at = |stage: u64| step.saturating_mul(stage).saturating_add(1);
        Self {
            london: at(0),
            jaipur: at(1),
            delhi: at(2),
            cancun: at(3),
            bhilai: at(4),
            rio: at(5),
            madhugiri: at(6),
            dandeli: at(7),
            lisovo: at(8),
            giugliano: at(9),
        }
    }

    /// All at once up to Bhilai, and nothing of Rio or what came behind it.
    pub fn before_rio() -> Self {
        Self {
            rio: NEVER,
            madhugiri: NEVER,
            dandeli: NEVER,
            lisovo: NEVER,
            giugliano: NEVER,
            ..Self::staged(0)
        }
    }
}

// === impl BorChain ===

impl BorChain {
    /// A chain with these options; an error says which of them is not possible.
    pub fn new(options: BorOptions) -> Result<Self, SpecError> {
        let signers: Arc<[Signer]> =
            (0..options.validators.len() as u64).map(|place| Signer::new(FIRST_ACCOUNT + place)).collect();
        if options.validators.is_empty() || options.validators.contains(&0) {
            return Err(SpecError::Genesis("Bor needs validators, each with some voting power".to_owned()));
        }
        if options.span == 0 || !begins_at_0(&options.sprint) || !begins_at_0(&options.period) {
            return Err(SpecError::Genesis(
                "spans, sprints and periods need lengths from block 0".to_owned(),
            ));
        }
        let forks = &options.forks;
        if forks.london.min(forks.cancun).min(forks.rio) == 0 || forks.lisovo <= forks.london {
            return Err(SpecError::Genesis(
                "no fork may be at block 0, and Lisovo comes after London".to_owned(),
            ));
        }
        let genesis_json = genesis::json(&options, &signers);
        let spec = ChainSpec::from_genesis_json(genesis_json.as_bytes())?;
        let genesis =
            spec.genesis.clone().ok_or_else(|| SpecError::Genesis("block 0 has unknown rules".to_owned()))?;
        Ok(Self {
            options: Arc::new(options),
            signers,
            spec: Arc::new(spec),
            genesis,
            genesis_json: genesis_json.into(),
        })
    }

    /// What it was made with.
    pub fn options(&self) -> &BorOptions {
        &self.options
    }

    /// Its genesis file, as `bor server --chain` takes it.
    pub fn genesis_json(&self) -> &str {
        &self.genesis_json
    }

    /// What is read from that file.
    pub fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// Block 0.
    pub fn genesis(&self) -> &Block {
        &self.genesis
    }

    /// Addresses and voting powers of the validators, in the order of the options.
    pub fn validators(&self) -> Vec<(Address, u64)> {
        self.signers
            .iter()
            .map(|signer| signer.address)
            .zip(self.options.validators.iter().copied())
            .collect()
    }

    /// A validator's key, so that a real Bor can mine on.
    pub fn secret(&self, place: usize) -> B256 {
        account(FIRST_ACCOUNT.saturating_add(place as u64)).secret_bytes().into()
    }

    /// The span with that number. Its producers stand one behind the other in the list of validators, beginning one
    /// place further in each span.
    pub fn span(&self, id: u64) -> BorSpan {
        let length = self.options.span;
        let first = id.saturating_sub(1).saturating_mul(length).saturating_add(SPAN_0_END + 1);
        let blocks = if id == 0 { 0..=SPAN_0_END } else { first..=first.saturating_add(length - 1) };
        let all = self.options.validators.len();
        let selected = if *blocks.start() >= self.options.forks.rio { 1 } else { self.options.producers };
        let begin = usize::try_from(id % all.max(1) as u64).unwrap_or_default();
        let producers = (0..selected.clamp(1, all)).map(|place| (begin + place) % all).collect();
        BorSpan { id, blocks, producers }
    }

    /// The span of a height.
    pub fn span_at(&self, number: u64) -> BorSpan {
        let behind = number.checked_sub(SPAN_0_END + 1);
        self.span(behind.map_or(0, |behind| behind / self.options.span + 1))
    }

    /// Where block 1 stands.
    pub fn minter(&self) -> BorMinter {
        BorMinter::new(self.clone())
    }

    fn power(&self, validator: usize) -> u64 {
        self.options.validators.get(validator).copied().unwrap_or_default()
    }
}

/// Whether the first block of the next sprint would be the one behind `number`.
fn is_sprint_end(options: &BorOptions, number: u64) -> bool {
    number.saturating_add(1).is_multiple_of(at(&options.sprint, number))
}

/// The value that holds at a height.
fn at(values: &[(u64, u64)], number: u64) -> u64 {
    values.iter().rev().find(|(from, _)| *from <= number).map_or(1, |(_, value)| *value)
}

fn begins_at_0(values: &[(u64, u64)]) -> bool {
    values.first().is_some_and(|(from, _)| *from == 0) && values.iter().all(|(_, value)| *value > 0)
}

/// A block as one RLP item, as chain files hold them.
pub fn block_rlp(block: &Block) -> Vec<u8> {
    let body = Item::parse(&block.body).map(|body| body.payload()).unwrap_or_default();
    let fields = [&*block.header, body].concat();
    let mut rlp = Vec::with_capacity(fields.len().saturating_add(4));
    write_list(&mut rlp, &fields);
    rlp
}
