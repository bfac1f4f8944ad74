//! Is it the right chain, who is it, what can it do.

use std::time::Duration;

use alloy_primitives::{B256, U256};
use futures_util::future::join_all;
use hypasis_chain::BlockId;
use serde::Deserialize;

use super::message::{Ask, Outcome};
use super::node::{AskError, Lane, Node};
use super::options::{ExpectedChain, NodeOptions, OptionsError};

/// Longest client version that is kept.
const VERSION_CHARS_MAX: usize = 200;
/// Longest wait for an answer at start without `--chain`.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// Which chain a node is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedChain {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0, where the node still has it.
    pub genesis_hash: Option<B256>,
    /// `web3_clientVersion`.
    pub client_version: Option<String>,
}

/// The nodes do not tell which chain this is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The configuration is wrong.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// None answered; the reason is that of the last.
    #[error("no upstream tells its chain; {id}: {reason}")]
    Silent {
        /// Id of the last one.
        id: String,
        /// Why it did not.
        reason: String,
    },
    /// Two are on different chains.
    #[error("upstreams are on different chains: {one} on {one_chain}, {other} on {other_chain}")]
    Contradiction {
        /// Id of one.
        one: String,
        /// Its chain id.
        one_chain: u64,
        /// Id of another.
        other: String,
        /// Its chain id.
        other_chain: u64,
    },
}

/// Asks all nodes for their chain, for a start without `--chain`. Those that answer must agree.
pub async fn probe_chain(nodes: &[NodeOptions]) -> Result<ProbedChain, ProbeError> {
    let nodes = nodes.iter().map(Node::new).collect::<Result<Vec<_>, _>>()?;
    let probed = join_all(nodes.iter().map(|node| identity(node, FIRST_LOOK))).await;
    let mut found: Option<(&Node, ProbedChain)> = None;
    let mut silent = ProbeError::Silent { id: "-".into(), reason: "none is configured".into() };
    for (node, probed) in nodes.iter().zip(probed) {
        match (probed, &found) {
            (Err(error), _) => {
                silent = ProbeError::Silent { id: node.id.to_string(), reason: error.to_string() }
            }
            (Ok(chain), None) => found = Some((node, chain)),
            (Ok(chain), Some((one, first))) if differs(first, &chain) => {
                return Err(ProbeError::Contradiction {
                    one: one.id.to_string(),
                    one_chain: first.chain_id,
                    other: node.id.to_string(),
                    other_chain: chain.chain_id,
                });
            }
            (Ok(_), Some(_)) => {}
        }
    }
    found.map(|(_, chain)| chain).ok_or(silent)
}

fn differs(one: &ProbedChain, other: &ProbedChain) -> bool {
    let genesis = one.genesis_hash.zip(other.genesis_hash).is_some_and(|(one, other)| one != other);
    one.chain_id != other.chain_id || genesis
}

/// Asks a node who it is.
pub(crate) async fn identity(node: &Node, timeout: Duration) -> Result<ProbedChain, AskError> {
    let asks = [
        Ask::new("eth_chainId", "[]"),
        Ask::new("eth_getBlockByNumber", r#"["0x0",false]"#),
        Ask::new("web3_clientVersion", "[]"),
    ];
    let [chain_id, genesis, version] = ask_each(node, asks, timeout).await?;
    let chain_id = chain_id.map_err(|_| AskError::Bad("it does not tell its chain id"))?;
    let chain_id = quantity(&chain_id).ok_or(AskError::Bad("its chain id is no number"))?;
    let genesis_hash = genesis.ok().and_then(|json| head(&json)).map(|head| head.id.hash);
    let client_version = version
        .ok()
        .and_then(|json| serde_json::from_slice::<String>(&json).ok())
        .map(|version| version.chars().filter(|c| !c.is_control()).take(VERSION_CHARS_MAX).collect());
    Ok(ProbedChain { chain_id, genesis_hash, client_version })
}

/// Why `chain` is not the expected one.
pub(crate) fn contradiction(expected: &ExpectedChain, chain: &ProbedChain) -> Option<String> {
    if let Some(id) = expected.chain_id.filter(|id| *id != chain.chain_id) {
        return Some(format!("its chain id is {}, expected {id}", chain.chain_id));
    }
    let (expected, found) = expected.genesis_hash.zip(chain.genesis_hash)?;
    (expected != found).then(|| format!("its block 0 is {found}, expected {expected}"))
}

/// Learns which of the methods for history a node offers, and from which height on it has any.
pub(crate) async fn abilities(node: &Node, timeout: Duration) -> Result<u64, AskError> {
    let offers = [
        (&node.abilities.raw_header, Ask::new("debug_getRawHeader", r#"["0x0"]"#)),
        (&node.abilities.raw_block, Ask::new("debug_getRawBlock", r#"["0x0"]"#)),
        (&node.abilities.raw_receipts, Ask::new("debug_getRawReceipts", r#"["0x0"]"#)),
        (&node.abilities.block_receipts, Ask::new("eth_getBlockReceipts", r#"["0x0"]"#)),
    ];
    let asks = offers.clone().map(|(_, ask)| ask);
    for ((ability, _), outcome) in offers.iter().zip(ask_each(node, asks, timeout).await?) {
        ability.learn(&outcome);
    }
    let [reach] = ask_each(node, [Ask::new("eth_capabilities", "[]")], timeout).await?;
    Ok(reach
        .ok()
        .and_then(|json| serde_json::from_slice::<Reach>(&json).ok())
        .map_or(0, |reach| reach.earliest()))
}

/// Asks in a batch, or one by one where the node takes no batches.
pub(crate) async fn ask_each<const N: usize>(
    node: &Node,
    asks: [Ask; N],
    timeout: Duration,
) -> Result<[Outcome; N], AskError> {
    let mut outcomes = Vec::with_capacity(N);
    if N > 1 && node.abilities.batch_calls_max() >= N {
        match node.ask(&asks, Lane::Watch, timeout).await {
            Ok(all) if !all.iter().any(|o| o.as_ref().is_err_and(|error| error.is_batch_limit())) => {
                outcomes = all
            }
            Err(AskError::Client(error)) => return Err(error.into()),
            Err(AskError::Busy) => return Err(AskError::Busy),
            _ => {}
        }
    }
    if outcomes.is_empty() {
        for ask in &asks {
            outcomes.extend(node.ask(std::slice::from_ref(ask), Lane::Watch, timeout).await?);
        }
        // The calls are fine one by one: it was the batch that it would not take.
        if N > 1 {
            node.abilities.batch_refused(N.min(2));
        }
    }
    outcomes.try_into().map_err(|_| AskError::Bad("the count of answers is wrong"))
}

/// A `"0x…"` quantity of at most 64 bits.
pub(crate) fn quantity(json: &[u8]) -> Option<u64> {
    let text: &str = serde_json::from_slice(json).ok()?;
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// Identity and time of a block in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) id: BlockId,
    pub(crate) timestamp: u64,
}

/// Reads only what names a block; `None` for `null` and for what is no block.
pub(crate) fn head(json: &[u8]) -> Option<Head> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        number: &'a str,
        hash: B256,
        timestamp: &'a str,
    }
    let fields: Fields<'_> = serde_json::from_slice(json).ok()?;
    let number = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let id = BlockId { number: number(fields.number)?, hash: fields.hash };
    Some(Head { id, timestamp: number(fields.timestamp)? })
}

/// The answer of `eth_getTdByHash`, if it is about the block `hash`.
pub(crate) fn total_difficulty(json: &[u8], hash: B256) -> Option<U256> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields<'a> {
        block_hash: B256,
        total_difficulty: &'a str,
    }
    let fields: Fields<'_> = serde_json::from_slice(json).ok()?;
    let digits = fields.total_difficulty.strip_prefix("0x")?;
    U256::from_str_radix(digits, 16).ok().filter(|_| fields.block_hash == hash && !digits.is_empty())
}

/// The parts of `eth_capabilities` that tell how far back a node reaches.
#[derive(Deserialize)]
struct Reach {
    #[serde(default)]
    blocks: ReachPart,
    #[serde(default)]
    receipts: ReachPart,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReachPart {
    #[serde(default)]
    oldest_block: Option<String>,
}

// === impl Reach ===

impl Reach {
    fn earliest(&self) -> u64 {
        let number = |part: &ReachPart| {
            u64::from_str_radix(part.oldest_block.as_deref()?.strip_prefix("0x")?, 16).ok()
        };
        number(&self.blocks).max(number(&self.receipts)).unwrap_or(0)
    }
}
