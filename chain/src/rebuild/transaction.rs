//! A transaction's place in a body, from its JSON.

use super::json::{AccessJson, AuthorizationJson, TransactionJson};
use super::{RebuildError, hex, wrapped};
use crate::rlp::{write_list, write_string, write_uint, write_uint256};
use crate::transaction::kind;

/// Appends a transaction as it lies in a body.
pub(super) fn write(json: &TransactionJson<'_>, out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let kind = json.kind.map_or(Ok(0), |kind| hex::short("type", Some(kind)))?;
    let kind = u8::try_from(kind)
        .ok()
        .filter(|kind| *kind <= kind::SET_CODE)
        .ok_or(RebuildError::TransactionType(kind))?;
    let mut fields = Vec::with_capacity(256);
    if kind != kind::LEGACY {
        write_uint256(&mut fields, hex::quantity("chainId", json.chain_id)?);
    }
    write_common(kind, json, &mut fields)?;
    if kind != kind::LEGACY {
        write_access_list(
            json.access_list.as_deref().ok_or(RebuildError::Field("accessList"))?,
            &mut fields,
        )?;
    }
    if kind == kind::BLOB {
        write_uint256(&mut fields, hex::quantity("maxFeePerBlobGas", json.max_fee_per_blob_gas)?);
        let hashes = json.blob_versioned_hashes.as_deref();
        write_hashes("blobVersionedHashes", hashes, &mut fields)?;
    }
    if kind == kind::SET_CODE {
        let list = json.authorization_list.as_deref().ok_or(RebuildError::Field("authorizationList"))?;
        write_authorizations(list, &mut fields)?;
    }
    // Nodes that know no `yParity` have the bit in `v`.
    let v = if kind == kind::LEGACY { json.v } else { json.y_parity.or(json.v) };
    write_signature(v, json.r, json.s, &mut fields)?;
    if kind == kind::LEGACY {
        write_list(out, &fields);
    } else {
        wrapped(kind, &fields, out);
    }
    Ok(())
}

/// Nonce to input, which all types share but for the price.
fn write_common(kind: u8, json: &TransactionJson<'_>, out: &mut Vec<u8>) -> Result<(), RebuildError> {
    write_uint(out, hex::short("nonce", json.nonce)?);
    if kind >= kind::DYNAMIC_FEE {
        write_uint256(out, hex::quantity("maxPriorityFeePerGas", json.max_priority_fee_per_gas)?);
        write_uint256(out, hex::quantity("maxFeePerGas", json.max_fee_per_gas)?);
    } else {
        write_uint256(out, hex::quantity("gasPrice", json.gas_price)?);
    }
    write_uint(out, hex::short("gas", json.gas)?);
    match json.to {
        Some("0x") | None => write_string(out, &[]),
        to => hex::fixed::<20>("to", to, out)?,
    }
    write_uint256(out, hex::quantity("value", json.value)?);
    hex::data("input", json.input.or(json.data), out)
}

fn write_access_list(list: &[AccessJson<'_>], out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let mut entries = Vec::new();
    for entry in list {
        let mut fields = Vec::new();
        hex::fixed::<20>("accessList", entry.address, &mut fields)?;
        write_hashes("accessList", Some(&entry.storage_keys), &mut fields)?;
        write_list(&mut entries, &fields);
    }
    write_list(out, &entries);
    Ok(())
}

fn write_authorizations(list: &[AuthorizationJson<'_>], out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let mut entries = Vec::new();
    for entry in list {
        let mut fields = Vec::with_capacity(112);
        write_uint256(&mut fields, hex::quantity("authorizationList", entry.chain_id)?);
        hex::fixed::<20>("authorizationList", entry.address, &mut fields)?;
        write_uint(&mut fields, hex::short("authorizationList", entry.nonce)?);
        write_signature(entry.y_parity.or(entry.v), entry.r, entry.s, &mut fields)?;
        write_list(&mut entries, &fields);
    }
    write_list(out, &entries);
    Ok(())
}

fn write_hashes(field: &'static str, hashes: Option<&[&str]>, out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let mut items = Vec::new();
    for hash in hashes.ok_or(RebuildError::Field(field))? {
        hex::fixed::<32>(field, Some(hash), &mut items)?;
    }
    write_list(out, &items);
    Ok(())
}

fn write_signature(
    v: Option<&str>,
    r: Option<&str>,
    s: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), RebuildError> {
    write_uint256(out, hex::quantity("v", v)?);
    write_uint256(out, hex::quantity("r", r)?);
    write_uint256(out, hex::quantity("s", s)?);
    Ok(())
}
