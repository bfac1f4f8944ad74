//! Any message that a session can carry.

use alloy_eip2124::{ForkHash, ForkId};
use alloy_primitives::{B256, U256};
use alloy_rlp::Header;
use bytes::{Bytes, BytesMut};
use hypasis_wire::eth::{
    BlockBodies, BlockHashNumber, BlockHashOrNumber, BlockHeaders, BlockRangeUpdate, Dialect, EthMessage,
    EthVersion, GetBlockBodies, GetBlockHeaders, GetPooledTransactions, GetReceipts, GetReceipts70,
    HeadersDirection, NewBlock, NewBlockHashes, NewPooledTransactionHashes68, PooledTransactions, Receipts,
    Receipts69, Receipts70, RequestPair, Transactions, UnifiedStatus,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A session's version and dialect, and a message that it can carry.
pub(crate) fn in_session() -> impl Strategy<Value = (EthVersion, Dialect, EthMessage)> {
    (prop::sample::select(EthVersion::ALL), prop::sample::select(&[Dialect::Ethereum, Dialect::Bor][..]))
        .prop_flat_map(|(version, dialect)| {
            message(version, dialect).prop_map(move |message| (version, dialect, message))
        })
}

fn message(version: EthVersion, dialect: Dialect) -> BoxedStrategy<EthMessage> {
    let mut all = vec![
        status(version, dialect).boxed(),
        vec(transaction(), 0..5).prop_map(|list| EthMessage::Transactions(Transactions(list))).boxed(),
        announcement().boxed(),
        asked(get_headers()).prop_map(EthMessage::GetBlockHeaders).boxed(),
        asked(vec(rlp_list(), 0..5).prop_map(BlockHeaders)).prop_map(EthMessage::BlockHeaders).boxed(),
        asked(hashes().prop_map(GetBlockBodies)).prop_map(EthMessage::GetBlockBodies).boxed(),
        asked(vec(body(), 0..5).prop_map(BlockBodies)).prop_map(EthMessage::BlockBodies).boxed(),
        asked(hashes().prop_map(GetPooledTransactions)).prop_map(EthMessage::GetPooledTransactions).boxed(),
        asked(vec(transaction(), 0..5).prop_map(PooledTransactions))
            .prop_map(EthMessage::PooledTransactions)
            .boxed(),
    ];
    if dialect.announces_blocks(version) {
        all.push(new_block_hashes().boxed());
        all.push(new_block().boxed());
    }
    if version >= EthVersion::Eth69 {
        all.push(block_range().prop_map(EthMessage::BlockRangeUpdate).boxed());
    }
    all.extend(receipts(version));
    prop::strategy::Union::new(all).boxed()
}

fn receipts(version: EthVersion) -> [BoxedStrategy<EthMessage>; 2] {
    let by_hash = asked(hashes().prop_map(GetReceipts)).prop_map(EthMessage::GetReceipts).boxed();
    let slim = || vec(list_of(rlp_list()), 0..4);
    match version {
        EthVersion::Eth68 => [
            by_hash,
            asked(vec(list_of(network_receipt()), 0..4).prop_map(Receipts))
                .prop_map(EthMessage::Receipts)
                .boxed(),
        ],
        EthVersion::Eth69 => {
            [by_hash, asked(slim().prop_map(Receipts69)).prop_map(EthMessage::Receipts69).boxed()]
        }
        EthVersion::Eth70 => [
            asked((any::<u64>(), hashes()).prop_map(|(first_block_receipt_index, hashes)| GetReceipts70 {
                first_block_receipt_index,
                hashes,
            }))
            .prop_map(EthMessage::GetReceipts70)
            .boxed(),
            asked((any::<bool>(), slim()).prop_map(|(last_block_incomplete, receipts)| Receipts70 {
                last_block_incomplete,
                receipts,
            }))
            .prop_map(EthMessage::Receipts70)
            .boxed(),
        ],
    }
}

pub(crate) fn unified_status(version: EthVersion) -> impl Strategy<Value = UnifiedStatus> {
    let range = (any::<u64>(), any::<u64>());
    (any::<u64>(), hash(), any::<[u8; 4]>(), any::<u64>(), any::<u64>(), hash(), range).prop_map(
        move |(chain, genesis, fork, next, td, blockhash, (one, other))| {
            UnifiedStatus::builder()
                .version(version)
                .chain(chain)
                .genesis(genesis)
                .forkid(ForkId { hash: ForkHash(fork), next })
                .total_difficulty(U256::from(td) << 36)
                .blockhash(blockhash)
                .range(one.min(other), one.max(other))
                .build()
        },
    )
}

fn status(version: EthVersion, dialect: Dialect) -> impl Strategy<Value = EthMessage> {
    unified_status(version).prop_map(move |status| EthMessage::Status(status.into_message(dialect)))
}

fn block_range() -> impl Strategy<Value = BlockRangeUpdate> {
    (any::<u64>(), any::<u64>(), hash()).prop_map(|(earliest, latest, latest_hash)| BlockRangeUpdate {
        earliest,
        latest,
        latest_hash,
    })
}

fn announcement() -> impl Strategy<Value = EthMessage> {
    vec((any::<u8>(), any::<u32>(), hash()), 0..8).prop_map(|all| {
        EthMessage::NewPooledTransactionHashes68(NewPooledTransactionHashes68 {
            types: all.iter().map(|one| one.0).collect(),
            sizes: all.iter().map(|one| one.1).collect(),
            hashes: all.iter().map(|one| one.2).collect(),
        })
    })
}

fn new_block_hashes() -> impl Strategy<Value = EthMessage> {
    vec((hash(), any::<u64>()).prop_map(|(hash, number)| BlockHashNumber { hash, number }), 0..5)
        .prop_map(|blocks| EthMessage::NewBlockHashes(NewBlockHashes(blocks)))
}

fn new_block() -> impl Strategy<Value = EthMessage> {
    (vec(rlp_list(), 3..=4), any::<u64>())
        .prop_map(|(parts, td)| EthMessage::NewBlock(NewBlock { block: list(&parts), td: U256::from(td) }))
}

fn get_headers() -> impl Strategy<Value = GetBlockHeaders> {
    let start = prop_oneof![
        hash().prop_map(BlockHashOrNumber::Hash),
        any::<u64>().prop_map(BlockHashOrNumber::Number)
    ];
    (start, any::<u64>(), any::<u64>(), any::<bool>()).prop_map(|(start_block, limit, skip, falling)| {
        let direction = if falling { HeadersDirection::Falling } else { HeadersDirection::Rising };
        GetBlockHeaders { start_block, limit, skip, direction }
    })
}

fn asked<T: std::fmt::Debug>(message: impl Strategy<Value = T>) -> impl Strategy<Value = RequestPair<T>> {
    (any::<u64>(), message).prop_map(|(request_id, message)| RequestPair { request_id, message })
}

fn body() -> impl Strategy<Value = Bytes> {
    vec(rlp_list(), 2..=3).prop_map(|parts| list(&parts))
}

/// A transaction in its consensus encoding: a list, or a type and what follows.
pub(crate) fn transaction() -> impl Strategy<Value = Bytes> {
    let typed = (0u8..0x80, vec(any::<u8>(), 0..80)).prop_map(|(kind, rest)| {
        let mut bytes = vec![kind];
        bytes.extend(rest);
        bytes.into()
    });
    prop_oneof![rlp_list(), typed]
}

/// A receipt as eth/68 has it in its list.
fn network_receipt() -> impl Strategy<Value = Bytes> {
    transaction().prop_map(|receipt| match receipt[0] {
        0xc0.. => receipt,
        _ => alloy_rlp::encode(&receipt[..]).into(),
    })
}

fn list_of(item: impl Strategy<Value = Bytes>) -> impl Strategy<Value = Bytes> {
    vec(item, 0..5).prop_map(|items| list(&items))
}

/// A list of strings: it stands for a header, a slim receipt, and so on.
pub(crate) fn rlp_list() -> impl Strategy<Value = Bytes> {
    vec(vec(any::<u8>(), 0..70), 0..4).prop_map(|strings| {
        let items: Vec<Bytes> = strings.iter().map(|string| alloy_rlp::encode(&string[..]).into()).collect();
        list(&items)
    })
}

pub(crate) fn list(items: &[Bytes]) -> Bytes {
    let mut out = BytesMut::new();
    Header { list: true, payload_length: items.iter().map(Bytes::len).sum() }.encode(&mut out);
    items.iter().for_each(|item| out.extend_from_slice(item));
    out.freeze()
}

fn hashes() -> impl Strategy<Value = Vec<B256>> {
    vec(hash(), 0..6)
}

fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}
