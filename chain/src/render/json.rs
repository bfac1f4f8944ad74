//! JSON text appended piece by piece.
//!
//! A field is written with the comma in front (`,"key":value`); [`close`] turns the first comma of an object into
//! its brace, so that no field needs to know whether it is the first.

use alloy_primitives::U256;
use const_hex::Buffer;

/// Appends a literal. Its length is known where it is inlined, so that it costs a few moves and no call.
#[inline(always)]
pub(super) fn put<const N: usize>(out: &mut Vec<u8>, text: &[u8; N]) {
    out.extend_from_slice(text);
}

/// Ends the object or array whose first comma stands at `start`; `brackets` are its ends, as in `b"{}"`.
pub(super) fn close(out: &mut Vec<u8>, start: usize, brackets: [u8; 2]) {
    let [open, close] = brackets;
    match out.get_mut(start) {
        Some(comma) => *comma = open,
        None => out.push(open),
    }
    out.push(close);
}

/// Appends `N` bytes as hex digits in quotes.
#[inline]
pub(super) fn fixed<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N]) {
    let mut buffer = Buffer::<N, true>::new();
    out.push(b'"');
    out.extend_from_slice(buffer.format(bytes).as_bytes());
    out.push(b'"');
}

/// Appends bytes of any length as hex digits in quotes, `"0x"` if there are none.
pub(super) fn data(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, b"\"0x");
    hex(out, bytes);
    out.push(b'"');
}

/// Appends a quantity: hex digits without leading zeros in quotes, `"0x0"` for zero.
#[inline]
pub(super) fn quantity(out: &mut Vec<u8>, value: u64) {
    let [high, low] = [value >> 32, value & 0xffff_ffff].map(|half| eight_digits(half).to_be_bytes());
    let zeros = (value.leading_zeros() / 4).min(15) as usize;
    put(out, b"\"0x");
    if zeros < 8 {
        out.extend_from_slice(high.get(zeros..).unwrap_or_default());
    }
    out.extend_from_slice(low.get(zeros.saturating_sub(8)..).unwrap_or_default());
    out.push(b'"');
}

/// The eight hex digits of a number of 32 bits, as ASCII in the bytes of a word: all at once, since most
/// quantities are too short for a vector unit to pay.
fn eight_digits(value: u64) -> u64 {
    const LOW_NIBBLES: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let pairs = (value << 16 | value) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs << 8 | pairs) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (bytes << 4 | bytes) & LOW_NIBBLES;
    // One for each nibble from ten on, which adding six carries into the upper half.
    let letters = (nibbles.wrapping_add(ONES * 6) >> 4) & ONES;
    nibbles.wrapping_add(ONES * 0x30).wrapping_add(letters.wrapping_mul(0x27))
}

/// Appends the quantity with these big-endian bytes.
pub(super) fn quantity_of(out: &mut Vec<u8>, bytes: &[u8]) {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    match bytes.get(zeros..).unwrap_or_default() {
        short if short.len() <= 8 => {
            quantity(out, short.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)));
        }
        [first @ 0x01..=0x0f, rest @ ..] => {
            put(out, b"\"0x");
            out.push(if *first < 10 { b'0' + first } else { b'a' + (first - 10) });
            hex(out, rest);
            out.push(b'"');
        }
        long => data(out, long),
    }
}

/// Appends a quantity of up to 256 bits.
pub(super) fn quantity256(out: &mut Vec<u8>, value: U256) {
    match u64::try_from(value) {
        Ok(short) => quantity(out, short),
        Err(_) => quantity_of(out, &value.to_be_bytes::<32>()),
    }
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start.saturating_add(bytes.len().saturating_mul(2)), b'0');
    if let Some(digits) = out.get_mut(start..) {
        // It only fails on a length other than twice the input's.
        let _ = const_hex::encode_to_slice(bytes, digits);
    }
}
