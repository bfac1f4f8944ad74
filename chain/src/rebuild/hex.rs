//! Quantities and data of JSON-RPC, written as RLP items.

use alloy_primitives::U256;

use super::RebuildError;
use crate::rlp::write_string;

/// A quantity of up to 256 bits. Leading zeros, which some clients write, do not matter.
pub(super) fn quantity(field: &'static str, text: Option<&str>) -> Result<U256, RebuildError> {
    let digits = digits(field, text)?.trim_start_matches('0');
    if text == Some("0x") || digits.len() > 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(RebuildError::Field(field));
    }
    if digits.is_empty() {
        return Ok(U256::ZERO);
    }
    U256::from_str_radix(digits, 16).map_err(|_| RebuildError::Field(field))
}

/// A quantity of up to 64 bits.
pub(super) fn short(field: &'static str, text: Option<&str>) -> Result<u64, RebuildError> {
    u64::try_from(quantity(field, text)?).map_err(|_| RebuildError::Field(field))
}

/// Appends exactly `N` bytes.
pub(super) fn fixed<const N: usize>(
    field: &'static str,
    text: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), RebuildError> {
    let bytes: [u8; N] =
        const_hex::decode_to_array(digits(field, text)?).map_err(|_| RebuildError::Field(field))?;
    write_string(out, &bytes);
    Ok(())
}

/// Appends bytes of any length.
pub(super) fn data(field: &'static str, text: Option<&str>, out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let bytes = const_hex::decode(digits(field, text)?).map_err(|_| RebuildError::Field(field))?;
    write_string(out, &bytes);
    Ok(())
}

fn digits<'a>(field: &'static str, text: Option<&'a str>) -> Result<&'a str, RebuildError> {
    text.and_then(|text| text.strip_prefix("0x")).ok_or(RebuildError::Field(field))
}
