//! Which chain this is and which rules hold at which height.
//!
//! A spec comes from three places: the chains built in ([`ChainSpec::named`]), a Geth-style `genesis.json`, or
//! nothing but a chain id. What a spec does not know (a chain nobody described, a fork of the future, another
//! engine's section in a genesis file) it says, and the fields that depend on it pass through.

pub mod blobs;
mod bootnodes;
mod config;
pub mod forks;
mod known;

use alloy_primitives::{B256, U256};

use crate::block::Block;
use crate::bor::BorConfig;
use crate::genesis::{self, GenesisFile};
use crate::header::Header;

pub use blobs::{BlobParams, BlobSchedule};
pub use bootnodes::Entrance;
pub use forks::{Activation, Fork, Forks};

/// A chain: identity, forks, blob schedule, genesis. Fork-dependent questions are methods, so that families with
/// other rules (Bor, …) can answer them their own way.
#[derive(Clone, Debug)]
pub struct ChainSpec {
    /// `ethereum`, `sepolia`, `polygon`, `amoy`, `dev`, or `custom` for a genesis file.
    pub name: String,
    /// EIP-155 chain id; also the network id unless the spec says otherwise.
    pub chain_id: u64,
    /// Which client family's rules and forms apply.
    pub family: Family,
    /// What sealed blocks before the merge.
    pub engine: Engine,
    /// Hash of block 0, where known.
    pub genesis_hash: Option<B256>,
    /// Block 0, where the spec can build it.
    pub genesis: Option<Block>,
    /// When which fork begins.
    pub forks: Forks,
    /// Height of the first block after the merge (EIP-3675), where it is known beforehand.
    pub merge_block: Option<u64>,
    /// Price of blobs by fork.
    pub blobs: BlobSchedule,
    /// Sprints, periods and forks of Bor's own, where the family is Bor.
    pub bor: Option<BorConfig>,
}

/// Families of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Ethereum and what follows Geth's configuration.
    Ethereum,
    /// Polygon's Bor.
    Bor,
    /// A chain known only by its id: fork-dependent fields pass through.
    Unknown,
}

/// What seals a block that still has a difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Proof of work.
    Ethash,
    /// Anything else: Clique and Bor sign in the extra data, whose length then says nothing.
    Other,
}

/// Why a genesis file is refused. The operator is at fault.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The file is not the JSON that Geth's `init` takes.
    #[error("genesis file: {0}")]
    Genesis(String),
}

// === impl ChainSpec ===

impl ChainSpec {
    /// A built-in chain by name. `dev` is none of them: its genesis depends on its options.
    pub fn named(name: &str) -> Option<Self> {
        known::all().into_iter().find(|spec| spec.name == name)
    }

    /// A built-in chain by id and, if given, the hash of its block 0.
    pub fn known(chain_id: u64, genesis_hash: Option<B256>) -> Option<Self> {
        let spec = known::all().into_iter().find(|spec| spec.chain_id == chain_id)?;
        (genesis_hash.is_none() || genesis_hash == spec.genesis_hash).then_some(spec)
    }

    /// A chain nobody described: its fork-dependent fields pass through.
    pub fn unknown(chain_id: u64, genesis_hash: Option<B256>) -> Self {
        Self {
            name: "unknown".to_owned(),
            chain_id,
            family: Family::Unknown,
            engine: Engine::Other,
            genesis_hash,
            genesis: None,
            forks: Forks::default(),
            merge_block: None,
            blobs: BlobSchedule::default(),
            bor: None,
        }
    }

    /// A development chain that starts at `genesis`, with every fork up to Osaka and merged from block 0. Its
    /// maker replaces `forks` and `merge_block` where it wants others.
    pub fn dev(genesis: Block, chain_id: u64) -> Self {
        Self {
            name: "dev".to_owned(),
            chain_id,
            family: Family::Ethereum,
            engine: Engine::Ethash,
            genesis_hash: Some(genesis.id.hash),
            genesis: Some(genesis),
            forks: known::all_forks_at_genesis(),
            merge_block: Some(0),
            blobs: BlobSchedule::default(),
            bor: None,
        }
    }

    /// A chain from the text of a Geth-style `genesis.json`. A file whose block 0 this program cannot build (a
    /// fork it does not know is active there) gives a spec without genesis.
    pub fn from_genesis_json(text: &[u8]) -> Result<Self, SpecError> {
        let file = GenesisFile::parse(text)?;
        let mut spec = config::read(&file.config)?;
        spec.genesis = genesis::build(&file, &spec);
        spec.genesis_hash = spec.genesis.as_ref().map(|block| block.id.hash);
        Ok(spec)
    }

    /// Whether `fork`'s rules hold for a block of that height and timestamp.
    pub fn is_active(&self, fork: Fork, number: u64, time: u64) -> bool {
        self.forks.is_active(fork, number, time)
    }

    /// Whether all rules that hold at that height and timestamp are known here.
    pub fn is_known_at(&self, number: u64, time: u64) -> bool {
        self.family != Family::Unknown && !self.forks.is_beyond_known(number, time)
    }

    /// EIP-658: receipts have a status instead of a state root.
    pub fn is_byzantium(&self, number: u64) -> bool {
        self.is_active(Fork::Byzantium, number, 0)
    }

    /// EIP-2930: typed transactions.
    pub fn is_berlin(&self, number: u64) -> bool {
        self.is_active(Fork::Berlin, number, 0)
    }

    /// EIP-1559: base fee.
    pub fn is_london(&self, number: u64) -> bool {
        self.is_active(Fork::London, number, 0)
    }

    /// EIP-4895: withdrawals, where the family has any.
    pub fn is_shanghai(&self, number: u64, time: u64) -> bool {
        self.is_active(Fork::Shanghai, number, time)
    }

    /// EIP-4844: blobs, where the family has any.
    pub fn is_cancun(&self, number: u64, time: u64) -> bool {
        self.is_active(Fork::Cancun, number, time)
    }

    /// EIP-7685: requests, where the family has any.
    pub fn is_prague(&self, number: u64, time: u64) -> bool {
        self.is_active(Fork::Prague, number, time)
    }

    /// EIP-7918: a floor under the blob price.
    pub fn is_osaka(&self, number: u64, time: u64) -> bool {
        self.is_active(Fork::Osaka, number, time)
    }

    /// Whether a block of that height and timestamp must come from proof of stake. `false` only says that the
    /// spec does not demand it: where the merge came by total difficulty, the header's own difficulty tells.
    pub fn is_merged(&self, number: u64, time: u64) -> bool {
        self.family == Family::Ethereum
            && number > 0
            && (self.merge_block.is_some_and(|block| number >= block)
                || self.is_active(Fork::Netsplit, number, time)
                || self.is_shanghai(number, time))
    }

    /// Total difficulty of every block since the merge: nothing is added any more. `None` where it is not known.
    pub fn merged_total_difficulty(&self) -> Option<U256> {
        let genesis = self.genesis.as_ref().map(|block| Header::parse(&block.header));
        match genesis {
            Some(Ok(header)) if header.difficulty().is_zero() => Some(U256::ZERO),
            _ => known::merged_total_difficulty(self.genesis_hash?),
        }
    }

    /// The blob schedule's entry for a block; `None` before blobs and where it is not known.
    pub fn blob_params(&self, number: u64, time: u64) -> Option<BlobParams> {
        if self.family != Family::Ethereum || !self.is_known_at(number, time) {
            return None;
        }
        self.blobs.at(&self.forks, number, time)
    }

    /// Price of a unit of blob gas in `header`'s block: `Some(None)` before blobs, `None` where the spec does not
    /// know the fork (then the field passes through).
    pub fn blob_base_fee(&self, header: &Header<'_>) -> Option<Option<U256>> {
        if header.field_count() <= crate::header::field::EXCESS_BLOB_GAS {
            return Some(None);
        }
        let params = self.blob_params(header.number(), header.timestamp())?;
        params.base_fee(header.excess_blob_gas()?).map(Some)
    }
}
