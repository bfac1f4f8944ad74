//! Published bytes: go-ethereum's eth/66 vectors (`eth/protocols/eth/protocol_test.go`), whose messages are
//! those of eth/68, and an independent encoder, the derive of `alloy-rlp`, for what came later.

use alloy_eip2124::{ForkHash, ForkId};
use alloy_primitives::{B256, Bloom, U256, hex};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use bytes::Bytes;
use hypasis_wire::eth::{
    BlockBodies, BlockHashOrNumber, BlockHeaders, BlockRangeUpdate, Dialect, EthMessage, EthVersion,
    GetBlockBodies, GetBlockHeaders, GetPooledTransactions, GetReceipts, GetReceipts70, HeadersDirection,
    NewPooledTransactionHashes68, PooledTransactions, Receipts, Receipts70, RequestPair, UnifiedStatus,
};

const ID: u64 = 1111;
const HASHES_MESSAGE: [u8; 73] = hex!(
    "f847820457f842a000000000000000000000000000000000000000000000000000000000deadc0dea000000000000000000000"
    "000000000000000000000000000000000000feedbeef"
);
const TRANSACTIONS: [&[u8]; 2] = [
    &hex!(
        "f867088504a817c8088302e2489435353535353535353535353535353535353535358202008025a064b1702d9298fee62d"
        "feccc57d322a463ad55ca201256d01f62b45b2e1c21c12a064b1702d9298fee62dfeccc57d322a463ad55ca201256d01f6"
        "2b45b2e1c21c10"
    ),
    &hex!(
        "f867098504a817c809830334509435353535353535353535353535353535353535358202d98025a052f8f61201b2b11a78"
        "d6e866abc9c3db2ae8631fa656bfe5cb53668255367afba052f8f61201b2b11a78d6e866abc9c3db2ae8631fa656bfe5cb"
        "53668255367afb"
    ),
];

#[test]
fn empty_messages_are_as_in_geth() {
    let want = hex!("c4820457c0");
    for message in [
        EthMessage::BlockHeaders(RequestPair::new(ID, BlockHeaders::default())),
        EthMessage::GetBlockBodies(RequestPair::new(ID, GetBlockBodies::default())),
        EthMessage::BlockBodies(RequestPair::new(ID, BlockBodies::default())),
        EthMessage::GetReceipts(RequestPair::new(ID, GetReceipts::default())),
        EthMessage::Receipts(RequestPair::new(ID, Receipts::default())),
        EthMessage::GetPooledTransactions(RequestPair::new(ID, GetPooledTransactions::default())),
        EthMessage::PooledTransactions(RequestPair::new(ID, PooledTransactions::default())),
    ] {
        same(&message, &want);
    }
}

#[test]
fn requests_for_headers_are_as_in_geth() {
    let query = |start_block| {
        EthMessage::GetBlockHeaders(RequestPair::new(
            ID,
            GetBlockHeaders { start_block, limit: 5, skip: 5, direction: HeadersDirection::Rising },
        ))
    };
    let by_hash = hex!("e8820457e4a000000000000000000000000000000000000000000000000000000000deadc0de050580");
    same(&query(BlockHashOrNumber::Hash(hashes()[0])), &by_hash);
    same(&query(BlockHashOrNumber::Number(9999)), &hex!("ca820457c682270f050580"));
}

#[test]
fn requests_by_hash_are_as_in_geth() {
    let bodies = GetBlockBodies(hashes());
    same(&EthMessage::GetBlockBodies(RequestPair::new(ID, bodies)), &HASHES_MESSAGE);
    let receipts = GetReceipts(hashes());
    same(&EthMessage::GetReceipts(RequestPair::new(ID, receipts)), &HASHES_MESSAGE);
    let transactions = GetPooledTransactions(hashes());
    same(&EthMessage::GetPooledTransactions(RequestPair::new(ID, transactions)), &HASHES_MESSAGE);
}

#[test]
fn headers_and_bodies_are_as_in_geth() {
    let headers = [hex!("f90202820457f901fc").as_slice(), &header()].concat();
    same(&EthMessage::BlockHeaders(RequestPair::new(ID, BlockHeaders(vec![header().into()]))), &headers);
    assert_eq!(BlockHeaders::encode_raw(ID, [header().as_slice()]), headers);

    let body = [hex!("f902d3f8d2").as_slice(), TRANSACTIONS[0], TRANSACTIONS[1], &hex!("f901fc"), &header()]
        .concat();
    let bodies = [hex!("f902dc820457f902d6").as_slice(), &body].concat();
    same(&EthMessage::BlockBodies(RequestPair::new(ID, BlockBodies(vec![body.clone().into()]))), &bodies);
    assert_eq!(BlockBodies::encode_raw(ID, [body.as_slice()]), bodies);
}

#[test]
fn transactions_are_as_in_geth() {
    let want = [hex!("f8d7820457f8d2").as_slice(), TRANSACTIONS[0], TRANSACTIONS[1]].concat();
    let transactions = TRANSACTIONS.map(Bytes::from_static).to_vec();
    same(&EthMessage::PooledTransactions(RequestPair::new(ID, PooledTransactions(transactions))), &want);
    assert_eq!(PooledTransactions::encode_raw(ID, TRANSACTIONS), want);
}

#[test]
fn receipts_are_as_in_geth() {
    let log = hex!(
        "f85ff85d940000000000000000000000000000000000000011f842a0000000000000000000000000000000000000000000"
        "000000000000000000deada0000000000000000000000000000000000000000000000000000000000000beef830100ff"
    );
    let list = [hex!("f90169f901668001b90100").as_slice(), Bloom::ZERO.as_slice(), &log].concat();
    let want = [hex!("f90172820457f9016c").as_slice(), &list].concat();
    same(&EthMessage::Receipts(RequestPair::new(ID, Receipts(vec![list.clone().into()]))), &want);
    assert_eq!(Receipts::encode_raw(ID, [list.as_slice()]), want);
}

#[test]
fn status_is_as_the_derived_encoder_writes_it() {
    #[derive(RlpEncodable, RlpDecodable)]
    struct Fork {
        hash: [u8; 4],
        next: u64,
    }
    #[derive(RlpEncodable)]
    struct Status68 {
        version: u8,
        network: u64,
        td: U256,
        head: B256,
        genesis: B256,
        fork: Fork,
    }
    #[derive(RlpEncodable)]
    struct Status69 {
        version: u8,
        network: u64,
        genesis: B256,
        fork: Fork,
        earliest: u64,
        latest: u64,
        latest_hash: B256,
    }
    #[derive(RlpEncodable)]
    struct Status69OfBor {
        version: u8,
        network: u64,
        td: U256,
        genesis: B256,
        fork: Fork,
        earliest: u64,
        latest: u64,
        latest_hash: B256,
    }
    let [head, genesis] = [hashes()[0], hashes()[1]];
    let (network, td) = (137, U256::from(1) << 90);
    let fork = || Fork { hash: hex!("22d523b2"), next: 0 };
    let status = UnifiedStatus::builder()
        .chain(network)
        .genesis(genesis)
        .forkid(ForkId { hash: ForkHash(hex!("22d523b2")), next: 0 })
        .total_difficulty(td)
        .blockhash(head)
        .range(7, 600);
    let message = |version, dialect| {
        EthMessage::Status(status.version(version).build().into_message(dialect)).encoded()
    };

    let want = alloy_rlp::encode(Status68 { version: 68, network, td, head, genesis, fork: fork() });
    assert_eq!(message(EthVersion::Eth68, Dialect::Ethereum), want);
    assert_eq!(message(EthVersion::Eth68, Dialect::Bor), want);
    for (version, number) in [(EthVersion::Eth69, 69), (EthVersion::Eth70, 70)] {
        let want = alloy_rlp::encode(Status69 {
            version: number,
            network,
            genesis,
            fork: fork(),
            earliest: 7,
            latest: 600,
            latest_hash: head,
        });
        assert_eq!(message(version, Dialect::Ethereum), want);
    }
    let want = alloy_rlp::encode(Status69OfBor {
        version: 69,
        network,
        td,
        genesis,
        fork: fork(),
        earliest: 7,
        latest: 600,
        latest_hash: head,
    });
    assert_eq!(message(EthVersion::Eth69, Dialect::Bor), want);
}

#[test]
fn newer_messages_are_as_the_derived_encoder_writes_them() {
    #[derive(RlpEncodable)]
    struct Range {
        earliest: u64,
        latest: u64,
        latest_hash: B256,
    }
    #[derive(RlpEncodable)]
    struct Announcement {
        types: Bytes,
        sizes: Vec<u32>,
        hashes: Vec<B256>,
    }
    #[derive(RlpEncodable)]
    struct Ask70 {
        id: u64,
        first: u64,
        hashes: Vec<B256>,
    }
    #[derive(RlpEncodable)]
    struct Answer70 {
        id: u64,
        incomplete: bool,
        receipts: Vec<Vec<SlimReceipt>>,
    }
    #[derive(RlpEncodable)]
    struct SlimReceipt {
        kind: u8,
        status: bool,
        gas: u64,
        logs: Vec<u64>,
    }

    let latest_hash = hashes()[0];
    let range = BlockRangeUpdate { earliest: 1, latest: 2, latest_hash };
    let want = alloy_rlp::encode(Range { earliest: 1, latest: 2, latest_hash });
    assert_eq!(EthMessage::BlockRangeUpdate(range).encoded(), want);

    let (types, sizes) = (vec![0, 3], vec![0, 131_072]);
    let want = alloy_rlp::encode(Announcement {
        types: types.clone().into(),
        sizes: sizes.clone(),
        hashes: hashes(),
    });
    let announcement = NewPooledTransactionHashes68 { types, sizes, hashes: hashes() };
    assert_eq!(EthMessage::NewPooledTransactionHashes68(announcement).encoded(), want);

    let ask = GetReceipts70 { first_block_receipt_index: 20, hashes: hashes() };
    let want = alloy_rlp::encode(Ask70 { id: ID, first: 20, hashes: hashes() });
    assert_eq!(EthMessage::GetReceipts70(RequestPair::new(ID, ask)).encoded(), want);

    let receipts = || vec![SlimReceipt { kind: 2, status: true, gas: 21_000, logs: vec![] }];
    let want = alloy_rlp::encode(Answer70 { id: ID, incomplete: true, receipts: vec![receipts()] });
    let answer =
        Receipts70 { last_block_incomplete: true, receipts: vec![alloy_rlp::encode(receipts()).into()] };
    assert_eq!(EthMessage::Receipts70(RequestPair::new(ID, answer)).encoded(), want);
}

/// The message is written as `want`, and `want` is read as the message, in a session of eth/68.
fn same(message: &EthMessage, want: &[u8]) {
    assert_eq!(hex::encode(message.encoded()), hex::encode(want));
    let id = u8::from(message.message_id());
    let read = EthMessage::decode(EthVersion::Eth68, Dialect::Ethereum, id, Bytes::copy_from_slice(want));
    assert_eq!(&read.unwrap(), message);
}

fn hashes() -> Vec<B256> {
    [0xdead_c0de_u32, 0xfeed_beef].map(|low| B256::left_padding_from(&low.to_be_bytes())).to_vec()
}

/// The header of the vectors: all zero but difficulty, number, gas, time and extra data.
fn header() -> Vec<u8> {
    [
        hex!("f901f9").as_slice(),
        &[&[0xa0][..], &[0; 32], &[0xa0], &[0; 32], &[0x94], &[0; 20]].concat(),
        &[&[0xa0][..], &[0; 32], &[0xa0], &[0; 32], &[0xa0], &[0; 32]].concat(),
        &[&hex!("b90100")[..], &[0; 256]].concat(),
        &hex!("8208ae820d0582115c8215b3821a0a827788"),
        &[&[0xa0][..], &[0; 32], &[0x88], &[0; 8]].concat(),
    ]
    .concat()
}
