//! The running hash that authenticates a direction's frames
//! (<https://github.com/ethereum/devp2p/blob/master/rlpx.md#mac>).

use aes::Aes256Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use alloy_primitives::{B128, B256, Keccak256};

/// Bytes of a frame's or header's MAC.
pub(super) const MAC_LEN: usize = 16;

/// One direction's MAC. It covers everything since the handshake, so a frame dropped, repeated or moved
/// breaks it.
pub(super) struct RunningMac {
    block: Aes256Enc,
    hash: Keccak256,
    /// The hash of everything so far, cut to half: the last MAC. Kept, since a header's begins with it.
    sum: B128,
}

impl RunningMac {
    /// `seed` is the MAC secret, masked by the receiving side's nonce; `packet` the handshake packet that
    /// went in this direction.
    pub(super) fn new(secret: &B256, seed: &B256, packet: &[u8]) -> Self {
        let mut hash = Keccak256::new();
        hash.update(seed);
        hash.update(packet);
        let sum = half(&hash);
        Self { block: Aes256Enc::new(&secret.0.into()), hash, sum }
    }

    /// The MAC of an encrypted header.
    pub(super) fn header(&mut self, header: [u8; 16]) -> B128 {
        self.step(B128::new(header))
    }

    /// The MAC of an encrypted, padded body.
    pub(super) fn body(&mut self, body: &[u8]) -> B128 {
        self.hash.update(body);
        self.sum = half(&self.hash);
        self.step(self.sum)
    }

    fn step(&mut self, seed: B128) -> B128 {
        let mut block = self.sum.0.into();
        self.block.encrypt_block(&mut block);
        let block: [u8; 16] = block.into();
        self.hash.update(B128::new(block) ^ seed);
        self.sum = half(&self.hash);
        self.sum
    }
}

/// The first half of the hash of everything so far.
fn half(hash: &Keccak256) -> B128 {
    let hash = hash.clone().finalize();
    hash.first_chunk().copied().map(B128::new).unwrap_or_default()
}

/// Compares without telling by its time where the difference lies.
pub(super) fn equal(left: &B128, right: &B128) -> bool {
    left.iter().zip(right).fold(0, |difference, (left, right)| difference | (left ^ right)) == 0
}
