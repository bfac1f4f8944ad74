//! Which methods are known and how each is treated.
//!
//! The wire name is case-sensitive, as for the node; the lists of refused methods fold case, so that no spelling
//! slips past them.

use std::sync::LazyLock;

use alloy_primitives::map::HashMap;

/// How a method is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Answered from the store when held.
    Local(Local),
    /// Reads the state of the block that the parameter at this position names.
    State(usize),
    /// Idempotent, answered by nodes alone.
    Read,
    /// Idempotent, but only the primary's answer counts.
    Primary,
    /// Changes something: sent once.
    Send,
    /// Makes a filter.
    NewFilter,
    /// Uses the filter whose id is the first parameter.
    Filter,
    /// Nobody told what it does: treated as if it changed something.
    Unknown,
}

/// Methods answered from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "names of methods")]
pub(crate) enum Local {
    ChainId,
    NetVersion,
    BlockNumber,
    BlockByNumber,
    BlockByHash,
    HeaderByNumber,
    HeaderByHash,
    TransactionCountByNumber,
    TransactionCountByHash,
    UncleCountByNumber,
    UncleCountByHash,
    UncleByNumber,
    UncleByHash,
    TransactionByHash,
    TransactionByBlockHash,
    TransactionByBlockNumber,
    RawTransactionByHash,
    RawTransactionByBlockHash,
    RawTransactionByBlockNumber,
    Receipt,
    BlockReceipts,
    Logs,
    RawHeader,
    RawBlock,
    RawReceipts,
    RawTransaction,
    ReceiptsByBlock,
    BorBlockReceipt,
    RootHash,
    BorRootHash,
    BorAuthor,
    BorSigners,
    BorSignersAtHash,
}

// === impl Local ===

impl Local {
    /// Whether only Bor offers it, and not each Bor: to lack it is no difference in forms.
    pub(crate) fn is_bors(self) -> bool {
        matches!(
            self,
            Self::ReceiptsByBlock
                | Self::BorBlockReceipt
                | Self::RootHash
                | Self::BorRootHash
                | Self::BorAuthor
                | Self::BorSigners
                | Self::BorSignersAtHash
        )
    }
}

/// A method: its name for metrics, its place in [`TABLE`] and its class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method {
    /// From the allow-list, or `other`.
    pub(crate) label: &'static str,
    /// Place in the table; its length for `other`.
    pub(crate) index: usize,
    /// How it is treated.
    pub(crate) class: Class,
}

/// Looks a method up by its wire name.
pub(crate) fn method(name: &str) -> Method {
    static INDEX: LazyLock<HashMap<&'static str, Method>> = LazyLock::new(|| {
        let entries = TABLE.iter().enumerate();
        entries.map(|(index, (label, class))| (*label, Method { label, index, class: *class })).collect()
    });
    INDEX.get(name).copied().unwrap_or(Method { label: "other", index: TABLE.len(), class: Class::Unknown })
}

/// Whether a listener that is not loopback refuses `name`, given what the operator allows (globs like `debug_*`).
pub(crate) fn refused(name: &str, allow: &[String]) -> bool {
    const DANGEROUS: [&str; 5] = ["admin_*", "personal_*", "miner_*", "engine_*", "debug_sethead"];
    let dangerous = name.len() < 256 && DANGEROUS.iter().any(|glob| matches(glob, name));
    dangerous && !allow.iter().any(|glob| matches(glob, name))
}

/// Whether `name` matches `glob` (a name, or a prefix and `*`), in any case.
fn matches(glob: &str, name: &str) -> bool {
    match glob.strip_suffix('*') {
        Some(prefix) => name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
        None => name.eq_ignore_ascii_case(glob),
    }
}

/// Every known method.
pub(crate) const TABLE: &[(&str, Class)] = &[
    ("eth_chainId", Class::Local(Local::ChainId)),
    ("net_version", Class::Local(Local::NetVersion)),
    ("eth_blockNumber", Class::Local(Local::BlockNumber)),
    ("eth_getBlockByNumber", Class::Local(Local::BlockByNumber)),
    ("eth_getBlockByHash", Class::Local(Local::BlockByHash)),
    ("eth_getHeaderByNumber", Class::Local(Local::HeaderByNumber)),
    ("eth_getHeaderByHash", Class::Local(Local::HeaderByHash)),
    ("eth_getBlockTransactionCountByNumber", Class::Local(Local::TransactionCountByNumber)),
    ("eth_getBlockTransactionCountByHash", Class::Local(Local::TransactionCountByHash)),
    ("eth_getUncleCountByBlockNumber", Class::Local(Local::UncleCountByNumber)),
    ("eth_getUncleCountByBlockHash", Class::Local(Local::UncleCountByHash)),
    ("eth_getUncleByBlockNumberAndIndex", Class::Local(Local::UncleByNumber)),
    ("eth_getUncleByBlockHashAndIndex", Class::Local(Local::UncleByHash)),
    ("eth_getTransactionByHash", Class::Local(Local::TransactionByHash)),
    ("eth_getTransactionByBlockHashAndIndex", Class::Local(Local::TransactionByBlockHash)),
    ("eth_getTransactionByBlockNumberAndIndex", Class::Local(Local::TransactionByBlockNumber)),
    ("eth_getRawTransactionByHash", Class::Local(Local::RawTransactionByHash)),
    ("eth_getRawTransactionByBlockHashAndIndex", Class::Local(Local::RawTransactionByBlockHash)),
    ("eth_getRawTransactionByBlockNumberAndIndex", Class::Local(Local::RawTransactionByBlockNumber)),
    ("eth_getTransactionReceipt", Class::Local(Local::Receipt)),
    ("eth_getBlockReceipts", Class::Local(Local::BlockReceipts)),
    ("eth_getLogs", Class::Local(Local::Logs)),
    ("debug_getRawHeader", Class::Local(Local::RawHeader)),
    ("debug_getRawBlock", Class::Local(Local::RawBlock)),
    ("debug_getRawReceipts", Class::Local(Local::RawReceipts)),
    ("debug_getRawTransaction", Class::Local(Local::RawTransaction)),
    ("eth_getTransactionReceiptsByBlock", Class::Local(Local::ReceiptsByBlock)),
    ("eth_getBorBlockReceipt", Class::Local(Local::BorBlockReceipt)),
    ("eth_getRootHash", Class::Local(Local::RootHash)),
    ("bor_getRootHash", Class::Local(Local::BorRootHash)),
    ("bor_getAuthor", Class::Local(Local::BorAuthor)),
    ("bor_getSigners", Class::Local(Local::BorSigners)),
    ("bor_getSignersAtHash", Class::Local(Local::BorSignersAtHash)),
    ("eth_call", Class::State(1)),
    ("eth_estimateGas", Class::State(1)),
    ("eth_createAccessList", Class::State(1)),
    ("eth_getBalance", Class::State(1)),
    ("eth_getCode", Class::State(1)),
    ("eth_getTransactionCount", Class::State(1)),
    ("eth_getStorageAt", Class::State(2)),
    ("eth_getStorageValues", Class::State(1)),
    ("eth_getProof", Class::State(2)),
    ("eth_simulateV1", Class::State(1)),
    ("debug_traceBlockByHash", Class::Read),
    ("debug_traceBlockByNumber", Class::Read),
    ("debug_traceCall", Class::Read),
    ("debug_traceTransaction", Class::Read),
    ("eth_accounts", Class::Read),
    ("eth_baseFee", Class::Read),
    ("eth_blobBaseFee", Class::Read),
    ("eth_capabilities", Class::Read),
    ("eth_config", Class::Read),
    ("eth_feeHistory", Class::Read),
    ("eth_gasPrice", Class::Read),
    ("eth_maxPriorityFeePerGas", Class::Read),
    ("eth_protocolVersion", Class::Read),
    ("eth_syncing", Class::Read),
    ("eth_getBorBlockLogs", Class::Read),
    ("eth_getTdByHash", Class::Read),
    ("eth_getTdByNumber", Class::Read),
    ("eth_getVoteOnHash", Class::Primary),
    ("bor_getCurrentProposer", Class::Read),
    ("bor_getCurrentValidators", Class::Read),
    ("bor_getSnapshot", Class::Read),
    ("bor_getSnapshotAtHash", Class::Read),
    ("bor_getSnapshotProposer", Class::Read),
    ("bor_getSnapshotProposerSequence", Class::Read),
    ("bor_getVoteOnHash", Class::Primary),
    ("bor_sendRawTransactionConditional", Class::Send),
    ("net_listening", Class::Read),
    ("net_peerCount", Class::Read),
    ("rpc_modules", Class::Read),
    ("trace_block", Class::Read),
    ("trace_filter", Class::Read),
    ("trace_transaction", Class::Read),
    ("web3_clientVersion", Class::Read),
    ("web3_sha3", Class::Read),
    ("txpool_content", Class::Primary),
    ("txpool_contentFrom", Class::Primary),
    ("txpool_inspect", Class::Primary),
    ("txpool_status", Class::Primary),
    ("eth_pendingTransactions", Class::Primary),
    ("eth_fillTransaction", Class::Primary),
    ("eth_sendRawTransaction", Class::Send),
    ("eth_sendRawTransactionConditional", Class::Send),
    ("eth_sendRawTransactionSync", Class::Send),
    ("eth_sendTransaction", Class::Send),
    ("eth_sign", Class::Send),
    ("eth_signTransaction", Class::Send),
    ("eth_newBlockFilter", Class::NewFilter),
    ("eth_newFilter", Class::NewFilter),
    ("eth_newPendingTransactionFilter", Class::NewFilter),
    ("eth_getFilterChanges", Class::Filter),
    ("eth_getFilterLogs", Class::Filter),
    ("eth_uninstallFilter", Class::Filter),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_method_has_one_place() {
        let names: BTreeSet<&str> = TABLE.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), TABLE.len(), "the later of two entries would count");
    }
}
