//! Chain specs, genesis blocks, fork ids and the price of blobs.

use alloy_eip2124::{ForkHash, ForkId};
use alloy_primitives::{B256, U256, b256};
use hypasis_chain::genesis::{GenesisHeader, assemble};
use hypasis_chain::spec::blobs::fake_exponential;
use hypasis_chain::spec::{Activation, Family, Fork, Forks};
use hypasis_chain::{ChainSpec, Header, fork_id};

use proptest::prelude::*;

use crate::support::{conversation, json, raw_blocks, text, vectors};

/// `checksum, next` of a chain at a height and time.
fn id(spec: &ChainSpec, number: u64, time: u64) -> (String, u64) {
    let id = fork_id::fork_id(spec, number, time).unwrap();
    (const_hex::encode(id.hash.0), id.next)
}

/// Checks every checksum of a chain: a fork and the checksum from it on, block forks by height.
fn check_ids(spec: &ChainSpec, blocks: &[(u64, &str)], times: &[(u64, &str)]) {
    let last_block = blocks.last().map_or(0, |(block, _)| *block);
    let points = blocks.iter().map(|(block, sum)| (*block, 0, *block, *sum));
    let points = points.chain(times.iter().map(|(time, sum)| (last_block, *time, *time, *sum)));
    let points: Vec<_> = points.collect();
    for (i, (number, time, _, sum)) in points.iter().enumerate() {
        let next = points.get(i + 1).map_or(0, |(_, _, point, _)| *point);
        assert_eq!(id(spec, *number, *time), ((*sum).to_owned(), next), "{} at {number}, {time}", spec.name);
        if let Some((number, time, _, _)) = points.get(i + 1) {
            // One before the next fork it is still the same.
            let before = if *time > 0 { (*number, time - 1) } else { (number - 1, 0) };
            assert_eq!(id(spec, before.0, before.1), ((*sum).to_owned(), next));
        }
    }
}

#[test]
fn the_blocks_0_that_are_built_in_hash_as_the_chains_say() {
    for name in ["ethereum", "sepolia", "polygon", "amoy"] {
        let spec = ChainSpec::named(name).unwrap();
        let genesis = spec.genesis.as_ref().unwrap_or_else(|| panic!("{name} has no genesis block"));
        let header = Header::parse(&genesis.header).unwrap();
        assert_eq!(Some(header.hash()), spec.genesis_hash, "{name}");
        assert_eq!(genesis.id.hash, header.hash());
    }
    for (name, file) in
        [("ethereum", "ethereum/mainnet_blocks.jsonl"), ("polygon", "polygon/mainnet_blocks.jsonl")]
    {
        let real = vectors(file).into_iter().find(|block| block.id.number == 0).unwrap();
        let genesis = ChainSpec::named(name).unwrap().genesis.unwrap();
        assert_eq!((genesis.header, Some(genesis.body)), (real.header, real.body), "{name}");
    }
}

#[test]
fn chains_are_known_by_id_and_block_0() {
    let mainnet = b256!("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
    assert_eq!(ChainSpec::known(1, Some(mainnet)).unwrap().name, "ethereum");
    assert_eq!(ChainSpec::known(80_002, None).unwrap().name, "amoy");
    assert!(ChainSpec::known(1, Some(B256::ZERO)).is_none(), "another chain of that id");
    assert!(ChainSpec::known(5, None).is_none());
    assert!(ChainSpec::named("dev").is_none());
}

#[test]
fn fork_ids_are_those_of_the_networks() {
    let blocks = [
        (0, "fc64ec04"),
        (1_150_000, "97c2c34c"),
        (1_920_000, "91d1f948"),
        (2_463_000, "7a64da13"),
        (2_675_000, "3edd5b10"),
        (4_370_000, "a00bc324"),
        (7_280_000, "668db0af"),
        (9_069_000, "879d6e30"),
        (9_200_000, "e029e991"),
        (12_244_000, "0eb440f6"),
        (12_965_000, "b715077d"),
        (13_773_000, "20c327fc"),
        (15_050_000, "f0afd0e3"),
    ];
    let times = [
        (1_681_338_455, "dce96c2d"),
        (1_710_338_135, "9f3d2254"),
        (1_746_612_311, "c376cf8b"),
        (1_764_798_551, "5167e2a6"),
        (1_765_290_071, "cba2a1c0"),
        (1_767_747_671, "07c9462e"),
    ];
    check_ids(&ChainSpec::named("ethereum").unwrap(), &blocks, &times);
    let times = [
        (1_677_557_088, "f7f9bc08"),
        (1_706_655_072, "88cf81d9"),
        (1_741_159_776, "ed88b5fd"),
        (1_760_427_360, "e2ae4999"),
        (1_761_017_184, "56078a1e"),
        (1_761_607_008, "268956b6"),
    ];
    check_ids(&ChainSpec::named("sepolia").unwrap(), &[(0, "fe3366e7"), (1_735_371, "b96cbd13")], &times);
}

#[test]
fn fork_ids_of_bor_leave_its_own_forks_out() {
    let blocks = [
        (0, "0e07e722"),
        (3_395_000, "27806576"),
        (14_750_000, "66e26adb"),
        (23_850_000, "4f2f71cc"),
        (50_523_000, "dc08865c"),
        (54_876_000, "f097bc13"),
        (73_440_256, "22d523b2"),
    ];
    check_ids(&ChainSpec::named("polygon").unwrap(), &blocks, &[]);
    let blocks = [(0, "be06a477"), (73_100, "135d2cd5"), (5_423_600, "b4f6ec4f"), (22_765_056, "8b7e4175")];
    check_ids(&ChainSpec::named("amoy").unwrap(), &blocks, &[]);
}

/// Geth's `cmd/devp2p` makes its test chains from these headers.
#[test]
fn fork_ids_of_the_conformance_tools_chains() {
    let hive = GenesisHeader {
        extra_data: b"hivechain".to_vec(),
        gas_limit: 0x11e1_a300,
        difficulty: U256::from(0x20000),
        base_fee: Some(U256::from(1_000_000_000)),
        withdrawals: true,
        ..GenesisHeader::default()
    };
    let mut genesis = assemble(&hive);
    genesis.id.hash = b256!("bd6a252af394d80904c5993b859574bd4669642cea00a116970ec7887db67533");
    let mut spec = ChainSpec::dev(genesis, 3_503_995_874_084_926);
    spec.forks = Forks::new([
        (Fork::London, Activation::Block(0)),
        (Fork::Shanghai, Activation::Time(0)),
        (Fork::Cancun, Activation::Time(60)),
        (Fork::Prague, Activation::Time(120)),
    ]);
    check_ids(&spec, &[(0, "8fd57d63")], &[(60, "e8d31f82"), (120, "377aaa78")]);

    let old = b256!("3d35e0b689cdd20720592d9a4d0d208de0612ebcb46e391141501e7d55d55b42");
    let mut genesis = assemble(&GenesisHeader { base_fee: None, withdrawals: false, ..hive });
    genesis.id.hash = old;
    let mut spec = ChainSpec::dev(genesis, 3_503_995_874_084_926);
    let steps = (1..=12).map(|step| (Fork::Homestead, Activation::Block(6 * step)));
    spec.forks = Forks::new(
        steps.chain([(Fork::Shanghai, Activation::Time(780)), (Fork::Cancun, Activation::Time(840))]),
    );
    assert_eq!(id(&spec, 500, 5_000), ("bc0c2605".to_owned(), 0));
}

#[test]
fn the_filter_takes_peers_on_the_way_and_refuses_other_chains() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let peer = |sum: [u8; 4], next| ForkId { hash: ForkHash(sum), next };
    let filter = fork_id::filter(&spec, 13_000_000, 1_628_000_000).unwrap();
    assert_eq!(filter.current(), fork_id::fork_id(&spec, 13_000_000, 1_628_000_000).unwrap());
    assert!(filter.validate(peer([0xb7, 0x15, 0x07, 0x7d], 13_773_000)).is_ok(), "in step");
    assert!(filter.validate(peer([0x0e, 0xb4, 0x40, 0xf6], 12_965_000)).is_ok(), "behind, will follow");
    assert!(filter.validate(peer([0x0e, 0xb4, 0x40, 0xf6], 0)).is_err(), "behind, and does not know");
    assert!(filter.validate(peer([0xdc, 0xe9, 0x6c, 0x2d], 0)).is_ok(), "ahead of us");
    assert!(filter.validate(peer([0xde, 0xad, 0xbe, 0xef], 0)).is_err(), "elsewhere");
    assert!(fork_id::filter(&ChainSpec::unknown(7, None), 0, 0).is_none());
}

#[test]
fn a_genesis_file_gives_block_0_with_its_state() {
    let spec =
        ChainSpec::from_genesis_json(text("rpc_fixtures/execution-apis/genesis.json").as_bytes()).unwrap();
    let first = &raw_blocks("rpc_fixtures/execution-apis/chain.rlp")[0];
    let (header, _) = hypasis_chain::body::split_block(first).unwrap();
    let header = Header::parse(header).unwrap();
    // The chain file starts at 1 or at 0, with both it tells block 0's hash.
    let hash = if header.number() == 0 { header.hash() } else { header.parent_hash() };
    assert_eq!(spec.genesis_hash, Some(hash));
    assert_eq!(
        (spec.chain_id, spec.family, spec.name.as_str()),
        (3_503_995_874_084_926, Family::Ethereum, "custom")
    );
    // The fork id is the one that a client told of its last block.
    let config = &conversation("rpc_fixtures/execution-apis/eth_config/get-config.io")[0].1["result"];
    let sum = config["current"]["forkId"].as_str().unwrap().trim_start_matches("0x").to_owned();
    assert_eq!(id(&spec, 54, config["current"]["activationTime"].as_u64().unwrap()), (sum, 0));
}

/// A genesis file with these members of `config`.
fn custom(config: &str) -> Result<ChainSpec, hypasis_chain::spec::SpecError> {
    let text = format!(
        r#"{{"config":{{"chainId":7,{config}}},"gasLimit":"0x989680","difficulty":"1","timestamp":100,
        "alloc":{{"0x00000000000000000000000000000000000000ff":{{"balance":"10","nonce":"0x2","code":"0x6000",
        "storage":{{"0x01":"0x02","0x03":"0x"}}}}}}}}"#
    );
    ChainSpec::from_genesis_json(text.as_bytes())
}

const CANCUN: &str = r#""londonBlock":0,"shanghaiTime":0,"cancunTime":200"#;

/// A header of 20 fields with that time and excess blob gas.
fn blob_header(time: u64, excess: u64) -> bytes::Bytes {
    assemble(&GenesisHeader {
        number: 20_000_000,
        timestamp: time,
        base_fee: Some(U256::ONE),
        withdrawals: true,
        blob_gas: Some((0, excess)),
        ..GenesisHeader::default()
    })
    .header
}

#[test]
fn an_unknown_fork_makes_its_time_unknown_and_not_what_came_before() {
    let spec = custom(&format!(r#"{CANCUN},"fusakaTime":500"#)).unwrap();
    let price =
        |spec: &ChainSpec, time| spec.blob_base_fee(&Header::parse(&blob_header(time, 10_000_000)).unwrap());
    assert_eq!(price(&spec, 499), Some(Some(U256::from(19))));
    assert_eq!(price(&spec, 500), None);
    assert!(spec.is_known_at(5, 499) && !spec.is_known_at(5, 500));
    assert!(spec.genesis.is_some());
    assert!(custom(&format!(r#"{CANCUN},"fusakaTime":100"#)).unwrap().genesis.is_none(), "active at genesis");
    assert_eq!(price(&custom(&format!(r#"{CANCUN},"bpo3Time":300"#)).unwrap(), 300), None, "no schedule");
    assert_eq!(price(&ChainSpec::unknown(7, None), 300), None);
}

#[test]
fn sections_of_other_engines_make_a_chain_unknown() {
    assert_eq!(custom(CANCUN).unwrap().family, Family::Ethereum);
    assert_eq!(custom(&format!(r#"{CANCUN},"clique":{{"period":5}}"#)).unwrap().family, Family::Ethereum);
    assert_eq!(custom(&format!(r#"{CANCUN},"bor":{{"jaipurBlock":9}}"#)).unwrap().family, Family::Bor);
    let optimism = custom(&format!(r#"{CANCUN},"optimism":{{"eip1559Elasticity":6}}"#)).unwrap();
    assert_eq!(optimism.family, Family::Unknown);
    assert_eq!(custom(&format!(r#"{CANCUN},"zeroBaseFee":true"#)).unwrap().family, Family::Unknown);
}

#[test]
fn impossible_genesis_files_are_refused() {
    for config in [
        r#""londonBlock":"soon""#,
        r#""blobSchedule":{"cancun":{"target":3,"max":6,"baseFeeUpdateFraction":0}}"#,
        r#""blobSchedule":{"cancun":{"target":7,"max":6,"baseFeeUpdateFraction":1}}"#,
        r#""blobSchedule":{"cancun":{"target":3}}"#,
    ] {
        assert!(custom(config).is_err(), "{config}");
    }
    for text in ["", "{}", "[]", r#"{"config":{},"gasLimit":1,"difficulty":1,"alloc":{}}"#] {
        assert!(ChainSpec::from_genesis_json(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn the_price_of_blobs_follows_the_schedule() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let price = |time, excess| spec.blob_base_fee(&Header::parse(&blob_header(time, excess)).unwrap());
    // Vectors of Geth's `consensus/misc/eip4844`.
    for (factor, numerator, denominator, result) in
        [(38_493, 0, 1_000, 38_493), (0, 1_234, 2_345, 0), (1, 2, 1, 6), (11, 8, 2, 596), (2, 5, 2, 23)]
    {
        let [factor, numerator, denominator] = [factor, numerator, denominator].map(U256::from);
        assert_eq!(fake_exponential(factor, numerator, denominator), Some(U256::from(result)));
    }
    assert_eq!(price(1_710_338_135, 2_314_057), Some(Some(U256::from(1))));
    assert_eq!(price(1_710_338_135, 2_314_058), Some(Some(U256::from(2))), "Cancun");
    assert_eq!(price(1_746_612_311, 2_314_058), Some(Some(U256::from(1))), "Prague");
    assert_eq!(price(1_767_747_671, 20 << 20), Some(Some(U256::from(6))), "BPO2");
    assert_eq!(price(1_710_338_135, u64::MAX), None, "no answer, and no endless sum");
    let before = assemble(&GenesisHeader { number: 5, ..GenesisHeader::default() }).header;
    assert_eq!(spec.blob_base_fee(&Header::parse(&before).unwrap()), Some(None));
}

#[test]
fn the_price_of_blobs_is_what_a_node_says_in_receipts() {
    let spec =
        ChainSpec::from_genesis_json(text("rpc_fixtures/execution-apis/genesis.json").as_bytes()).unwrap();
    let genesis = json("rpc_fixtures/execution-apis/genesis.json");
    let cancun = genesis["config"]["cancunTime"].as_u64().unwrap();
    let mut checked = 0;
    for (_, answer) in conversation("rpc_fixtures/execution-apis/eth_getTransactionReceipt/get-blob-tx.io") {
        let number = answer["result"]["blockNumber"].as_str().unwrap();
        let number = u64::from_str_radix(&number[2..], 16).unwrap();
        let raw = raw_blocks("rpc_fixtures/execution-apis/chain.rlp");
        let headers = raw.iter().map(|raw| hypasis_chain::body::split_block(raw).unwrap().0);
        let header =
            headers.map(|header| Header::parse(header).unwrap()).find(|header| header.number() == number);
        let header = header.unwrap();
        assert!(header.timestamp() >= cancun);
        let price = spec.blob_base_fee(&header).unwrap().unwrap();
        assert_eq!(format!("{price:#x}"), answer["result"]["blobGasPrice"].as_str().unwrap());
        checked += 1;
    }
    assert_eq!(checked, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_filter_is_in_the_state_that_the_fork_id_says(
        name in prop::sample::select(vec!["ethereum", "sepolia", "polygon", "amoy"]),
        number in 0..90_000_000_u64, time in prop::option::of(1_600_000_000..1_800_000_000_u64),
    ) {
        let spec = ChainSpec::named(name).unwrap();
        // By time only once all heights have passed, as on the real chain.
        let (number, time) = time.map_or((number.min(15_000_000), 0), |time| (90_000_000, time));
        let filter = fork_id::filter(&spec, number, time).unwrap();
        prop_assert_eq!(filter.current(), fork_id::fork_id(&spec, number, time).unwrap());
    }

    #[test]
    fn hostile_genesis_files_never_panic(place in any::<prop::sample::Index>(), with in "[ -~]{0,6}", cut in 0..40_usize) {
        thread_local!(static FILE: String = text("rpc_fixtures/execution-apis/genesis.json"));
        let file = FILE.with(Clone::clone);
        let at = place.index(file.len());
        let end = (at + cut).min(file.len());
        let hostile = format!("{}{with}{}", &file[..at], &file[end..]);
        if let Ok(spec) = ChainSpec::from_genesis_json(hostile.as_bytes()) {
            let _ = fork_id::fork_id(&spec, 9, 9);
            prop_assert_eq!(spec.genesis_hash, spec.genesis.map(|block| block.id.hash));
        }
    }
}
