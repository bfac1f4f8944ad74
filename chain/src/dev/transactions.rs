//! Signed transactions of types 0 to 4.

use alloy_primitives::{B256, keccak256};

use super::bytes::{list_len, write_string_prefix, write_trimmed};
use super::cast::CAST;
use super::draw::Draw;
use super::forks::DevFork;
use super::keys::Signature;
use super::plan::{Deed, Plan};
use crate::rlp::{write_list_prefix, write_string, write_uint};
use crate::transaction::kind;

/// The transactions of a block as they are written, one after the other.
#[derive(Debug, Default)]
pub(super) struct TransactionPress {
    /// The items of the body's transaction list.
    pub(super) items: Vec<u8>,
    /// Where in `items` each envelope starts.
    pub(super) starts: Vec<usize>,
    /// Where each envelope ends.
    pub(super) ends: Vec<usize>,
    payload: Vec<u8>,
    scratch: Vec<u8>,
}

/// What the transactions of one block have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The block's rules.
    pub(super) fork: DevFork,
    /// Chain id that is signed.
    pub(super) chain_id: u64,
    /// Base fee; 0 before London.
    pub(super) base_fee: u64,
    /// Price of blob gas; 0 before Cancun.
    pub(super) blob_base_fee: u64,
}

// === impl TransactionPress ===

impl TransactionPress {
    /// Begins a block.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.starts.clear();
        self.ends.clear();
    }

    /// Signs and adds a transaction.
    pub(super) fn add(&mut self, plan: &Plan, terms: &Terms) {
        self.payload.clear();
        let mut draw = plan.fields;
        // Replay protection is optional to this day.
        let protected = terms.fork >= DevFork::Byzantium && (plan.kind != kind::LEGACY || !draw.one_in(8));
        self.write_fields(plan, terms, draw.part(0));

        let signer = CAST.senders.at(plan.sender);
        let signature = signer.sign(self.signing_hash(plan.kind, terms.chain_id, protected));
        let odd = u64::from(signature.odd);
        let v = match plan.kind {
            kind::LEGACY if protected => terms.chain_id * 2 + 35 + odd,
            kind::LEGACY => 27 + odd,
            _ => odd,
        };
        write_signature(&mut self.payload, v, &signature);
        self.finish(plan.kind);
    }

    /// What the sender signs: the fields so far, behind the type, or before the chain id (EIP-155).
    fn signing_hash(&mut self, kind: u8, chain_id: u64, protected: bool) -> B256 {
        let unsigned = self.payload.len();
        if kind == kind::LEGACY && protected {
            write_uint(&mut self.payload, chain_id);
            self.payload.extend_from_slice(&[0x80, 0x80]);
        }
        self.scratch.clear();
        if kind != kind::LEGACY {
            self.scratch.push(kind);
        }
        write_list_prefix(&mut self.scratch, self.payload.len());
        self.scratch.extend_from_slice(&self.payload);
        self.payload.truncate(unsigned);
        keccak256(&self.scratch)
    }

    fn finish(&mut self, kind: u8) {
        if kind != kind::LEGACY {
            write_string_prefix(&mut self.items, 1 + list_len(self.payload.len()));
        }
        self.starts.push(self.items.len());
        if kind != kind::LEGACY {
            self.items.push(kind);
        }
        write_list_prefix(&mut self.items, self.payload.len());
        self.items.extend_from_slice(&self.payload);
        self.ends.push(self.items.len());
    }

    /// Writes the fields before the signature.
    fn write_fields(&mut self, plan: &Plan, terms: &Terms, mut draw: Draw) {
        let out = &mut self.payload;
        if plan.kind != kind::LEGACY {
            write_uint(out, terms.chain_id);
        }
        write_uint(out, plan.nonce);
        let tip = draw.within(1_000_000, 3_000_000_000);
        if plan.kind >= kind::DYNAMIC_FEE {
            // Now and then the fee's cap leaves less than the whole tip.
            let room = if draw.one_in(8) { tip / 2 } else { tip.saturating_add(terms.base_fee) };
            write_uint(out, tip.min(terms.base_fee.saturating_add(room)));
            write_uint(out, terms.base_fee.saturating_add(room));
        } else {
            write_uint(out, terms.base_fee.saturating_add(tip));
        }
        write_uint(out, plan.gas);
        match plan.deed {
            Deed::Create => write_string(out, &[]),
            Deed::Transfer => write_string(out, CAST.senders.at(draw.bits()).address.as_slice()),
            _ => write_string(out, CAST.contracts.at(draw.bits()).address.as_slice()),
        }
        let pays = matches!(plan.deed, Deed::Transfer | Deed::Wrap) || draw.one_in(4);
        write_uint(out, if pays { draw.bits() >> draw.below(32) } else { 0 });
        write_input(out, plan, &mut draw);
        if plan.kind != kind::LEGACY {
            write_access_list(out, plan.listed, &mut draw);
        }
        if plan.kind == kind::BLOB {
            write_uint(out, terms.blob_base_fee.saturating_mul(2).max(1));
            write_blob_hashes(out, plan.blobs, &mut draw);
        }
        if plan.kind == kind::SET_CODE {
            write_authorizations(out, plan, terms.chain_id, &mut draw);
        }
    }
}

/// A selector and words of small numbers, or the constructor of a contract of noise.
fn write_input(out: &mut Vec<u8>, plan: &Plan, draw: &mut Draw) {
    if plan.input == 0 {
        return write_string(out, &[]);
    }
    write_string_prefix(out, plan.input);
    let end = out.len() + plan.input;
    if plan.deed == Deed::Create {
        // PUSH1 len, PUSH1 12, PUSH1 0, CODECOPY, PUSH1 len, PUSH1 0, RETURN.
        let len = (plan.input - INIT.len()) as u8;
        out.extend(INIT.iter().enumerate().map(|(at, byte)| if at == 1 || at == 8 { len } else { *byte }));
        while out.len() < end {
            let bytes = draw.bits().to_be_bytes();
            out.extend_from_slice(bytes.get(..end - out.len()).unwrap_or(&bytes));
        }
    } else {
        let [a, b, c, d, ..] = draw.bits().to_be_bytes();
        out.extend_from_slice(&[a, b, c, d]);
        while out.len() < end {
            out.extend_from_slice(&[0; 24]);
            out.extend_from_slice(&draw.bits().to_be_bytes());
        }
    }
}

/// Init code that returns what lies behind it.
const INIT: [u8; 12] = [0x60, 0, 0x60, 0x0c, 0x60, 0, 0x39, 0x60, 0, 0x60, 0, 0xf3];

/// `[[address, [key…]]…]`; the first address has no keys, the next has one.
fn write_access_list(out: &mut Vec<u8>, listed: u64, draw: &mut Draw) {
    let keys = |place: u64| 33 * place as usize;
    let entry = |place: u64| 21 + list_len(keys(place));
    write_list_prefix(out, (0..listed).map(|place| list_len(entry(place))).sum());
    for place in 0..listed {
        write_list_prefix(out, entry(place));
        write_string(out, CAST.contracts.at(draw.bits()).address.as_slice());
        write_list_prefix(out, keys(place));
        for _ in 0..place {
            write_string(out, draw.word().as_slice());
        }
    }
}

/// Versioned hashes of KZG commitments that nobody made.
fn write_blob_hashes(out: &mut Vec<u8>, blobs: u64, draw: &mut Draw) {
    write_list_prefix(out, 33 * blobs as usize);
    for _ in 0..blobs {
        let mut hash = draw.word();
        if let Some(version) = hash.first_mut() {
            *version = 1;
        }
        write_string(out, hash.as_slice());
    }
}

/// `[[chainId, address, nonce, yParity, r, s]…]`, each signed by an account that exists for it alone, so that
/// its nonce is 0 (EIP-7702).
fn write_authorizations(out: &mut Vec<u8>, plan: &Plan, chain_id: u64, draw: &mut Draw) {
    let mut list = Vec::with_capacity(AUTHORIZATION_MAX * plan.authorizations as usize);
    for _ in 0..plan.authorizations {
        let mut tuple = Vec::with_capacity(AUTHORIZATION_MAX);
        // Chain id 0 is valid on every chain.
        write_uint(&mut tuple, if draw.one_in(8) { 0 } else { chain_id });
        write_string(&mut tuple, CAST.contracts.at(draw.bits()).address.as_slice());
        write_uint(&mut tuple, 0);
        let mut signed = Vec::with_capacity(AUTHORIZATION_MAX);
        signed.push(AUTHORIZATION_MAGIC);
        write_list_prefix(&mut signed, tuple.len());
        signed.extend_from_slice(&tuple);
        let signature = CAST.senders.at(draw.bits()).sign_as(draw.word(), keccak256(&signed));
        write_signature(&mut tuple, signature.odd.into(), &signature);
        write_list_prefix(&mut list, tuple.len());
        list.extend_from_slice(&tuple);
    }
    write_list_prefix(out, list.len());
    out.extend_from_slice(&list);
}

/// First byte of what an authority signs (EIP-7702).
const AUTHORIZATION_MAGIC: u8 = 0x05;
/// Chain id, address, nonce, parity, r, s and prefixes.
const AUTHORIZATION_MAX: usize = 2 + 9 + 21 + 1 + 1 + 33 + 33;

fn write_signature(out: &mut Vec<u8>, v: u64, signature: &Signature) {
    write_uint(out, v);
    write_trimmed(out, &signature.r);
    write_trimmed(out, &signature.s);
}
