//! What is in the blocks: signatures, counters, types, logs, withdrawals, uncles.

use std::collections::{BTreeSet, HashMap, HashSet};

use alloy_primitives::{Address, U256, b256, keccak256};
use hypasis_chain::dev::{DEV_CHAIN_ID, DevChain};
use hypasis_chain::receipt::Outcome;
use hypasis_chain::rlp::{Item, write_list};
use hypasis_chain::transaction::kind;
use hypasis_chain::{Block, Body, Header, Receipts, sender};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1};

use super::{chain, staged};

/// Half of the order of secp256k1.
const HALF_ORDER: U256 =
    U256::from_be_slice(b256!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0").as_slice());

#[test]
fn senders_recover_and_count_without_gaps() {
    for chain in [chain(30), staged(30, 20)] {
        let mut nonces: HashMap<Address, u64> = HashMap::new();
        for block in chain.blocks(0..200) {
            for transaction in Body::parse(&block.body).unwrap().transactions() {
                let transaction = transaction.unwrap();
                let fields = transaction.fields().unwrap().unwrap();
                let next = nonces.entry(sender::recover(&transaction).unwrap()).or_default();
                assert_eq!(fields.nonce, *next);
                *next += 1;
                assert!(U256::from_be_slice(fields.s) <= HALF_ORDER);
                assert!(fields.chain_id.is_none_or(|id| U256::from_be_slice(id) == U256::from(DEV_CHAIN_ID)));
            }
        }
        assert_eq!(nonces.len(), 128, "every account has sent");
        assert!(nonces.values().all(|count| *count > 20));
    }
}

#[test]
fn each_fork_has_the_transaction_types_it_allows() {
    let chain = staged(60, 30);
    for (stage, expected) in
        [(0, 0..1), (1, 0..1), (2, 0..2), (3, 0..3), (5, 0..3), (6, 0..4), (7, 0..5), (8, 0..5)]
    {
        let kinds: BTreeSet<u8> = kinds(&chain.blocks(stage * 30..stage * 30 + 30));
        assert_eq!(kinds, expected.collect(), "stage {stage}");
    }
}

fn kinds(blocks: &[Block]) -> BTreeSet<u8> {
    let kinds = |block: &Block| -> Vec<u8> {
        Body::parse(&block.body)
            .unwrap()
            .transactions()
            .map(|transaction| transaction.unwrap().kind())
            .collect()
    };
    blocks.iter().flat_map(kinds).collect()
}

#[test]
fn blocks_of_at_most_one_transaction_have_all_types_too() {
    let blocks = chain(1).blocks(0..600);
    let counts: BTreeSet<usize> = blocks.iter().map(count).collect();
    assert_eq!(counts, BTreeSet::from([0, 1]));
    assert_eq!(kinds(&blocks), (0..5).collect());
}

#[test]
fn counts_vary_around_their_mean() {
    for (mean, blocks) in [(20_u32, 2_000_u64), (100, 500), (400, 150)] {
        let counts: Vec<usize> = chain(mean).blocks(1..blocks + 1).iter().map(count).collect();
        let sum: usize = counts.iter().sum();
        let found = sum as f64 / blocks as f64;
        assert!((found / f64::from(mean) - 1.0).abs() < 0.12, "mean {found} instead of {mean}");
        assert!(counts.contains(&0));
        assert!(counts.iter().all(|count| *count <= 500));
        assert!(*counts.iter().max().unwrap() >= (2 * mean as usize).min(500));
    }
    assert!(chain(0).blocks(0..300).iter().all(|block| count(block) == 0));
}

fn count(block: &Block) -> usize {
    Body::parse(&block.body).unwrap().transaction_count()
}

#[test]
fn fees_cover_the_block_and_gas_fits_it() {
    for chain in [chain(30), chain(500), staged(100, 10)] {
        for block in chain.blocks(0..100) {
            let header = Header::parse(&block.header).unwrap();
            let base_fee = header.base_fee().unwrap_or_default();
            let receipts = Receipts::parse(block.receipts.as_ref().unwrap()).unwrap();
            let (mut before, mut blob_gas) = (0, 0);
            for (transaction, receipt) in
                Body::parse(&block.body).unwrap().transactions().zip(receipts.iter())
            {
                let (transaction, receipt) = (transaction.unwrap(), receipt.unwrap());
                let fields = transaction.fields().unwrap().unwrap();
                let used = receipt.cumulative_gas() - before;
                assert_eq!(receipt.kind(), transaction.kind());
                assert!((21_000..=fields.gas).contains(&used));
                assert!(before + fields.gas <= header.gas_limit(), "room for its gas limit when it runs");
                assert!(fields.gas <= 1 << 24);
                let price = U256::from_be_slice(fields.gas_price.or(fields.max_fee).unwrap());
                assert!(price >= base_fee);
                assert!(fields.max_priority_fee.is_none_or(|tip| U256::from_be_slice(tip) <= price));
                for hash in fields.blob_hashes.iter().flat_map(|hashes| hashes.items().unwrap()) {
                    assert_eq!(
                        hash.unwrap().fixed::<32>("hash").unwrap()[0],
                        1,
                        "version of a KZG commitment"
                    );
                    blob_gas += 1 << 17;
                }
                before = receipt.cumulative_gas();
            }
            assert_eq!(before, header.gas_used());
            assert_eq!(blob_gas, header.blob_gas_used().unwrap_or(0));
        }
    }
}

#[test]
fn plain_transfers_use_the_intrinsic_gas() {
    let mut found = 0;
    for block in chain(50).blocks(0..40) {
        let receipts = Receipts::parse(block.receipts.as_ref().unwrap()).unwrap();
        let mut before = 0;
        for (transaction, receipt) in Body::parse(&block.body).unwrap().transactions().zip(receipts.iter()) {
            let (fields, gas) =
                (transaction.unwrap().fields().unwrap().unwrap(), receipt.unwrap().cumulative_gas());
            found += u32::from(fields.gas == 21_000 && gas - before == 21_000 && fields.input.is_empty());
            before = gas;
        }
    }
    assert!(found > 100);
}

#[test]
fn creations_failures_and_logs_of_all_shapes_occur() {
    let (mut created, mut failed_creations, mut failed, mut quiet) = (0, 0, 0, 0);
    let (mut topics, mut most_logs, mut addresses, mut events) =
        (BTreeSet::new(), 0, HashSet::new(), HashSet::new());
    for block in chain(60).blocks(0..100) {
        let receipts = Receipts::parse(block.receipts.as_ref().unwrap()).unwrap();
        for (transaction, receipt) in Body::parse(&block.body).unwrap().transactions().zip(receipts.iter()) {
            let (transaction, receipt) = (transaction.unwrap(), receipt.unwrap());
            let creates = transaction.fields().unwrap().unwrap().to.is_none();
            let fails = receipt.outcome() == Outcome::Status(false);
            created += u32::from(creates && !fails);
            failed_creations += u32::from(creates && fails);
            failed += u32::from(fails);
            quiet += u32::from(receipt.log_count() == 0);
            most_logs = most_logs.max(receipt.log_count());
            assert!(!fails || receipt.log_count() == 0, "what fails leaves no logs");
            assert!(!creates || transaction.kind() <= kind::DYNAMIC_FEE, "types 3 and 4 cannot create");
            for log in receipt.logs() {
                let log = log.unwrap();
                addresses.insert(*log.address);
                topics.insert(log.topics().count());
                events.extend(log.topics().next().map(|topic| *topic.unwrap()));
            }
        }
    }
    assert!(created > 50 && failed_creations > 3 && failed > 100 && quiet > 500);
    assert_eq!(topics, (0..5).collect());
    assert!((10..=20).contains(&most_logs));
    assert_eq!(addresses.len(), 48);
    assert!(events.contains(&keccak256("Transfer(address,address,uint256)").0));
    assert_eq!(events.len(), 6);
}

#[test]
fn authorizations_are_signed_by_fresh_accounts() {
    let curve = Secp256k1::new();
    let mut authorities = HashSet::new();
    for block in chain(60).blocks(0..60) {
        for transaction in Body::parse(&block.body).unwrap().transactions() {
            let Some(list) = transaction.unwrap().fields().unwrap().unwrap().authorizations else { continue };
            assert!(list.items().unwrap().count() > 0);
            for tuple in list.items().unwrap() {
                let items: Vec<Item<'_>> = tuple.unwrap().items().unwrap().map(Result::unwrap).collect();
                let [chain_id, address, nonce, parity, r, s] = items[..] else { panic!("six fields") };
                assert!([0, DEV_CHAIN_ID].contains(&chain_id.uint("chainId").unwrap()));
                assert_eq!(nonce.uint("nonce").unwrap(), 0);
                let mut signed = vec![0x05];
                write_list(&mut signed, &[chain_id.raw(), address.raw(), nonce.raw()].concat());
                let (r, s) = (r.uint256("r").unwrap(), s.uint256("s").unwrap());
                assert!(s <= HALF_ORDER);
                let mut compact = [0; 64];
                compact[..32].copy_from_slice(&r.to_be_bytes::<32>());
                compact[32..].copy_from_slice(&s.to_be_bytes::<32>());
                let id = RecoveryId::try_from(parity.uint("yParity").unwrap() as i32).unwrap();
                let signature = RecoverableSignature::from_compact(&compact, id).unwrap();
                let message = Message::from_digest(keccak256(&signed).0);
                assert!(authorities.insert(curve.recover_ecdsa(message, &signature).unwrap()), "used once");
            }
        }
    }
    assert!(authorities.len() > 100);
}

#[test]
fn withdrawals_count_up_over_the_whole_chain() {
    for chain in [chain(0), staged(0, 10)] {
        let mut next = 0;
        for block in chain.blocks(0..300) {
            for item in Body::parse(&block.body).unwrap().withdrawals().into_iter().flatten() {
                let index = item.unwrap().items().unwrap().field("index").unwrap().uint("index").unwrap();
                assert_eq!(index, next);
                next += 1;
            }
        }
        assert!(next > 300);
    }
}

#[test]
fn uncles_are_siblings_of_the_parent() {
    let chain: DevChain = staged(2, 100);
    let mut found = 0;
    for block in chain.blocks(0..400) {
        for uncle in Body::parse(&block.body).unwrap().uncles() {
            let uncle = Header::parse(uncle.unwrap().raw()).unwrap();
            assert_eq!(uncle.number() + 1, block.id.number);
            assert_eq!(uncle.parent_hash(), chain.id_at(block.id.number - 2).hash);
            assert_ne!(uncle.hash(), chain.id_at(uncle.number()).hash);
            assert!(block.id.number < chain.forks().london);
            found += 1;
        }
    }
    assert!(found > 20);
}
