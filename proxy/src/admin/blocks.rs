//! What is held of one block, how it was verified, whence it came.

use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;
use http_body_util::Full;
use hypasis_cache::{Kind, StoreError, Tier};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::{Parts, json as json_answer, problem};

/// Answers for a height (decimal or 0x-hex) or a block hash.
pub(super) async fn block(parts: Arc<Parts>, id: String) -> Response<Full<Bytes>> {
    let Some(id) = Id::parse(&id) else {
        return problem(StatusCode::BAD_REQUEST, "a block is named by its number or by its 0x-prefixed hash");
    };
    // The store reads from disk: off the threads that serve connections.
    match tokio::task::spawn_blocking(move || describe(&parts, &id)).await {
        Ok(Ok(Some(value))) => json_answer(&value),
        Ok(Ok(None)) => problem(StatusCode::NOT_FOUND, "the store does not hold this block"),
        Ok(Err(error)) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "reading the block failed"),
    }
}

enum Id {
    Number(u64),
    Hash(B256),
}

// === impl Id ===

impl Id {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("0x") {
            Some(hex) if hex.len() == 64 => text.parse().ok().map(Self::Hash),
            Some(hex) => u64::from_str_radix(hex, 16).ok().map(Self::Number),
            None => text.parse().ok().map(Self::Number),
        }
    }
}

fn describe(parts: &Parts, id: &Id) -> Result<Option<Value>, StoreError> {
    let view = parts.store.view();
    let found = match id {
        Id::Number(number) => view.by_number(*number)?,
        Id::Hash(hash) => view.by_hash(hash)?,
    };
    let Some(block) = found else { return Ok(None) };
    let number = block.id.number;
    let size = |bytes: Option<Bytes>| bytes.map(|bytes| bytes.len());
    let trust = parts.store.trust(number..=number)?.pop().map(|(_, trust)| trust);
    Ok(Some(json!({
        "number": number,
        "hash": block.id.hash,
        "canonical": block.canonical,
        "tier": match block.tier { Tier::History => "history", Tier::Tip => "tip" },
        "held": {
            "header": size(view.header(&block)?),
            "body": size(view.body(&block)?),
            "receipts": size(view.receipts(&block)?),
            "senders": view.senders(&block)?.is_some(),
            "index": view.covers(Kind::Index, number),
        },
        "verified": trust,
    })))
}
