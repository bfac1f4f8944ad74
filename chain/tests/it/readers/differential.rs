//! The readers beside `alloy-rlp` and `alloy-consensus`, on real blocks, on mutations of them and on noise.

use alloy_consensus::{Header as AlloyHeader, ReceiptEnvelope, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_rlp::{Decodable, Header as RlpHeader};
use hypasis_chain::receipt::slim_from_consensus;
use hypasis_chain::rlp::Item;
use hypasis_chain::{Body, Header, Receipt, Receipts, Transaction};
use proptest::prelude::*;

use super::MAINNET;
use crate::support::{Vector, vectors};

/// Walks all items, as deep as they go.
fn ours(bytes: &[u8]) -> bool {
    fn walk(item: Item<'_>) -> bool {
        !item.is_list() || item.items().unwrap().all(|item| item.is_ok_and(walk))
    }
    Item::parse(bytes).is_ok_and(walk)
}

/// The same by `alloy-rlp`.
fn theirs(bytes: &[u8]) -> bool {
    fn walk(input: &mut &[u8]) -> bool {
        let Ok(header) = RlpHeader::decode(input) else { return false };
        let Some((mut payload, rest)) = input.split_at_checked(header.payload_length) else { return false };
        *input = rest;
        if header.list {
            while !payload.is_empty() {
                if !walk(&mut payload) {
                    return false;
                }
            }
        }
        true
    }
    let mut input = bytes;
    walk(&mut input) && input.is_empty()
}

/// Everything that reads, so that nothing panics.
fn touch(bytes: &[u8]) {
    if let Ok(header) = Header::parse(bytes) {
        let _ = (header.hash(), header.base_fee(), header.excess_blob_gas(), header.bloom_may_contain(b"x"));
        assert!(header.field_count() >= 15);
    }
    if let Ok(body) = Body::parse(bytes) {
        let _ = body.transactions().filter(|tx| tx.as_ref().is_ok_and(|tx| tx.fields().is_ok())).count();
        let _ = (body.uncles_hash(), hypasis_chain::roots::transactions_root(&body));
        let _ = hypasis_chain::roots::withdrawals_root(&body);
        let _ = hypasis_chain::sender::recover_all(&body);
    }
    if let Ok(receipts) = Receipts::parse(bytes) {
        let _ = hypasis_chain::roots::receipts_root(&receipts);
    }
    let _ = Receipt::parse(bytes).map(|receipt| receipt.logs().count());
    let _ = slim_from_consensus(bytes, &mut Vec::new());
    let _ = hypasis_chain::body::split_block(bytes);
    let _ = Transaction::parse(bytes).map(|tx| hypasis_chain::sender::recover(&tx));
}

/// Bytes with a few places changed, cut or doubled.
fn mutate(mut bytes: Vec<u8>, changes: &[(usize, u8, u8)]) -> Vec<u8> {
    for (place, value, how) in changes {
        if bytes.is_empty() {
            break;
        }
        let place = place % bytes.len();
        match how % 5 {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, *value),
            2 => drop(bytes.remove(place)),
            // Near the front lie the prefixes, where a change matters most.
            3 => *bytes.get_mut(place % 8).unwrap_or(&mut 0) = *value,
            _ => bytes[place] = *value,
        }
    }
    bytes
}

fn small_blocks() -> Vec<Vector> {
    let small = |block: &Vector| block.body.as_ref().is_some_and(|body| (100..20_000).contains(&body.len()));
    vectors(MAINNET).into_iter().filter(small).collect()
}

/// Envelopes of each known type.
fn transactions() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for block in vectors(MAINNET) {
        let Some(body) = &block.body else { continue };
        for transaction in Body::parse(body).unwrap().transactions() {
            let transaction = transaction.unwrap();
            let known = |kind| found.iter().filter(|tx| tx[0].min(0x7f) == kind).count();
            if known(transaction.envelope()[0].min(0x7f)) < 6 {
                found.push(transaction.envelope().to_vec());
            }
        }
    }
    found
}

fn consensus_receipts() -> Vec<Vec<u8>> {
    let blocks = vectors(MAINNET).into_iter().filter_map(|block| block.receipts);
    blocks.filter_map(|receipts| receipts.into_iter().min_by_key(Vec::len)).collect()
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 0..4)
}

#[test]
fn real_parts_read_like_alloy_reads_them() {
    for block in vectors(MAINNET) {
        let theirs = AlloyHeader::decode(&mut block.header.as_ref()).unwrap();
        let header = Header::parse(&block.header).unwrap();
        assert_eq!(header.parent_hash(), theirs.parent_hash);
        assert_eq!(header.beneficiary(), theirs.beneficiary);
        assert_eq!(header.difficulty(), theirs.difficulty);
        assert_eq!((header.gas_limit(), header.gas_used()), (theirs.gas_limit, theirs.gas_used));
        assert_eq!((header.number(), header.timestamp()), (theirs.number, theirs.timestamp));
        assert_eq!(header.extra_data(), theirs.extra_data.as_ref());
        assert_eq!(header.base_fee(), theirs.base_fee_per_gas.map(alloy_primitives::U256::from));
        assert_eq!(header.withdrawals_root(), theirs.withdrawals_root);
        assert_eq!(header.blob_gas_used(), theirs.blob_gas_used);
        assert_eq!(header.excess_blob_gas(), theirs.excess_blob_gas);
        let Some(body) = &block.body else { continue };
        for transaction in Body::parse(body).unwrap().transactions() {
            let transaction = transaction.unwrap();
            let theirs = TxEnvelope::decode_2718_exact(transaction.envelope()).unwrap();
            assert_eq!(transaction.hash(), *theirs.tx_hash());
            let fields = transaction.fields().unwrap().unwrap();
            assert_eq!(fields.nonce, alloy_consensus::Transaction::nonce(&theirs));
            assert_eq!(fields.gas, alloy_consensus::Transaction::gas_limit(&theirs));
            assert_eq!(fields.input, alloy_consensus::Transaction::input(&theirs).as_ref());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_never_panics_and_is_judged_like_alloy_judges_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        touch(&bytes);
        prop_assert_eq!(ours(&bytes), theirs(&bytes));
    }

    #[test]
    fn noise_in_a_list_is_judged_like_alloy_judges_it(
        items in prop::collection::vec(prop::collection::vec(prop::sample::select(
            &[0_u8, 1, 0x7f, 0x80, 0x81, 0xb7, 0xb8, 0xb9, 0xbf, 0xc0, 0xc1, 0xf7, 0xf8, 0xf9, 0xff, 56][..]
        ), 0..12), 0..8),
    ) {
        let mut list = Vec::new();
        hypasis_chain::rlp::write_list(&mut list, &items.concat());
        touch(&list);
        prop_assert_eq!(ours(&list), theirs(&list));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_headers_that_alloy_takes_are_taken(which in any::<prop::sample::Index>(), changes in changes()) {
        thread_local!(static HEADERS: Vec<Vec<u8>> = vectors(MAINNET).iter().map(|b| b.header.to_vec()).collect());
        let header = HEADERS.with(|headers| headers[which.index(headers.len())].clone());
        let bytes = mutate(header, &changes);
        touch(&bytes);
        prop_assert_eq!(ours(&bytes), theirs(&bytes));
        let mut input = bytes.as_slice();
        if let Ok(header) = AlloyHeader::decode(&mut input) && input.is_empty() {
            let again = alloy_rlp::encode(&header);
            if again == bytes {
                let ours = Header::parse(&bytes).unwrap();
                prop_assert_eq!(ours.hash(), header.hash_slow());
            }
        }
    }

    #[test]
    fn mutated_transactions_are_judged_like_alloy_judges_them(
        which in any::<prop::sample::Index>(), changes in changes(),
    ) {
        thread_local!(static TRANSACTIONS: Vec<Vec<u8>> = transactions());
        let transaction = TRANSACTIONS.with(|all| all[which.index(all.len())].clone());
        let bytes = mutate(transaction, &changes);
        touch(&bytes);
        let theirs = TxEnvelope::decode_2718_exact(&bytes);
        let ours = Transaction::parse(&bytes).map(|tx| (tx.hash(), tx.fields()));
        // What alloy takes and writes again unchanged is canonical: it must be taken here, with all its fields.
        if let Ok(theirs) = theirs && theirs.encoded_2718() == bytes {
            let (hash, fields) = ours.unwrap();
            prop_assert_eq!(hash, *theirs.tx_hash());
            prop_assert!(fields.unwrap().is_some());
        }
    }

    #[test]
    fn mutated_bodies_never_panic(which in any::<prop::sample::Index>(), changes in changes()) {
        thread_local!(static BODIES: Vec<Vec<u8>> =
            small_blocks().into_iter().map(|block| block.body.unwrap().to_vec()).collect());
        let body = BODIES.with(|all| all[which.index(all.len())].clone());
        let bytes = mutate(body, &changes);
        touch(&bytes);
        prop_assert_eq!(ours(&bytes), theirs(&bytes));
    }

    #[test]
    fn mutated_receipts_are_judged_like_alloy_judges_them(
        which in any::<prop::sample::Index>(), changes in changes(),
    ) {
        thread_local!(static RECEIPTS: Vec<Vec<u8>> = consensus_receipts());
        let receipt = RECEIPTS.with(|all| all[which.index(all.len())].clone());
        let bytes = mutate(receipt, &changes);
        touch(&bytes);
        let mut slim = Vec::new();
        let ours = slim_from_consensus(&bytes, &mut slim);
        if let Ok(bloom) = ours {
            let receipt = Receipt::parse(&slim).unwrap();
            let mut again = Vec::new();
            receipt.write_consensus(&bloom, &mut again);
            prop_assert_eq!(&again, &bytes, "slim and back");
        }
        let mut input = bytes.as_slice();
        if let Ok(theirs) = ReceiptEnvelope::<alloy_primitives::Log>::decode_2718(&mut input) && input.is_empty() {
            let again = theirs.encoded_2718();
            if again == bytes {
                prop_assert!(ours.is_ok());
            }
        }
    }
}
