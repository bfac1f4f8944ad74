//! The methods of a development node. What it does not know it does not have: state, above all.

use std::io::Write;

use alloy_primitives::B256;
use hypasis_chain::body::join_block;
use hypasis_chain::render::{self, Parts, RenderError};
use hypasis_chain::rlp::RlpError;
use hypasis_chain::{Block, Body, Header, Receipts};

use super::answer::{Responder, RpcError};
use super::params::{At, Params, Span};
use super::{CLIENT_VERSION, FINALITY_DEPTH};

/// Blocks below the head whose transactions are found by hash. A real node has an index; here blocks are made
/// again and searched.
const SEARCH_BLOCKS: u64 = 1_024;

/// Most heights of one `eth_getLogs`.
const LOGS_BLOCKS_MAX: u64 = 10_000;

/// Appends the result of a call, or a part of it before an error.
pub(super) fn call(
    node: &Responder,
    method: &str,
    params: &Params,
    out: &mut Vec<u8>,
) -> Result<(), RpcError> {
    if let Some(result) = node.fixed.read().get(method) {
        return raw(out, result);
    }
    match method {
        "eth_chainId" => quantity(out, node.spec.chain_id),
        "net_version" => text(out, &node.spec.chain_id.to_string()),
        "web3_clientVersion" => text(out, CLIENT_VERSION),
        "eth_syncing" => raw(out, "false"),
        "net_listening" => raw(out, "true"),
        "net_peerCount" => quantity(out, 0),
        "eth_blockNumber" => quantity(out, node.chain.head().number),
        "eth_getBlockByNumber" | "eth_getBlockByHash" => {
            let full = params.flag(1)?;
            node.on_block(params, out, |parts, _, out| render::block(out, parts, full))
        }
        "eth_getHeaderByNumber" | "eth_getHeaderByHash" => node.on_block(params, out, |parts, _, out| {
            render::header(out, parts.profile, &parts.header, parts.hash)
        }),
        "eth_getBlockTransactionCountByNumber" | "eth_getBlockTransactionCountByHash" => {
            node.on_block(params, out, |parts, _, out| count(out, parts.body.transaction_count()))
        }
        "eth_getUncleCountByBlockNumber" | "eth_getUncleCountByBlockHash" => {
            node.on_block(params, out, |parts, _, out| count(out, parts.body.uncles().count()))
        }
        "eth_getTransactionByBlockNumberAndIndex" | "eth_getTransactionByBlockHashAndIndex" => {
            let index = params.index(1)?;
            node.on_block(params, out, |parts, _, out| or_null(render::transaction(out, parts, index)?, out))
        }
        "eth_getBlockReceipts" => {
            node.on_block(params, out, |parts, receipts, out| render::block_receipts(out, parts, receipts))
        }
        "eth_getTransactionByHash" => node.on_transaction(params, out, |parts, _, index, out| {
            or_null(render::transaction(out, parts, index)?, out)
        }),
        "eth_getTransactionReceipt" => node.on_transaction(params, out, |parts, receipts, index, out| {
            or_null(render::receipt(out, parts, receipts, index)?, out)
        }),
        "eth_getLogs" => node.logs(params, out),
        _ if method.starts_with("debug_getRaw") && *node.raw.read() => raw_method(node, method, params, out),
        _ => Err(RpcError::unknown_method(method)),
    }
}

fn raw_method(node: &Responder, method: &str, params: &Params, out: &mut Vec<u8>) -> Result<(), RpcError> {
    match method {
        "debug_getRawHeader" => node.on_raw(params, out, |block, out| {
            hex(out, &block.header);
            Ok(())
        }),
        "debug_getRawBlock" => node.on_raw(params, out, |block, out| {
            hex(out, &join_block(&block.header, &block.body)?);
            Ok(())
        }),
        "debug_getRawReceipts" => node.on_raw(params, out, |block, out| {
            let list = block.receipts.as_deref().unwrap_or(&[0xc0]);
            out.push(b'[');
            for (place, receipt) in Receipts::parse(list)?.iter().enumerate() {
                let (receipt, mut consensus) = (receipt?, Vec::new());
                receipt.write_consensus(&receipt.bloom()?, &mut consensus);
                out.extend_from_slice(if place == 0 { b"" } else { b"," });
                hex(out, &consensus);
            }
            out.push(b']');
            Ok(())
        }),
        "debug_getRawTransaction" => node.on_transaction(params, out, |parts, _, index, out| {
            if let Some(transaction) = parts.body.transaction(index) {
                hex(out, transaction?.envelope());
            }
            Ok(())
        }),
        _ => Err(RpcError::unknown_method(method)),
    }
}

// === impl Responder ===

impl Responder {
    /// The block that the first parameter names; `None` where a node would answer `null`.
    fn block(&self, at: At) -> Option<Block> {
        let head = self.chain.head().number;
        let number = match at {
            At::Number(number) => number,
            At::Latest => head,
            At::Final => head.saturating_sub(FINALITY_DEPTH),
            At::Hash(hash) => return self.chain.block_by_hash(&hash).map(|block| self.shown(block)),
            At::Pending => return None,
        };
        // Never above the head: the chain would mint whatever height is asked for.
        (number <= head).then(|| self.shown(self.chain.block(number)))
    }

    fn on_raw(
        &self,
        params: &Params,
        out: &mut Vec<u8>,
        write: impl FnOnce(&Block, &mut Vec<u8>) -> Result<(), RlpError>,
    ) -> Result<(), RpcError> {
        let block = self.block(params.block(0)?).ok_or_else(|| RpcError::server("block not found"))?;
        write(&block, out).map_err(RpcError::server)
    }

    fn on_block(
        &self,
        params: &Params,
        out: &mut Vec<u8>,
        write: impl FnOnce(&Parts<'_>, &Receipts<'_>, &mut Vec<u8>) -> Result<(), RenderError>,
    ) -> Result<(), RpcError> {
        match self.block(params.block(0)?) {
            Some(block) => self.with_parts(&block, |parts, receipts| write(parts, receipts, out)),
            None => raw(out, "null"),
        }
    }

    /// Finds the transaction among the last blocks. Below those it may exist, so an error says what Geth says while
    /// its index is not complete.
    fn on_transaction(
        &self,
        params: &Params,
        out: &mut Vec<u8>,
        write: impl FnOnce(&Parts<'_>, &Receipts<'_>, usize, &mut Vec<u8>) -> Result<(), RenderError>,
    ) -> Result<(), RpcError> {
        let (hash, head) = (params.hash(0)?, self.chain.head().number);
        let lowest = head.saturating_sub(SEARCH_BLOCKS);
        for number in (lowest..=head).rev() {
            let block = self.chain.block(number);
            if let Some(index) = index_of(&block, &hash) {
                let block = self.shown(block);
                return self.with_parts(&block, |parts, receipts| write(parts, receipts, index, out));
            }
        }
        if lowest == 0 {
            raw(out, "null")
        } else {
            Err(RpcError::server("transaction indexing is in progress"))
        }
    }

    fn logs(&self, params: &Params, out: &mut Vec<u8>) -> Result<(), RpcError> {
        let (filter, span) = params.log_filter()?;
        let head = self.chain.head().number;
        let number = |at: At| match at {
            At::Number(number) => number,
            At::Final => head.saturating_sub(FINALITY_DEPTH),
            _ => head,
        };
        let (blocks, hash) = match span {
            Span::Block(hash) => (0..1, Some(hash)),
            Span::Range(from, to) => (number(from)..number(to).saturating_add(1), None),
        };
        if blocks.start >= blocks.end {
            return Err(RpcError::invalid_params("invalid block range params"));
        }
        if blocks.end > head.saturating_add(1) {
            return Err(RpcError::invalid_params("block range extends beyond current head block"));
        }
        if blocks.end.saturating_sub(blocks.start) > LOGS_BLOCKS_MAX {
            return Err(RpcError::server(format!("query exceeds {LOGS_BLOCKS_MAX} blocks")));
        }
        let mut count = 0;
        out.push(b'[');
        for number in blocks {
            let at = hash.map_or(At::Number(number), At::Hash);
            let block = self.block(at).ok_or_else(|| RpcError::server("unknown block"))?;
            self.with_parts(&block, |parts, receipts| {
                if filter.may_match(&parts.header) {
                    render::logs(out, parts, receipts, &filter, &mut count)?;
                }
                Ok(())
            })?;
            if out.len() > super::answer::ANSWER_BYTES_MAX {
                break;
            }
        }
        out.push(b']');
        Ok(())
    }

    fn with_parts(
        &self,
        block: &Block,
        write: impl FnOnce(&Parts<'_>, &Receipts<'_>) -> Result<(), RenderError>,
    ) -> Result<(), RpcError> {
        let list = block.receipts.as_deref().unwrap_or(&[0xc0]);
        let parsed =
            || Ok((Header::parse(&block.header)?, Body::parse(&block.body)?, Receipts::parse(list)?));
        let (header, body, receipts) = parsed().map_err(|error: RlpError| RpcError::server(error))?;
        let (spec, profile, hash) = (&self.spec, self.profile(), block.id.hash);
        let parts = Parts::new(spec, profile, hash, header, body);
        write(&parts, &receipts).map_err(RpcError::server)
    }
}

fn index_of(block: &Block, hash: &B256) -> Option<usize> {
    let body = Body::parse(&block.body).ok()?;
    body.transactions()
        .position(|transaction| transaction.is_ok_and(|transaction| transaction.hash() == *hash))
}

fn or_null(written: bool, out: &mut Vec<u8>) -> Result<(), RenderError> {
    if !written {
        out.extend_from_slice(b"null");
    }
    Ok(())
}

fn quantity(out: &mut Vec<u8>, value: u64) -> Result<(), RpcError> {
    write!(out, "\"{value:#x}\"").map_err(RpcError::server)
}

fn count(out: &mut Vec<u8>, count: usize) -> Result<(), RenderError> {
    out.extend_from_slice(format!("\"{count:#x}\"").as_bytes());
    Ok(())
}

fn text(out: &mut Vec<u8>, text: &str) -> Result<(), RpcError> {
    write!(out, "\"{text}\"").map_err(RpcError::server)
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(const_hex::encode_prefixed(bytes).as_bytes());
    out.push(b'"');
}

fn raw(out: &mut Vec<u8>, json: &str) -> Result<(), RpcError> {
    out.extend_from_slice(json.as_bytes());
    Ok(())
}
