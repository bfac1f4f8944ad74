//! ECIES: a packet that only the holder of one key can open
//! (<https://github.com/ethereum/devp2p/blob/master/rlpx.md#ecies-encryption>).
//!
//! `04 ‖ ephemeral key (64) ‖ iv (16) ‖ ciphertext ‖ tag (32)`; the key of AES-128-CTR and of HMAC-SHA-256
//! come from the shared secret by NIST SP 800-56's concatenation KDF.

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use alloy_primitives::B256;
use bytes::BytesMut;
use hmac::{Hmac, Mac};
use secp256k1::{PublicKey, SecretKey, ecdh};
use sha2::{Digest, Sha256};

use super::ECIESError;
use crate::node::{CURVE, random_key};

/// Bytes around the ciphertext: key, initialisation vector, tag.
pub(super) const OVERHEAD: usize = KEY_LEN + IV_LEN + TAG_LEN;

const KEY_LEN: usize = 65;
const IV_LEN: usize = 16;
const TAG_LEN: usize = 32;

/// Appends `plain`, sealed for `recipient`, to `out`. `shared_data` is authenticated but not written.
pub(super) fn seal(recipient: &PublicKey, mut plain: Vec<u8>, shared_data: &[u8], out: &mut BytesMut) {
    let ephemeral = random_key();
    let keys = Keys::derive(agree(recipient, &ephemeral));
    let iv: [u8; IV_LEN] = rand::random();
    keys.apply(iv, &mut plain);
    let tag = keys.tag(iv, &plain, shared_data).finalize().into_bytes();
    out.extend_from_slice(&PublicKey::from_secret_key(&CURVE, &ephemeral).serialize_uncompressed());
    out.extend_from_slice(&iv);
    out.extend_from_slice(&plain);
    out.extend_from_slice(&tag);
}

/// Opens `packet` with `key` in place; the plain bytes are a part of it.
pub(super) fn open<'a>(
    key: &SecretKey,
    packet: &'a mut [u8],
    shared_data: &[u8],
) -> Result<&'a mut [u8], ECIESError> {
    let (ephemeral, rest) = packet.split_first_chunk_mut::<KEY_LEN>().ok_or(ECIESError::Envelope)?;
    let (iv, rest) = rest.split_first_chunk_mut::<IV_LEN>().ok_or(ECIESError::Envelope)?;
    let (cipher, tag) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(ECIESError::Envelope)?;
    let ephemeral = PublicKey::from_byte_array_uncompressed(*ephemeral).map_err(|_| ECIESError::Envelope)?;
    let keys = Keys::derive(agree(&ephemeral, key));
    // Compares in constant time.
    keys.tag(*iv, cipher, shared_data).verify_slice(tag).map_err(|_| ECIESError::Envelope)?;
    keys.apply(*iv, cipher);
    Ok(cipher)
}

/// The x-coordinate of the point that two keys share.
pub(super) fn agree(public: &PublicKey, secret: &SecretKey) -> B256 {
    let point = ecdh::shared_secret_point(public, secret);
    let (x, _y) = point.split_first_chunk::<32>().unwrap_or((&[0; 32], &[]));
    B256::new(*x)
}

struct Keys {
    encryption: [u8; 16],
    /// A whole block of the hash: HMAC fills shorter keys up with zeros.
    authentication: [u8; 64],
}

impl Keys {
    fn derive(secret: B256) -> Self {
        // One round of the KDF gives 32 bytes, which is all that is needed.
        let material: [u8; 32] =
            Sha256::new().chain_update(1_u32.to_be_bytes()).chain_update(secret).finalize().into();
        let (encryption, authentication) = material.split_first_chunk().unwrap_or((&[0; 16], &[]));
        let mut keys = Self { encryption: *encryption, authentication: [0; 64] };
        if let Some(key) = keys.authentication.first_chunk_mut::<32>() {
            *key = Sha256::digest(authentication).into();
        }
        keys
    }

    fn apply(&self, iv: [u8; IV_LEN], data: &mut [u8]) {
        ctr::Ctr128BE::<Aes128>::new(&self.encryption.into(), &iv.into()).apply_keystream(data);
    }

    fn tag(&self, iv: [u8; IV_LEN], cipher: &[u8], shared_data: &[u8]) -> Hmac<Sha256> {
        <Hmac<Sha256> as Mac>::new(&self.authentication.into())
            .chain_update(iv)
            .chain_update(cipher)
            .chain_update(shared_data)
    }
}
