//! Everything that can be checked without a state holds.

use alloy_consensus::private::alloy_eips::eip1559::BaseFeeParams;
use alloy_consensus::private::alloy_eips::eip7840::BlobParams;
use alloy_consensus::{Header as AlloyHeader, TxEnvelope};
use alloy_rlp::Decodable;
use hypasis_chain::dev::{DevChain, DevFork, DevForks, DevOptions, NEVER};
use hypasis_chain::verify::{check_link, check_succession, verify};
use hypasis_chain::{Body, Header, Level};

use super::{GENESIS_TIME, chain, options, staged};

/// Checks all that a store would of the first `count` blocks.
fn check(chain: &DevChain, count: u64) {
    let spec = chain.spec();
    let blocks = chain.blocks(0..count);
    for block in &blocks {
        verify(Level::Full, &spec, block, block.id).unwrap();
    }
    for pair in blocks.windows(2) {
        let (parent, child) =
            (Header::parse(&pair[0].header).unwrap(), Header::parse(&pair[1].header).unwrap());
        check_link(&parent, pair[0].id.hash, &child).unwrap();
        check_succession(&spec, &parent, &child).unwrap();
    }
}

#[test]
fn every_mean_of_transactions_verifies() {
    for (transactions, blocks) in [(0, 100), (1, 200), (3, 200), (20, 200), (200, 40), (500, 20), (9_999, 5)]
    {
        check(&chain(transactions), blocks);
    }
}

#[test]
fn every_fork_boundary_verifies() {
    for step in [1, 2, 13, 30] {
        check(&staged(20, step), 9 * step + 10);
    }
}

#[test]
fn headers_have_the_fields_of_their_fork() {
    let chain = staged(5, 10);
    for (number, fields, fork) in [
        (0, 15, DevFork::Frontier),
        (10, 15, DevFork::Byzantium),
        (20, 15, DevFork::Berlin),
        (29, 15, DevFork::Berlin),
        (30, 16, DevFork::London),
        (40, 16, DevFork::Paris),
        (50, 17, DevFork::Shanghai),
        (60, 20, DevFork::Cancun),
        (70, 21, DevFork::Prague),
        (80, 21, DevFork::Osaka),
    ] {
        let block = chain.block(number);
        let header = Header::parse(&block.header).unwrap();
        assert_eq!(header.field_count(), fields, "height {number}");
        assert_eq!(chain.forks().at(number), fork);
        assert_eq!(header.difficulty().is_zero(), fork >= DevFork::Paris);
        assert_eq!(Body::parse(&block.body).unwrap().withdrawals().is_some(), fork >= DevFork::Shanghai);
    }
}

#[test]
fn fees_and_gas_limits_follow_from_the_parent() {
    for chain in [chain(20), chain(1), staged(40, 40), staged(300, 8)] {
        let headers = chain.headers(0..400);
        let decoded: Vec<_> = headers.iter().map(|raw| AlloyHeader::decode(&mut &raw[..]).unwrap()).collect();
        for pair in decoded.windows(2) {
            let [parent, child] = pair else { unreachable!() };
            let fork = chain.forks().at(child.number);
            let london = fork >= DevFork::London && parent.base_fee_per_gas.is_none();
            let expected = match parent.next_block_base_fee(BaseFeeParams::ethereum()) {
                None if london => Some(1_000_000_000),
                next => next,
            };
            assert_eq!(child.base_fee_per_gas, expected, "height {}", child.number);
            let base = parent.gas_limit * if london { 2 } else { 1 };
            assert!(child.gas_limit.abs_diff(base) < base / 1024, "height {}", child.number);
            assert!(child.gas_used <= child.gas_limit, "height {}", child.number);
            check_blobs(parent, child, fork);
        }
    }
}

fn check_blobs(parent: &AlloyHeader, child: &AlloyHeader, fork: DevFork) {
    let params = match fork {
        DevFork::Osaka => BlobParams::osaka(),
        DevFork::Prague => BlobParams::prague(),
        DevFork::Cancun => BlobParams::cancun(),
        _ => return assert_eq!((child.excess_blob_gas, child.blob_gas_used), (None, None)),
    };
    let (excess, used) = (parent.excess_blob_gas.unwrap_or(0), parent.blob_gas_used.unwrap_or(0));
    let expected = if fork == DevFork::Osaka {
        params.next_block_excess_blob_gas_osaka(excess, used, parent.base_fee_per_gas.unwrap())
    } else {
        (excess + used).saturating_sub(params.target_blob_gas_per_block())
    };
    assert_eq!(child.excess_blob_gas, Some(expected), "height {}", child.number);
    assert!(child.blob_gas_used.unwrap() <= params.max_blob_gas_per_block());
}

#[test]
fn fees_neither_die_nor_explode() {
    for transactions in [1, 20, 100] {
        let headers = chain(transactions).headers(200..2_000);
        for raw in &headers {
            let header = AlloyHeader::decode(&mut &raw[..]).unwrap();
            let fee = header.base_fee_per_gas.unwrap();
            assert!(
                (10_000_000..200_000_000_000).contains(&fee),
                "{transactions}: {fee} at {}",
                header.number
            );
            assert!(header.blob_fee(BlobParams::osaka()).unwrap() < 1_000_000_000_000);
        }
    }
}

#[test]
fn other_implementations_read_the_same_blocks() {
    for chain in [chain(40), staged(20, 10)] {
        for block in chain.blocks(0..120) {
            let header = AlloyHeader::decode(&mut &block.header[..]).unwrap();
            assert_eq!(header.hash_slow(), block.id.hash);
            assert_eq!(alloy_rlp::encode(&header), block.header);
            for transaction in Body::parse(&block.body).unwrap().transactions() {
                let transaction = transaction.unwrap();
                let mut item = Vec::new();
                hypasis_chain::rlp::write_string(&mut item, transaction.envelope());
                let raw = if transaction.kind() == 0 { transaction.envelope() } else { &item };
                let envelope = TxEnvelope::decode(&mut &raw[..]).unwrap();
                assert_eq!(*envelope.tx_hash(), transaction.hash());
                assert_eq!(alloy_rlp::encode(&envelope), raw);
            }
        }
    }
}

#[test]
fn timestamps_follow_the_period_and_always_increase() {
    for (period_ms, at_seven) in [(1_000, 7), (12_000, 84), (250, 7), (0, 7), (2_500, 17), (1_001, 7)] {
        let chain = DevChain::new(DevOptions { period_ms, ..options(0, 0) }, GENESIS_TIME);
        let times: Vec<u64> =
            chain.headers(0..50).iter().map(|raw| Header::parse(raw).unwrap().timestamp()).collect();
        assert_eq!(times[0], GENESIS_TIME);
        assert_eq!(times[7], GENESIS_TIME + at_seven);
        assert_eq!(times[7], chain.timestamp(7));
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

#[test]
fn the_spec_has_the_forks_of_the_headers() {
    let bare = DevForks {
        byzantium: NEVER,
        berlin: NEVER,
        london: NEVER,
        paris: NEVER,
        shanghai: NEVER,
        cancun: NEVER,
        prague: NEVER,
        osaka: NEVER,
    };
    let merged_late = DevForks { paris: 21, shanghai: 50, cancun: 51, osaka: 60, ..bare };
    let schedules =
        [DevForks::default(), DevForks::staged(9), DevForks { osaka: 40, ..bare }, merged_late, bare];
    for (forks, period_ms) in
        schedules.into_iter().flat_map(|forks| [(forks, 1_000), (forks, 300), (forks, 12_000)])
    {
        let chain = DevChain::with_forks(DevOptions { period_ms, ..options(5, 1) }, GENESIS_TIME, forks);
        let spec = chain.spec();
        check(&chain, 100);
        for raw in chain.headers(1..100) {
            let header = Header::parse(&raw).unwrap();
            let (number, time, fields) = (header.number(), header.timestamp(), header.field_count());
            assert_eq!(spec.is_london(number), fields > 15, "height {number}, {period_ms} ms, {forks:?}");
            assert_eq!(spec.is_merged(number, time), header.difficulty().is_zero());
            assert_eq!(spec.is_shanghai(number, time), fields > 16);
            assert_eq!(spec.is_cancun(number, time), fields > 17);
            assert_eq!(spec.is_prague(number, time), fields > 20);
            assert_eq!(spec.is_osaka(number, time), chain.forks().at(number) == DevFork::Osaka);
            let blob_base_fee = spec.blob_base_fee(&header).expect("every fork is known");
            assert_eq!(blob_base_fee.is_some(), fields > 17);
        }
    }
}
