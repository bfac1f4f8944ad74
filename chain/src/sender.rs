//! Who signed a transaction.
//!
//! The signature is over the hash of the unsigned fields: bare for legacy transactions, with the chain id behind
//! them since EIP-155, and with the type byte in front for the types of EIP-2718. A high `s` is recovered like a
//! low one: EIP-2 forbids it only from Homestead on, and what the chain has accepted is not judged again here.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, Keccak256, U256, keccak256};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1, VerifyOnly};

use crate::body::Body;
use crate::bor::state_sync::TRANSACTION_TYPE;
use crate::rlp::{write_list_prefix, write_uint, write_uint256};
use crate::transaction::{Fields, Transaction, kind};

/// Recovers the sender; `None` for unknown types and for signatures that do not recover (29 µs each). Bor's state
/// syncs (0x7f) are signed by nobody, and their sender is shown as zero.
pub fn recover(transaction: &Transaction<'_>) -> Option<Address> {
    if transaction.kind() == TRANSACTION_TYPE {
        return Some(Address::ZERO);
    }
    let fields = transaction.fields().ok()??;
    let scheme = Scheme::of(transaction.kind(), &fields)?;
    signer(&scheme.hash(&fields), fields.r, fields.s, scheme.odd)
}

/// The senders of all transactions of `body` in order. `None` if one of them cannot be told (an unknown type, a
/// bad signature): senders are stored for whole blocks only, and such a block simply has none.
pub fn recover_all(body: &Body<'_>) -> Option<Vec<Address>> {
    body.transactions().map(|transaction| recover(&transaction.ok()?)).collect()
}

/// The sender of each transaction, `None` where it cannot be told. Pure computation: a caller splits a busy
/// block's transactions over its worker threads.
pub fn recover_many(transactions: &[Transaction<'_>]) -> Vec<Option<Address>> {
    transactions.iter().map(recover).collect()
}

/// The address whose key made a signature over `hash`; `None` where `r` or `s` are out of range or no point of
/// the curve fits. `r` and `s` are big-endian and may be shorter than 32 bytes; `odd` is the parity of `y`.
pub fn signer(hash: &B256, r: &[u8], s: &[u8], odd: bool) -> Option<Address> {
    static CURVE: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);
    let mut compact = [0; 64];
    let (r_out, s_out) = compact.split_at_mut(32);
    copy_right(r, r_out)?;
    copy_right(s, s_out)?;
    let parity = if odd { RecoveryId::One } else { RecoveryId::Zero };
    let signature = RecoverableSignature::from_compact(&compact, parity).ok()?;
    let key = CURVE.recover_ecdsa(Message::from_digest(hash.0), &signature).ok()?;
    let point = key.serialize_uncompressed();
    let hash = keccak256(point.get(1..)?);
    hash.get(12..).and_then(|tail| Address::try_from(tail).ok())
}

/// The hash that the sender of a transaction has signed; `None` for unknown types and impossible `v`.
pub fn signing_hash(transaction: &Transaction<'_>) -> Option<B256> {
    let fields = transaction.fields().ok()??;
    Some(Scheme::of(transaction.kind(), &fields)?.hash(&fields))
}

/// The chain id that a transaction is bound to; `None` for unbound legacy transactions and unknown types.
pub fn chain_id(transaction: &Transaction<'_>) -> Option<U256> {
    let fields = transaction.fields().ok()??;
    match fields.chain_id {
        Some(bytes) => Some(U256::from_be_slice(bytes)),
        None => Scheme::of(transaction.kind(), &fields)?.bound_to,
    }
}

/// How the signed hash is made, as `v` tells it.
struct Scheme {
    /// The EIP-2718 type byte in front of the list.
    kind: u8,
    /// EIP-155: the chain id that follows the fields of a legacy transaction.
    bound_to: Option<U256>,
    /// Parity of the `y` of the signature's point.
    odd: bool,
}

// === impl Scheme ===

impl Scheme {
    fn of(kind: u8, fields: &Fields<'_>) -> Option<Self> {
        let v = U256::try_from_be_slice(fields.v)?;
        if kind != kind::LEGACY {
            return (v <= U256::ONE).then(|| Self { kind, bound_to: None, odd: v == U256::ONE });
        }
        if v == U256::from(27) || v == U256::from(28) {
            return Some(Self { kind, bound_to: None, odd: v == U256::from(28) });
        }
        let above = v.checked_sub(U256::from(35))?;
        Some(Self { kind, bound_to: Some(above >> 1), odd: above.bit(0) })
    }

    fn hash(&self, fields: &Fields<'_>) -> B256 {
        let mut tail = Vec::with_capacity(40);
        if let Some(chain_id) = self.bound_to {
            write_uint256(&mut tail, chain_id);
            write_uint(&mut tail, 0);
            write_uint(&mut tail, 0);
        }
        let mut head = Vec::with_capacity(10);
        if self.kind != kind::LEGACY {
            head.push(self.kind);
        }
        write_list_prefix(&mut head, fields.unsigned.len().saturating_add(tail.len()));
        let mut hasher = Keccak256::new();
        hasher.update(&head);
        hasher.update(fields.unsigned);
        hasher.update(&tail);
        hasher.finalize()
    }
}

fn copy_right(bytes: &[u8], out: &mut [u8]) -> Option<()> {
    let start = out.len().checked_sub(bytes.len())?;
    out.get_mut(start..)?.copy_from_slice(bytes);
    Some(())
}
