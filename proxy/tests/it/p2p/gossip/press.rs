//! Signed transactions of every type, valid unless a test says otherwise.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, keccak256};
use bytes::Bytes;
use c_kzg::{BYTES_PER_BLOB, Blob, ethereum_kzg_settings};
use hypasis_chain::rlp::{write_list, write_string, write_uint};
use hypasis_chain::transaction::kind;
use secp256k1::{Message, Secp256k1, SecretKey};
use sha2::{Digest, Sha256};

/// The chain of these tests.
pub(super) const CHAIN_ID: u64 = 1337;

/// What a transaction says; made a signed one by [`Draft::sign`].
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) kind: u8,
    pub(super) chain_id: Option<u64>,
    pub(super) nonce: u64,
    pub(super) tip: u64,
    pub(super) cap: u64,
    pub(super) gas: u64,
    pub(super) to: Option<Address>,
    pub(super) input: Vec<u8>,
    /// Addresses, each with so many keys.
    pub(super) access: Vec<usize>,
    pub(super) blob_cap: u64,
    pub(super) blob_hashes: Vec<B256>,
    pub(super) authorizations: usize,
    /// Whether `s` is turned into the upper half.
    pub(super) high_s: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            kind: kind::DYNAMIC_FEE,
            chain_id: Some(CHAIN_ID),
            nonce: 0,
            tip: 1,
            cap: 1_000_000_000,
            gas: 100_000,
            to: Some(Address::repeat_byte(0xaa)),
            input: Vec::new(),
            access: Vec::new(),
            blob_cap: 1,
            blob_hashes: Vec::new(),
            authorizations: 0,
            high_s: false,
        }
    }
}

impl Draft {
    pub(super) fn of(kind: u8) -> Self {
        let authorizations = usize::from(kind == kind::SET_CODE);
        Self { kind, authorizations, ..Self::default() }
    }

    /// A transfer; the same numbers give the same transaction.
    pub(super) fn transfer(account: u64, nonce: u64) -> Bytes {
        Self { nonce, ..Self::default() }.sign(account)
    }

    /// As it stands in a block, signed by an account.
    pub(super) fn sign(&self, account: u64) -> Bytes {
        let mut fields = self.unsigned();
        let mut signed = fields.clone();
        let legacy = self.kind == kind::LEGACY;
        if let (true, Some(chain_id)) = (legacy, self.chain_id) {
            write_uint(&mut signed, chain_id);
            signed.extend([0x80, 0x80]);
        }
        let hash = keccak256(self.wrap(&signed));
        let (odd, r, s) = signature(account, hash, self.high_s);
        let v = match (legacy, self.chain_id) {
            (true, Some(chain_id)) => chain_id * 2 + 35 + u64::from(odd),
            (true, None) => 27 + u64::from(odd),
            (false, _) => u64::from(odd),
        };
        write_uint(&mut fields, v);
        write_string(&mut fields, trimmed(&r));
        write_string(&mut fields, trimmed(&s));
        self.wrap(&fields).into()
    }

    fn wrap(&self, fields: &[u8]) -> Vec<u8> {
        let mut out = if self.kind == kind::LEGACY { Vec::new() } else { vec![self.kind] };
        write_list(&mut out, fields);
        out
    }

    fn unsigned(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.kind != kind::LEGACY {
            write_uint(&mut out, self.chain_id.unwrap_or_default());
        }
        write_uint(&mut out, self.nonce);
        if self.kind >= kind::DYNAMIC_FEE {
            write_uint(&mut out, self.tip);
        }
        write_uint(&mut out, self.cap);
        write_uint(&mut out, self.gas);
        write_string(&mut out, self.to.as_ref().map_or(&[], |to| to.as_slice()));
        write_uint(&mut out, 1);
        write_string(&mut out, &self.input);
        if self.kind != kind::LEGACY {
            write_list(&mut out, &self.access_list());
        }
        if self.kind == kind::BLOB {
            write_uint(&mut out, self.blob_cap);
            let mut hashes = Vec::new();
            self.blob_hashes.iter().for_each(|hash| write_string(&mut hashes, hash.as_slice()));
            write_list(&mut out, &hashes);
        }
        if self.kind == kind::SET_CODE {
            let mut list = Vec::new();
            for _ in 0..self.authorizations {
                let mut tuple = Vec::new();
                write_uint(&mut tuple, CHAIN_ID);
                write_string(&mut tuple, &[0xbb; 20]);
                write_uint(&mut tuple, 0);
                write_uint(&mut tuple, 1);
                write_string(&mut tuple, &[0x11; 32]);
                write_string(&mut tuple, &[0x22; 32]);
                write_list(&mut list, &tuple);
            }
            write_list(&mut out, &list);
        }
        out
    }

    fn access_list(&self) -> Vec<u8> {
        let mut list = Vec::new();
        for &count in &self.access {
            let (mut entry, mut keys) = (Vec::new(), Vec::new());
            write_string(&mut entry, &[0xcc; 20]);
            (0..count).for_each(|_| write_string(&mut keys, &[0xdd; 32]));
            write_list(&mut entry, &keys);
            write_list(&mut list, &entry);
        }
        list
    }
}

/// Blobs with commitments and proofs.
#[derive(Clone, Debug)]
pub(super) struct Sidecar {
    pub(super) blobs: Vec<Vec<u8>>,
    pub(super) commitments: Vec<[u8; 48]>,
    pub(super) proofs: Vec<[u8; 48]>,
    /// Version 1: a proof for each cell.
    pub(super) cells: bool,
}

/// Two blobs with proofs of cells, and with a proof each; making them takes seconds.
pub(super) static CELLS: LazyLock<Sidecar> = LazyLock::new(|| Sidecar::make(&[1, 2], true));
pub(super) static PLAIN: LazyLock<Sidecar> = LazyLock::new(|| Sidecar::make(&[3, 4], false));

impl Sidecar {
    fn make(seeds: &[u8], cells: bool) -> Self {
        let setup = ethereum_kzg_settings(0);
        let mut made = Self { blobs: Vec::new(), commitments: Vec::new(), proofs: Vec::new(), cells };
        for seed in seeds {
            let mut bytes = vec![0; BYTES_PER_BLOB];
            bytes.chunks_mut(32).for_each(|word| word[31] = *seed);
            bytes[1] = *seed;
            let blob = Blob::from_bytes(&bytes).unwrap();
            let commitment = setup.blob_to_kzg_commitment(&blob).unwrap().to_bytes();
            if cells {
                let (_, proofs) = setup.compute_cells_and_kzg_proofs(&blob).unwrap();
                made.proofs.extend(proofs.iter().map(|proof| proof.to_bytes().into_inner()));
            } else {
                let proof = setup.compute_blob_kzg_proof(&blob, &commitment).unwrap();
                made.proofs.push(proof.to_bytes().into_inner());
            }
            made.commitments.push(commitment.into_inner());
            made.blobs.push(bytes);
        }
        made
    }

    /// A blob transaction that names these blobs, as it stands in a block.
    pub(super) fn bare(&self, account: u64, nonce: u64) -> Bytes {
        Draft { nonce, blob_hashes: self.versioned_hashes(), ..Draft::of(kind::BLOB) }.sign(account)
    }

    /// How a transaction names these blobs.
    pub(super) fn versioned_hashes(&self) -> Vec<B256> {
        self.commitments.iter().map(versioned_hash).collect()
    }

    /// The form of the network.
    pub(super) fn wrap(&self, bare: &[u8]) -> Bytes {
        let mut items = bare[1..].to_vec();
        if self.cells {
            write_uint(&mut items, 1);
        }
        let list = |parts: Vec<&[u8]>| {
            let mut list = Vec::new();
            parts.into_iter().for_each(|part| write_string(&mut list, part));
            list
        };
        write_list(&mut items, &list(self.blobs.iter().map(Vec::as_slice).collect()));
        write_list(&mut items, &list(self.commitments.iter().map(<[u8; 48]>::as_slice).collect()));
        write_list(&mut items, &list(self.proofs.iter().map(<[u8; 48]>::as_slice).collect()));
        let mut out = vec![kind::BLOB];
        write_list(&mut out, &items);
        out.into()
    }
}

pub(super) fn hash(transaction: &[u8]) -> B256 {
    keccak256(transaction)
}

fn versioned_hash(commitment: &[u8; 48]) -> B256 {
    let mut hash = B256::from_slice(&Sha256::digest(commitment));
    hash[0] = 1;
    hash
}

fn signature(account: u64, hash: B256, high_s: bool) -> (bool, [u8; 32], [u8; 32]) {
    static CURVE: LazyLock<Secp256k1<secp256k1::All>> = LazyLock::new(Secp256k1::new);
    let key = SecretKey::from_byte_array(keccak256(account.to_be_bytes()).0).unwrap();
    let (id, compact) = CURVE.sign_ecdsa_recoverable(Message::from_digest(hash.0), &key).serialize_compact();
    let (r, s) = compact.split_at(32);
    let (mut s, mut odd): ([u8; 32], bool) = (s.try_into().unwrap(), i32::from(id) & 1 == 1);
    if high_s {
        s = SecretKey::from_byte_array(s).unwrap().negate().secret_bytes();
        odd = !odd;
    }
    (odd, r.try_into().unwrap(), s)
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}
