//! What is hashed, and how a sponge takes it in.

use std::mem;

use alloy_primitives::{B256, Keccak256};

/// Bytes that a permutation takes in: Keccak-256's rate.
pub(super) const RATE: usize = 136;

/// A message and where its hash belongs.
pub(super) type Job<'a> = (&'a Message<'a>, &'a mut B256);

/// What is hashed: a few bytes made for it, followed by bytes that lie somewhere already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Message<'a> {
    head: Head,
    body: &'a [u8],
}

/// Up to [`Head::MAX`] bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head {
    bytes: [u8; Self::MAX],
    len: u8,
}

// === impl Message ===

impl<'a> Message<'a> {
    /// `head` and then `body`.
    pub(crate) fn new(head: Head, body: &'a [u8]) -> Self {
        Self { head, body }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.head.as_slice().len() + self.body.len()
    }

    /// The bytes in one piece.
    pub(crate) fn to_vec(self) -> Vec<u8> {
        [self.head.as_slice(), self.body].concat()
    }

    /// Its hash, made alone.
    pub(crate) fn hash(&self) -> B256 {
        let mut hasher = Keccak256::new();
        hasher.update(self.head.as_slice());
        hasher.update(self.body);
        hasher.finalize()
    }

    /// How often the state is permuted for it. At least one byte of padding follows the message.
    pub(super) fn permutations(&self) -> usize {
        self.len() / RATE + 1
    }

    /// The [`RATE`] bytes from `at` on, a multiple of the rate: where they lie, or put together in `space` and padded
    /// where the message ends among them.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no sponge of ours runs there"))]
    pub(super) fn piece<'s>(&self, at: usize, space: &'s mut [u8; RATE]) -> &'s [u8]
    where
        'a: 's,
    {
        let head = self.head.as_slice();
        let body = self.body.get(at.saturating_sub(head.len())..).unwrap_or_default();
        let head = head.get(at..).unwrap_or_default();
        if let (true, Some(whole)) = (head.is_empty(), body.get(..RATE)) {
            return whole;
        }
        space.fill(0);
        let mut room = space.as_mut_slice();
        put(&mut room, head);
        put(&mut room, body);
        if let Some(first) = room.first_mut() {
            // Keccak's padding as Ethereum has it: one bit, zeros, one bit (SHA-3 has another first byte).
            *first = 0x01;
            space[RATE - 1] |= 0x80;
        }
        space
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(body: &'a [u8]) -> Self {
        Self { head: Head::default(), body }
    }
}

/// Moves as much of `bytes` into `room` as fits.
fn put(room: &mut &mut [u8], bytes: &[u8]) {
    let len = bytes.len().min(room.len());
    let (front, rest) = mem::take(room).split_at_mut(len);
    front.copy_from_slice(bytes.get(..len).unwrap_or_default());
    *room = rest;
}

// === impl Head ===

impl Head {
    /// The longest is that of a leaf: a list's prefix, its path and its string's prefix.
    pub(super) const MAX: usize = 32;

    /// A head of these bytes, [`Self::MAX`] at most.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut head = Self::default();
        put(&mut head.bytes.as_mut_slice(), bytes);
        head.len = bytes.len().min(Self::MAX) as u8;
        head
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}
