//! What is bounded, and by how much. Where Geth has a figure for the same thing, it is Geth's.

/// Largest transaction without blobs, in bytes (go-ethereum `txMaxSize`).
pub const MAX_PLAIN_BYTES: usize = 128 * 1024;
/// Largest transaction with its blobs, in bytes (go-ethereum `blobpool` `txMaxSize`).
pub const MAX_BLOB_BYTES: usize = 1024 * 1024;

/// Announced transactions that one peer may owe us (go-ethereum `maxTxAnnounces`); what it announces beyond
/// is not noted.
pub const MAX_OFFERS_PER_PEER: usize = 4096;
/// Announced transactions that are remembered of each peer, however many peers there are.
pub const MIN_OFFERS_PER_PEER: usize = 256;
/// Peers remembered as owners of one announced transaction.
pub const MAX_OFFERS_PER_HASH: usize = 16;
/// Announced transactions that are not here yet, over all peers: some 16 MiB.
pub const MAX_WANTED: usize = 65_536;
/// Transactions in one request (go-ethereum `maxTxRetrievals`).
pub const MAX_REQUEST_HASHES: usize = 256;
/// A request is closed once its transactions weigh this much by what was announced (go-ethereum
/// `maxTxRetrievalSize`): one blob transaction a request.
pub const MAX_REQUEST_BYTES: usize = 128 * 1024;
/// How far an announced size may be off (go-ethereum `fetcher`: forms of encoding differ by a few bytes).
pub const SIZE_TOLERANCE: usize = 8;

/// Hashes in one announcement to a peer (devp2p `caps/eth.md`).
pub const MAX_ANNOUNCED: usize = 4096;
/// Bytes of whole transactions in one message to a peer (go-ethereum `maxTxPacketSize`).
pub const MAX_PUSHED_BYTES: usize = 100 * 1024;
/// Larger transactions are announced only (go-ethereum `txMaxBroadcastSize`).
pub const MAX_PUSHED_TRANSACTION_BYTES: usize = 4096;
/// An answer is cut after the transaction that passes this (go-ethereum `softResponseLimit`).
pub const MAX_ANSWER_BYTES: usize = 2 * 1024 * 1024;
/// Hashes of a request that are looked up; the rest is ignored.
pub const MAX_LOOKUPS: usize = 4096;

/// Hashes remembered as done with: on the chain, refused, expired, pushed out. Twice as many at most.
pub const MAX_SETTLED: usize = 32_768;
/// Blocks after which a transaction that no block took is forgotten: an hour on Ethereum.
pub const EXPIRY_BLOCKS: u64 = 300;
/// Transactions verified in one go before others have their turn (go-ethereum `addTxsBatchSize`).
pub const VERIFY_BATCH: usize = 128;
/// Batches of signatures verified at once over all peers.
pub const MAX_SIGNATURE_JOBS: usize = 2;
/// Blob transactions verified at once over all peers.
pub const MAX_BLOB_JOBS: usize = 1;

/// Bounds that follow the machine; the rest is fixed above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions in the pool.
    pub count: usize,
    /// Bytes of transactions without blobs in the pool, bookkeeping included.
    pub plain_bytes: usize,
    /// Bytes of transactions with blobs in the pool.
    pub blob_bytes: usize,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self { count: 16_384, plain_bytes: 32 << 20, blob_bytes: 64 << 20 }
    }
}
