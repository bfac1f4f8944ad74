//! Who asks, when and in which order does not matter.

use std::sync::Barrier;

use alloy_primitives::b256;
use hypasis_chain::dev::{DEV_CHAIN_ID, DevChain, DevForks, DevOptions};
use proptest::prelude::*;

use super::{GENESIS_TIME, chain, options, staged};

#[test]
fn hashes_are_those_of_every_process_before() {
    let chain = chain(20);
    assert_eq!(
        chain.id_at(0).hash,
        b256!("f063ed142c99a988e3071b2a3e18e06d3f73dd83fa577deb5c1390917e7fc358")
    );
    assert_eq!(
        chain.id_at(300).hash,
        b256!("00d2f32c2490e2cbff3d8a55850aa4c8581c7b315b0e856503b3c473afce41bd")
    );
}

#[test]
fn two_chains_of_the_same_options_are_the_same() {
    let (one, other) = (chain(20), chain(20));
    assert_eq!(one.blocks(0..200), other.blocks(0..200));
    assert_eq!(one.head(), other.head());
    assert_eq!(one.head().number, 300);
}

#[test]
fn each_option_makes_another_chain() {
    let base = chain(20).block(50).id;
    let changed = [
        DevChain::new(options(20, 8), GENESIS_TIME),
        DevChain::new(options(21, 7), GENESIS_TIME),
        DevChain::new(options(20, 7), GENESIS_TIME + 1),
        DevChain::new(DevOptions { period_ms: 2_000, ..options(20, 7) }, GENESIS_TIME),
        DevChain::with_forks(
            options(20, 7),
            GENESIS_TIME,
            DevForks { osaka: 1_000, prague: 40, ..DevForks::default() },
        ),
    ];
    for chain in changed {
        assert_ne!(chain.id_at(50).hash, base.hash);
    }
    assert_ne!(DevChain::new(options(20, 8), GENESIS_TIME).id_at(0).hash, chain(20).id_at(0).hash);
}

#[test]
fn the_length_of_history_changes_no_block() {
    let short = DevChain::new(DevOptions { history: 3, ..options(20, 7) }, GENESIS_TIME);
    assert_eq!(short.head(), chain(20).id_at(3));
    assert_eq!(short.advance(97), chain(20).id_at(100));
    assert_eq!(short.head().number, 100);
}

#[test]
fn blocks_headers_and_ids_agree() {
    for chain in [chain(20), staged(20, 20)] {
        let headers = chain.headers(0..200);
        for (block, header) in chain.blocks(0..200).iter().zip(&headers) {
            assert_eq!(block.header, header);
            assert_eq!(block.id, chain.id_at(block.id.number));
            assert_eq!(chain.block_by_hash(&block.id.hash).as_ref(), Some(block));
            assert_eq!(chain.number_of(&block.id.hash), Some(block.id.number));
        }
        assert_eq!(headers.len(), 200);
    }
}

#[test]
fn the_spec_names_this_chain() {
    let chain = chain(20);
    let spec = chain.spec();
    assert_eq!((spec.name.as_str(), spec.chain_id), ("dev", DEV_CHAIN_ID));
    assert_eq!(spec.genesis, Some(chain.block(0)));
    assert_eq!(spec.genesis_hash, Some(chain.id_at(0).hash));
}

#[test]
fn threads_that_mint_and_read_at_once_see_one_chain() {
    let expected = chain(20).blocks(0..300);
    let shared = chain(20);
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (shared, start, expected) = (&shared, &start, &expected);
            scope.spawn(move || {
                start.wait();
                for step in 0..150_u64 {
                    let number = (step * (7 + 2 * thread) + 31 * thread) % 300;
                    assert_eq!(shared.block(number), expected[number as usize]);
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_order_of_access_gives_the_same_blocks(
        seed in any::<u64>(),
        transactions in prop_oneof![Just(0_u32), Just(1), 2_u32..40],
        step in 0_u64..12,
        numbers in prop::collection::vec(0_u64..120, 1..20),
    ) {
        let make = || DevChain::with_forks(options(transactions, seed), GENESIS_TIME, DevForks::staged(step));
        let (ordered, random) = (make(), make());
        let blocks = ordered.blocks(0..120);
        for number in numbers {
            let block = random.block(number);
            prop_assert_eq!(&block, &blocks[number as usize]);
            let header = hypasis_chain::Header::parse(&block.header).unwrap();
            prop_assert_eq!(header.hash(), block.id.hash);
        }
    }
}
