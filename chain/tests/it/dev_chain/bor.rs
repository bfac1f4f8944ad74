//! The development chain in Bor's form. That a real Bor takes it is shown by the whole-system tests.

use alloy_primitives::{Address, B256, U256, keccak256};
use hypasis_chain::dev::bor::{BorChain, BorForks, BorOptions, block_rlp};
use hypasis_chain::header::field;
use hypasis_chain::rlp::{Item, write_list};
use hypasis_chain::{Block, Header};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1};

const SPRINT: u64 = 16;

fn chain(forks: BorForks) -> BorChain {
    let validators = vec![10, 30, 20, 5, 1];
    BorChain::new(BorOptions { validators, producers: 3, span: 64, forks, ..BorOptions::default() }).unwrap()
}

/// Who sealed a header, the base fee covered or not.
fn signer(header: &Header<'_>, covers_base_fee: bool) -> Address {
    let (extra, seal) = header.extra_data().split_at(header.extra_data().len() - 65);
    let mut payload = Vec::new();
    for (position, item) in Item::parse(header.raw()).unwrap().items().unwrap().enumerate() {
        match position {
            field::EXTRA_DATA => hypasis_chain::rlp::write_string(&mut payload, extra),
            field::BASE_FEE if !covers_base_fee => {}
            _ => payload.extend_from_slice(item.unwrap().raw()),
        }
    }
    let mut sealed = Vec::new();
    write_list(&mut sealed, &payload);
    let id = RecoveryId::try_from(i32::from(seal[64])).unwrap();
    let signature = RecoverableSignature::from_compact(&seal[..64], id).unwrap();
    let message = Message::from_digest(keccak256(sealed).0);
    let key = Secp256k1::new().recover_ecdsa(message, &signature).unwrap();
    Address::from_word(keccak256(&key.serialize_uncompressed()[1..]))
}

#[test]
fn every_seal_is_of_a_producer_of_the_span_and_difficulties_add_up() {
    let forks = BorForks::staged(100);
    let chain = chain(forks);
    let (validators, mut minter) = (chain.validators(), chain.minter());
    let mut total = U256::ONE;
    for number in 1..1_200 {
        let block = minter.mint();
        let header = Header::parse(&block.header).unwrap();
        let signer = signer(&header, number >= forks.jaipur);
        let span = chain.span_at(number);
        assert!(span.blocks.contains(&number), "{number} in {span:?}");
        // Before Rio a sprint that began in the old span ends with its producers.
        let begun = chain.span_at(number - number % SPRINT);
        let producers = if number >= forks.rio { &span.producers } else { &begun.producers };
        assert!(producers.iter().any(|place| validators[*place].0 == signer), "block {number}: {signer}");
        total += header.difficulty();
        assert_eq!(minter.total_difficulty(), total, "block {number}");
    }
}

#[test]
fn every_producer_has_its_turn_according_to_its_power() {
    let chain = chain(BorForks::before_rio());
    let signers: Vec<_> = chain.minter().take(256).collect();
    let mut turns = [0; 3];
    for block in signers.iter().step_by(SPRINT as usize) {
        let signer = signer(&Header::parse(&block.header).unwrap(), true);
        turns[chain.validators().iter().position(|(address, _)| *address == signer).unwrap()] += 1;
    }
    // Powers 10, 30 and 20 of 60, over 16 sprints.
    assert_eq!(turns.iter().sum::<i32>(), 16);
    assert!((2..=3).contains(&turns[0]) && turns[1] == 8 && (5..=6).contains(&turns[2]), "{turns:?}");
}

#[test]
fn the_last_block_of_a_sprint_names_the_producers_of_the_next() {
    let forks = BorForks { cancun: 200, rio: 640, ..BorForks::before_rio() };
    let chain = chain(forks);
    for block in chain.minter().take(700) {
        let header = Header::parse(&block.header).unwrap();
        let extra = header.extra_data();
        let middle = &extra[32..extra.len() - 65];
        let named = if block.id.number < forks.cancun {
            middle
        } else {
            Item::parse(middle).unwrap().items().unwrap().next().unwrap().unwrap().payload()
        };
        let ends = (block.id.number + 1) % SPRINT == 0 && block.id.number < forks.rio;
        let next = chain.span_at(block.id.number + 1).producers;
        assert_eq!(named.len(), if ends { next.len() * 40 } else { 0 }, "block {}", block.id.number);
        for member in named.chunks(40) {
            let known = next.iter().map(|place| chain.validators()[*place]);
            let power = u64::from_be_bytes(member[32..].try_into().unwrap());
            assert!(known.into_iter().any(|known| known == (Address::from_slice(&member[..20]), power)));
        }
    }
}

#[test]
fn copies_mint_the_same_and_branches_do_not() {
    let chain = chain(BorForks::staged(10));
    let mut minter = chain.minter();
    let first: Vec<Block> = minter.by_ref().take(50).collect();
    assert_eq!(first, chain.minter().take(50).collect::<Vec<_>>());
    let (same, other) = (minter.clone().mint(), minter.clone().branch(1).mint());
    assert_eq!(minter.mint().id, same.id);
    assert_ne!(other.id.hash, same.id.hash);
    assert_eq!(Header::parse(&other.header).unwrap().parent_hash(), first[49].id.hash);
}

#[test]
fn who_signs_out_of_turn_comes_later_with_less_difficulty() {
    let chain = chain(BorForks::before_rio());
    let (mut turn, mut out) = (chain.minter(), chain.minter().succession(2));
    let [turn, out] = [turn.mint(), out.mint()];
    let [turn, out] = [&turn, &out].map(|block| Header::parse(&block.header).unwrap());
    assert_eq!((turn.difficulty(), out.difficulty()), (U256::from(3), U256::from(1)));
    assert_eq!(out.timestamp(), turn.timestamp() + 2);
}

#[test]
fn a_chain_file_holds_header_transactions_and_uncles() {
    let block = chain(BorForks::default()).minter().mint();
    let rlp = block_rlp(&block);
    let mut items = Item::parse(&rlp).unwrap().items().unwrap();
    assert_eq!(keccak256(items.next().unwrap().unwrap().raw()), block.id.hash);
    assert_eq!(items.map(|item| item.unwrap().raw().to_vec()).collect::<Vec<_>>(), [[0xc0], [0xc0]]);
    assert_ne!(block.id.hash, B256::ZERO);
}

#[test]
fn what_no_bor_could_run_is_refused() {
    for options in [
        BorOptions { validators: Vec::new(), ..BorOptions::default() },
        BorOptions { validators: vec![1, 0], ..BorOptions::default() },
        BorOptions { sprint: vec![(5, 16)], ..BorOptions::default() },
        BorOptions { span: 0, ..BorOptions::default() },
        BorOptions { forks: BorForks { london: 0, ..BorForks::default() }, ..BorOptions::default() },
    ] {
        assert!(BorChain::new(options.clone()).is_err(), "{options:?}");
    }
}
