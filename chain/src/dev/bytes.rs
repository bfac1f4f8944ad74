//! Small pieces of RLP that are written often.

use crate::rlp::{write_list_prefix, write_string};

/// Appends a big-endian integer without its leading zeros.
pub(super) fn write_trimmed(out: &mut Vec<u8>, bytes: &[u8]) {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    write_string(out, bytes.get(zeros..).unwrap_or_default());
}

/// Appends the prefix of a string that is longer than a byte.
pub(super) fn write_string_prefix(out: &mut Vec<u8>, len: usize) {
    let start = out.len();
    write_list_prefix(out, len);
    // A string's prefix differs from a list's in one bit.
    if let Some(prefix) = out.get_mut(start) {
        *prefix ^= 0x40;
    }
}

/// How many bytes the prefix of a list, or of a string longer than a byte, takes.
pub(super) fn prefix_len(len: usize) -> usize {
    match len {
        0..56 => 1,
        56..0x100 => 2,
        0x100..0x1_0000 => 3,
        _ => 4,
    }
}

/// How many bytes a list of items of `len` bytes takes.
pub(super) fn list_len(len: usize) -> usize {
    prefix_len(len) + len
}
