//! Blocks, headers and uncles.

use alloy_primitives::{B256, U256};

use super::json::{close, data, fixed, put, quantity, quantity_of, quantity256};
use super::profile::BlockField as Field;
use super::{Parts, Profile, RenderError, state_sync, transaction};
use crate::body::Body;
use crate::header::{Header, field};
use crate::rlp::{Item, write_list_prefix};

/// Header fields that this program knows by name: up to Prague.
const HEADER_FIELDS_KNOWN: usize = field::REQUESTS_HASH + 1;

/// A block as of `eth_getBlockBy*`.
pub fn block(out: &mut Vec<u8>, parts: &Parts<'_>, full: bool) -> Result<(), RenderError> {
    parts.check_fork()?;
    parts.receipt_beside()?;
    let total_difficulty = parts.total_difficulty;
    let view = View { hash: parts.hash, header: &parts.header, body: Some(&parts.body), total_difficulty };
    view.check()?;
    let start = out.len();
    for &field in parts.profile.block {
        match field {
            Field::Transactions if full => transaction::write_all(out, parts)?,
            Field::Transactions => write_hashes(out, parts)?,
            field => view.write(out, field)?,
        }
    }
    close(out, start, *b"{}");
    Ok(())
}

/// A header as of `eth_getHeaderBy*`.
pub fn header(
    out: &mut Vec<u8>,
    profile: &Profile,
    header: &Header<'_>,
    hash: B256,
) -> Result<(), RenderError> {
    write_bare(out, profile.header, header, hash)
}

/// An uncle as of `eth_getUncleBy*`: a block without transactions.
pub fn uncle(out: &mut Vec<u8>, profile: &Profile, header: &Header<'_>) -> Result<(), RenderError> {
    write_bare(out, profile.uncle, header, header.hash())
}

/// What is written of a block, a header or an uncle.
struct View<'a> {
    hash: B256,
    header: &'a Header<'a>,
    body: Option<&'a Body<'a>>,
    total_difficulty: Option<U256>,
}

// === impl View ===

impl View<'_> {
    /// Refuses headers with fields of forks to come and of other families (a seal where Ethereum has a mix hash
    /// and a nonce, a hash where it has a base fee).
    fn check(&self) -> Result<(), RenderError> {
        let length = |position| self.header.field(position).map(<[u8]>::len);
        let hash = |position| matches!(length(position), None | Some(32));
        let short = |position, most| {
            self.header.field(position).is_none_or(|bytes| bytes.len() <= most && bytes.first() != Some(&0))
        };
        let known = self.header.field_count() <= HEADER_FIELDS_KNOWN
            && length(field::MIX_HASH) == Some(32)
            && length(field::NONCE) == Some(8)
            && short(field::BASE_FEE, 16)
            && hash(field::WITHDRAWALS_ROOT)
            && short(field::BLOB_GAS_USED, 8)
            && short(field::EXCESS_BLOB_GAS, 8)
            && hash(field::PARENT_BEACON_ROOT)
            && hash(field::REQUESTS_HASH);
        if known { Ok(()) } else { Err(RenderError::Unknown("form of header")) }
    }

    fn write(&self, out: &mut Vec<u8>, field: Field) -> Result<(), RenderError> {
        match field {
            Field::BaseFeePerGas => self.quantity(out, b",\"baseFeePerGas\":", field::BASE_FEE),
            Field::BlobGasUsed => self.quantity(out, b",\"blobGasUsed\":", field::BLOB_GAS_USED),
            Field::Difficulty => self.quantity(out, b",\"difficulty\":", field::DIFFICULTY),
            Field::ExcessBlobGas => self.quantity(out, b",\"excessBlobGas\":", field::EXCESS_BLOB_GAS),
            Field::ExtraData => self.data(out, b",\"extraData\":", field::EXTRA_DATA),
            Field::GasLimit => self.quantity(out, b",\"gasLimit\":", field::GAS_LIMIT),
            Field::GasUsed => self.quantity(out, b",\"gasUsed\":", field::GAS_USED),
            Field::Hash => {
                put(out, b",\"hash\":");
                fixed(out, &self.hash.0);
            }
            Field::LogsBloom => self.data(out, b",\"logsBloom\":", field::LOGS_BLOOM),
            Field::Miner => self.data(out, b",\"miner\":", field::BENEFICIARY),
            Field::MixHash => self.data(out, b",\"mixHash\":", field::MIX_HASH),
            Field::Nonce => self.data(out, b",\"nonce\":", field::NONCE),
            Field::Number => self.quantity(out, b",\"number\":", field::NUMBER),
            Field::ParentBeaconBlockRoot => {
                self.data(out, b",\"parentBeaconBlockRoot\":", field::PARENT_BEACON_ROOT);
            }
            Field::ParentHash => self.data(out, b",\"parentHash\":", field::PARENT_HASH),
            Field::ReceiptsRoot => self.data(out, b",\"receiptsRoot\":", field::RECEIPTS_ROOT),
            Field::RequestsHash => self.data(out, b",\"requestsHash\":", field::REQUESTS_HASH),
            Field::Sha3Uncles => self.data(out, b",\"sha3Uncles\":", field::UNCLES_HASH),
            Field::Size => {
                put(out, b",\"size\":");
                quantity(out, self.size(0)?);
            }
            Field::SizeWithoutWithdrawals => {
                let none = self.body.and_then(Body::withdrawals).is_some_and(|list| list.rest().is_empty());
                put(out, b",\"size\":");
                quantity(out, self.size(usize::from(none))?);
            }
            Field::StateRoot => self.data(out, b",\"stateRoot\":", field::STATE_ROOT),
            Field::Timestamp => self.quantity(out, b",\"timestamp\":", field::TIMESTAMP),
            Field::TotalDifficulty => {
                put(out, b",\"totalDifficulty\":");
                quantity256(out, self.total_difficulty.ok_or(RenderError::Unknown("total difficulty"))?);
            }
            // Written by the caller, who knows in which form.
            Field::Transactions => {}
            Field::TransactionsRoot => self.data(out, b",\"transactionsRoot\":", field::TRANSACTIONS_ROOT),
            Field::Uncles => self.uncles(out)?,
            Field::Withdrawals => self.withdrawals(out)?,
            Field::WithdrawalsRoot => self.data(out, b",\"withdrawalsRoot\":", field::WITHDRAWALS_ROOT),
        }
        Ok(())
    }

    fn quantity<const N: usize>(&self, out: &mut Vec<u8>, key: &[u8; N], position: usize) {
        if let Some(bytes) = self.header.field(position) {
            put(out, key);
            quantity_of(out, bytes);
        }
    }

    fn data<const N: usize>(&self, out: &mut Vec<u8>, key: &[u8; N], position: usize) {
        if let Some(bytes) = self.header.field(position) {
            put(out, key);
            data(out, bytes);
        }
    }

    /// Bytes of the block's RLP without so many of its items. An uncle's is a block with two empty lists behind the
    /// header.
    fn size(&self, uncounted: usize) -> Result<u64, RenderError> {
        let body = match self.body {
            Some(body) => Item::parse(body.raw())?.payload().len(),
            None => 2,
        };
        let payload = self.header.raw().len().saturating_add(body).saturating_sub(uncounted);
        let mut prefix = Vec::with_capacity(9);
        write_list_prefix(&mut prefix, payload);
        Ok(payload.saturating_add(prefix.len()) as u64)
    }

    fn uncles(&self, out: &mut Vec<u8>) -> Result<(), RenderError> {
        put(out, b",\"uncles\":");
        let start = out.len();
        for uncle in self.body.into_iter().flat_map(Body::uncles) {
            out.push(b',');
            fixed(out, &alloy_primitives::keccak256(uncle?.raw()).0);
        }
        close(out, start, *b"[]");
        Ok(())
    }

    fn withdrawals(&self, out: &mut Vec<u8>) -> Result<(), RenderError> {
        let Some(withdrawals) = self.body.and_then(Body::withdrawals) else { return Ok(()) };
        put(out, b",\"withdrawals\":");
        let start = out.len();
        for withdrawal in withdrawals {
            let mut fields = withdrawal?.items()?;
            put(out, b",{\"index\":");
            quantity(out, fields.field("index")?.uint("index")?);
            put(out, b",\"validatorIndex\":");
            quantity(out, fields.field("validatorIndex")?.uint("validatorIndex")?);
            put(out, b",\"address\":");
            fixed(out, fields.field("address")?.fixed::<20>("address")?);
            put(out, b",\"amount\":");
            quantity(out, fields.field("amount")?.uint("amount")?);
            out.push(b'}');
        }
        close(out, start, *b"[]");
        Ok(())
    }
}

fn write_bare(
    out: &mut Vec<u8>,
    fields: &[Field],
    header: &Header<'_>,
    hash: B256,
) -> Result<(), RenderError> {
    let view = View { hash, header, body: None, total_difficulty: None };
    view.check()?;
    let start = out.len();
    for &field in fields {
        view.write(out, field)?;
    }
    close(out, start, *b"{}");
    Ok(())
}

fn write_hashes(out: &mut Vec<u8>, parts: &Parts<'_>) -> Result<(), RenderError> {
    put(out, b",\"transactions\":");
    let start = out.len();
    for (index, transaction) in parts.body.transactions().enumerate() {
        out.push(b',');
        fixed(out, &parts.hash_of(&transaction?, index).0);
    }
    if parts.receipt_beside()?.is_some() {
        out.push(b',');
        fixed(out, &state_sync::beside(parts).hash.0);
    }
    close(out, start, *b"[]");
    Ok(())
}
