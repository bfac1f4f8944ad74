//! What one endpoint says of the contract.

use std::ops::RangeInclusive;

use alloy_primitives::{Address, B256, U256, keccak256};
use hypasis_chain::BlockId;
use serde::Deserialize;
use serde_json::json;

use super::word;
use crate::checkpoint::abi::{self, Words};
use crate::checkpoint::endpoint::{Endpoint, EndpointError};
use crate::rpc::probe;

/// Logs of one answer.
const LOGS_MAX: usize = 1_024;
/// `NewHeaderBlock(proposer, id, reward indexed, start, end, root)`.
const EVENT: &str = "NewHeaderBlock(address,uint256,uint256,uint256,uint256,bytes32)";
/// Topics of such a log: the event, proposer, id, reward.
const TOPICS: usize = 4;

/// The contract at one L1 block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The L1 block.
    pub(super) block: BlockId,
    /// Id of the last header block; 0: there is none.
    pub(super) current: u64,
    /// The last header block.
    pub(super) last: HeaderBlock,
}

/// One entry of `headerBlocks`, or one event: the parts that both have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeaderBlock {
    pub(super) id: u64,
    pub(super) root: B256,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) proposer: Address,
}

/// The block that an endpoint calls finalized.
pub(super) async fn finalized(endpoint: &Endpoint, chain_id: Option<u64>) -> Result<BlockId, EndpointError> {
    if let Some(expected) = chain_id.filter(|_| !endpoint.is_identified()) {
        let json = endpoint.call("eth_chainId", "[]".to_owned()).await?;
        let found = probe::quantity(&json).ok_or(EndpointError::Bad("its chain id is no number"))?;
        if found != expected {
            return Err(EndpointError::Chain { found, expected });
        }
        endpoint.identified();
    }
    let json = endpoint.call("eth_getBlockByNumber", r#"["finalized",false]"#.to_owned()).await?;
    let head = probe::head(&json).ok_or(EndpointError::Bad("it names no finalized block"))?;
    endpoint.at(head.id.number);
    Ok(head.id)
}

/// The contract's last checkpoint as of a block.
pub(super) async fn snapshot(
    endpoint: &Endpoint,
    root_chain: Address,
    height: u64,
) -> Result<Snapshot, EndpointError> {
    let json = endpoint.call("eth_getBlockByNumber", json!([quantity(height), false]).to_string()).await?;
    let head = probe::head(&json).filter(|head| head.id.number == height);
    let block = head.ok_or(EndpointError::Bad("it lacks a block below its finalized one"))?.id;
    let json = call(endpoint, root_chain, "currentHeaderBlock()", &[], height).await?;
    let current = Words::from_json(&json, 1)?.uint(0)?;
    let last = header_block(endpoint, root_chain, current, height).await?;
    Ok(Snapshot { block, current, last })
}

/// One entry of the contract's list as of a block.
pub(super) async fn header_block(
    endpoint: &Endpoint,
    root_chain: Address,
    id: u64,
    height: u64,
) -> Result<HeaderBlock, EndpointError> {
    let json = call(endpoint, root_chain, "headerBlocks(uint256)", &[word(id)], height).await?;
    let words = Words::from_json(&json, 5)?;
    let (root, start, end) = (words.hash(0)?, words.uint(1)?, words.uint(2)?);
    Ok(HeaderBlock { id, root, start, end, proposer: words.address(4)? })
}

/// The events of a range of L1 blocks, in order.
pub(super) async fn logs(
    endpoint: &Endpoint,
    root_chain: Address,
    range: RangeInclusive<u64>,
) -> Result<Vec<HeaderBlock>, EndpointError> {
    let event = keccak256(EVENT);
    let filter = json!([{
        "fromBlock": quantity(*range.start()),
        "toBlock": quantity(*range.end()),
        "address": root_chain,
        "topics": [event],
    }]);
    let json = endpoint.call("eth_getLogs", filter.to_string()).await?;
    let logs: Vec<Log<'_>> =
        serde_json::from_slice(&json).map_err(|_| EndpointError::Bad("its logs are no logs"))?;
    if logs.len() > LOGS_MAX {
        return Err(EndpointError::Bad("it gives more logs than the contract can have written"));
    }
    logs.iter().map(|log| log.read(root_chain, event)).collect()
}

async fn call(
    endpoint: &Endpoint,
    to: Address,
    signature: &str,
    arguments: &[U256],
    height: u64,
) -> Result<bytes::Bytes, EndpointError> {
    let call = json!([{ "to": to, "data": abi::call(signature, arguments) }, quantity(height)]);
    endpoint.call("eth_call", call.to_string()).await
}

fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

#[derive(Deserialize)]
struct Log<'a> {
    address: Address,
    topics: Vec<B256>,
    data: &'a str,
    #[serde(default)]
    removed: bool,
}

// === impl Log ===

impl Log<'_> {
    fn read(&self, root_chain: Address, event: B256) -> Result<HeaderBlock, EndpointError> {
        let topics: Option<&[B256; TOPICS]> = self.topics.as_slice().try_into().ok();
        let right = self.address == root_chain && !self.removed;
        match topics.filter(|topics| right && topics.first() == Some(&event)) {
            Some([_, proposer, id, _]) => {
                let id = u64::try_from(U256::from_be_bytes(id.0));
                let id =
                    id.map_err(|_| EndpointError::Bad("a number of the contract has more than 64 bits"))?;
                let words = Words::from_hex(self.data, 3)?;
                let (start, end, root) = (words.uint(0)?, words.uint(1)?, words.hash(2)?);
                Ok(HeaderBlock { id, root, start, end, proposer: Address::from_word(*proposer) })
            }
            None => Err(EndpointError::Bad("it gives logs that were not asked for")),
        }
    }
}
