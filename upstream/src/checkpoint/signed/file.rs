//! The file of a signed checkpoint: JSON.

use alloy_primitives::{B256, U256};
use serde::{Deserialize, Serialize};

use super::{SIGNATURE_BYTES, SIGNATURES_MAX, Signature, SignedCheckpoint, SignedError, VERSION};

/// Largest file.
pub const FILE_BYTES_MAX: u64 = 64 << 10;

/// The file's fields. Hashes and signatures are `0x` and hex digits; the total difficulty is a decimal string, since
/// it may have more digits than a JSON number keeps.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    version: u64,
    chain_id: u64,
    number: u64,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_difficulty: Option<String>,
    timestamp: u64,
    signatures: Vec<String>,
}

// === impl SignedCheckpoint ===

impl SignedCheckpoint {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignedError> {
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(SignedError::TooLarge);
        }
        let malformed = |text: &str| SignedError::Malformed(text.to_owned());
        let fields: Fields =
            serde_json::from_slice(bytes).map_err(|error| SignedError::Malformed(error.to_string()))?;
        if fields.version != VERSION {
            return Err(SignedError::Version(fields.version));
        }
        if fields.signatures.len() > SIGNATURES_MAX {
            return Err(SignedError::Malformed(format!("it has more than {SIGNATURES_MAX} signatures")));
        }
        let hash = hex::<32>(&fields.hash).ok_or_else(|| malformed("`hash` is not 0x and 64 hex digits"))?;
        let total_difficulty = match fields.total_difficulty.as_deref() {
            None => None,
            Some(text) => {
                Some(decimal(text).ok_or_else(|| malformed("`total_difficulty` is no decimal string"))?)
            }
        };
        let signature = |text: &String| {
            hex::<SIGNATURE_BYTES>(text).ok_or_else(|| malformed("a signature is not 0x and 130 hex digits"))
        };
        Ok(Self {
            chain_id: fields.chain_id,
            number: fields.number,
            hash: B256::from(hash),
            total_difficulty,
            timestamp: fields.timestamp,
            signatures: fields.signatures.iter().map(signature).collect::<Result<_, _>>()?,
        })
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let signature = |signature: &Signature| const_hex::encode_prefixed(signature);
        let fields = Fields {
            version: VERSION,
            chain_id: self.chain_id,
            number: self.number,
            hash: const_hex::encode_prefixed(self.hash),
            total_difficulty: self.total_difficulty.map(|total| total.to_string()),
            timestamp: self.timestamp,
            signatures: self.signatures.iter().map(signature).collect(),
        };
        let text = serde_json::to_string_pretty(&fields).unwrap_or_default();
        format!("{text}\n")
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    const_hex::decode_to_array(text.strip_prefix("0x")?).ok()
}

fn decimal(text: &str) -> Option<U256> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    U256::from_str_radix(text, 10).ok().filter(|_| digits)
}
