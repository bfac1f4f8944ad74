//! One value of an RLP item, changed without changing any length.

use bytes::Bytes;

/// Changes the leaf of this index, counted in the order of the bytes through all lists; where there are fewer, nothing
/// changes.
pub(super) fn change(item: &mut Bytes, index: usize) {
    let mut bytes = item.to_vec();
    let place = positions(&bytes).nth(index);
    if let Some(at) = place {
        match bytes[at] {
            // The empty value has no byte to change: it becomes one.
            0x80 => bytes[at] = 1,
            1 => bytes[at] = 2,
            _ => bytes[at] ^= 1,
        }
    }
    *item = bytes.into();
}

/// The last byte of each leaf.
fn positions(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let mark = usize::from(*bytes.get(at)?);
            let long = |digits: usize| {
                bytes[at + 1..=at + digits].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
            };
            // What is after the mark: a list is entered, a string is passed over.
            let (enter, leaf) = match mark {
                0..0x80 => (at + 1, Some(at)),
                0x80..0xb8 => (at + 1 + mark - 0x80, Some(at + mark - 0x80)),
                0xb8..0xc0 => {
                    (at + mark - 0xb6 + long(mark - 0xb7), Some(at + mark - 0xb7 + long(mark - 0xb7)))
                }
                0xc0..0xf8 => (at + 1, None),
                _ => (at + 1 + mark - 0xf7, None),
            };
            at = enter;
            if leaf.is_some() {
                return leaf;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_changes_alone_and_no_length_does() {
        let item = Bytes::from_static(&[0xc8, 0x05, 0x80, 0xc2, 0x81, 0x99, 0x82, 0xaa, 0xbb]);
        let changed = |index| {
            let mut item = item.clone();
            change(&mut item, index);
            item.to_vec()
        };
        assert_eq!(changed(0), [0xc8, 0x04, 0x80, 0xc2, 0x81, 0x99, 0x82, 0xaa, 0xbb]);
        assert_eq!(changed(1), [0xc8, 0x05, 0x01, 0xc2, 0x81, 0x99, 0x82, 0xaa, 0xbb]);
        assert_eq!(changed(2), [0xc8, 0x05, 0x80, 0xc2, 0x81, 0x98, 0x82, 0xaa, 0xbb]);
        assert_eq!(changed(3), [0xc8, 0x05, 0x80, 0xc2, 0x81, 0x99, 0x82, 0xaa, 0xba]);
        assert_eq!(changed(4), item);
    }
}
