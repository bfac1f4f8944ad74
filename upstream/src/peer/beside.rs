//! Bor's eth/69: the receipts of a block before Madhugiri may have one more behind them, that of the state sync that
//! stands beside it (Bor `eth/protocols/eth/handlers.go`). eth/68 does not carry it.

use bytes::Bytes;
use hypasis_chain::bor::state_sync::NONE;
use hypasis_chain::rlp::{Item, RlpError, write_list};
use hypasis_chain::{Body, Receipts};

/// The version that carries it.
const VERSION: u8 = 69;

/// A block's receipts, and what stands beside it. Where there can be no state sync, to know that there is none is no
/// news; whether there can be one the caller knows.
pub(super) fn split(
    version: u8,
    body: &[u8],
    list: &Bytes,
) -> Result<(Option<Bytes>, Option<Bytes>), RlpError> {
    // A copy: a slice would keep the whole message alive.
    let whole = || Bytes::copy_from_slice(list);
    let Ok(body) = Body::parse(body) else { return Ok((Some(whole()), None)) };
    let (count, found) = (body.transaction_count(), Receipts::parse(list)?.count());
    if version != VERSION || found != count && found != count.saturating_add(1) {
        return Ok((Some(whole()), None));
    }
    if found == count {
        return Ok((Some(whole()), Some(Bytes::from_static(NONE))));
    }
    let mut inside = Vec::with_capacity(list.len());
    let mut extra = None;
    for (index, receipt) in Item::parse(list)?.items()?.enumerate() {
        let receipt = receipt?;
        if index < count {
            inside.extend_from_slice(receipt.raw());
        } else {
            extra = Some(Bytes::copy_from_slice(receipt.raw()));
        }
    }
    let mut receipts = Vec::with_capacity(inside.len().saturating_add(9));
    write_list(&mut receipts, &inside);
    Ok((Some(receipts.into()), extra))
}
