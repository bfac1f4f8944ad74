//! What is told of transactions that are not passed on.

use alloy_primitives::B256;
use hypasis_chain::rlp::RlpError;

/// A peer did what no sound peer does: the session ends with a Disconnect for a breach of protocol. What it
/// still owes is asked of others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An announcement whose parts differ in length.
    #[error("announcement of {hashes} hashes has {types} types and {sizes} sizes")]
    Uneven {
        /// Hashes in it.
        hashes: usize,
        /// Types in it.
        types: usize,
        /// Sizes in it.
        sizes: usize,
    },
    /// The transaction is of another type than the peer announced.
    #[error("transaction {hash} is of type {came}, announced as type {announced}")]
    Kind {
        /// Which transaction.
        hash: B256,
        /// What was announced.
        announced: u8,
        /// What came.
        came: u8,
    },
    /// The transaction is of another size than the peer announced.
    #[error("transaction {hash} has {came} bytes, announced as {announced}")]
    Size {
        /// Which transaction.
        hash: B256,
        /// What was announced.
        announced: usize,
        /// What came.
        came: usize,
    },
    /// One message holds the same transaction twice.
    #[error("transaction {hash} came twice in one message")]
    Twice {
        /// Which transaction.
        hash: B256,
    },
    /// Transactions with blobs are announced only, never sent unasked (EIP-4844).
    #[error("transaction {hash} with blobs was sent unasked")]
    PushedBlobs {
        /// Which transaction.
        hash: B256,
    },
    /// The transaction can be valid on no chain, or not on this one, whatever its state.
    #[error("transaction {hash}: {reason}")]
    Transaction {
        /// Which transaction; where its fields cannot be read, the hash of its bytes.
        hash: B256,
        /// What is wrong.
        reason: Rejection,
    },
}

/// Why a transaction is not taken. Its author is at fault, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Not a transaction.
    #[error("not a transaction: {0}")]
    Malformed(#[from] RlpError),
    /// No key has made the signature: `r`, `s` or `v` out of range, or `s` in the upper half (EIP-2).
    #[error("invalid signature")]
    Signature,
    /// Signed for another chain (EIP-155).
    #[error("signed for chain {signed}, this is chain {here}")]
    ChainId {
        /// The chain that it was signed for.
        signed: String,
        /// This chain.
        here: u64,
    },
    /// A blob transaction without the blobs, as it stands in a block.
    #[error("blob transaction without its blobs")]
    NoSidecar,
    /// Blobs, commitments, proofs and versioned hashes do not belong together.
    #[error("blobs do not fit: {0}")]
    Sidecar(&'static str),
    /// A form of proofs that the chain's rules at the head do not take (any more, or yet).
    #[error("blob proofs are not valid at the head: {0}")]
    ProofForm(&'static str),
    /// The proofs do not show that the commitments are those of the blobs.
    #[error("KZG proof does not hold")]
    Proof,
    /// The chain's rules at the head do not know the type (yet).
    #[error("transaction type {0} is not valid at the head")]
    Kind(u8),
    /// Larger than pools take.
    #[error("{bytes} bytes; at most {max} are taken")]
    Oversized {
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// More blobs than a transaction may have.
    #[error("{blobs} blobs; at most {max} are allowed")]
    TooManyBlobs {
        /// Its blobs.
        blobs: usize,
        /// The bound.
        max: usize,
    },
    /// Init code beyond EIP-3860's bound.
    #[error("init code of {bytes} bytes; at most {max} are allowed")]
    InitCode {
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The tip is larger than the fee's cap (EIP-1559).
    #[error("maxPriorityFeePerGas is above maxFeePerGas")]
    TipAboveCap,
    /// A price of zero for blob gas, which no block takes.
    #[error("maxFeePerBlobGas is zero")]
    NoBlobFee,
    /// The nonce has reached 2^64 - 1 (EIP-2681).
    #[error("nonce is at its end")]
    NonceMax,
    /// Less gas than the transaction uses before it does anything (EIP-2028, 2930, 3860, 7623, 7702).
    #[error("gas limit {gas} is below the {needed} that the transaction itself uses")]
    TooLittleGas {
        /// Its gas limit.
        gas: u64,
        /// What it uses.
        needed: u64,
    },
    /// More gas than a transaction (EIP-7825) or a block may use.
    #[error("gas limit {gas} is above {max}")]
    TooMuchGas {
        /// Its gas limit.
        gas: u64,
        /// The bound.
        max: u64,
    },
    /// A set-code transaction must have an authorization (EIP-7702).
    #[error("no authorization")]
    NoAuthorization,
    /// Blob and set-code transactions cannot create contracts.
    #[error("transaction type {0} needs a recipient")]
    NoRecipient(u8),
    /// It offers the proposer nothing; go-ethereum's pools want 1 wei at least (`txpool.pricelimit`).
    #[error("it pays no tip")]
    NoTip,
    /// Another transaction of the sender with the same nonce is here and does not pay that much less.
    #[error("pays too little for this nonce, which has a transaction: raise its fees by {percent} %")]
    Underpriced {
        /// By how much fees must be raised.
        percent: u64,
    },
    /// Other transactions have a better claim to the room. Later there may be room.
    #[error("the pool is full")]
    Full,
    /// The head of the chain is not known here yet, so that nothing can be judged. Later it will be.
    #[error("the head of the chain is not known yet")]
    NoHead,
}

// === impl Rejection ===

impl Rejection {
    /// Whether a sound peer can never have passed this on: what is wrong does not depend on where the head
    /// is.
    pub fn is_violation(&self) -> bool {
        matches!(
            self,
            Self::Malformed(_)
                | Self::Signature
                | Self::ChainId { .. }
                | Self::NoSidecar
                | Self::Sidecar(_)
                | Self::Proof
        )
    }

    /// Whether the verdict is on the hash, so that the same hash need not be fetched again. What the hash
    /// does not cover (the blobs) says nothing about what another peer has, and a head will come.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::NoSidecar | Self::Sidecar(_) | Self::ProofForm(_) | Self::Proof | Self::NoHead)
    }
}
