//! The chains that are built in. Sources: Geth 1.17.5 `params/config.go` and `core/genesis.go`, Bor
//! `internal/cli/server/chains/`; the state roots are proved by the genesis hashes, which tests recompute.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256, address, b256, hex};

use super::forks::{Activation, Fork, Forks};
use super::{BlobParams, BlobSchedule, ChainSpec, Engine, Family};
use crate::bor::{BorConfig, BorFork, OverrideValidators, Schedule};
use crate::genesis::{GenesisHeader, assemble};

/// All of them.
pub(super) fn all() -> [ChainSpec; 4] {
    [ethereum(), sepolia(), polygon(), amoy()]
}

/// Total difficulty at the merge of Ethereum (block 15,537,393) and of Sepolia (block 1,450,408).
pub(super) fn merged_total_difficulty(genesis: B256) -> Option<U256> {
    let ethereum = b256!("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
    let sepolia = b256!("25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9");
    match genesis {
        genesis if genesis == ethereum => Some(U256::from(58_750_003_716_598_352_816_469_u128)),
        genesis if genesis == sepolia => Some(U256::from(17_000_018_015_853_232_u64)),
        _ => None,
    }
}

/// A schedule in which everything up to Osaka holds from block 0.
pub(super) fn all_forks_at_genesis() -> Forks {
    let by_time = [Fork::Shanghai, Fork::Cancun, Fork::Prague, Fork::Osaka];
    let by_time = by_time.map(|fork| (fork, Activation::Time(0)));
    Forks::new(at_genesis().chain(by_time))
}

/// What a test network has from its first block.
const UNTIL_LONDON: [Fork; 10] = [
    Fork::Homestead,
    Fork::TangerineWhistle,
    Fork::SpuriousDragon,
    Fork::Byzantium,
    Fork::Constantinople,
    Fork::Petersburg,
    Fork::Istanbul,
    Fork::MuirGlacier,
    Fork::Berlin,
    Fork::London,
];

fn ethereum() -> ChainSpec {
    let forks = blocks(&[
        (Fork::Homestead, 1_150_000),
        (Fork::Dao, 1_920_000),
        (Fork::TangerineWhistle, 2_463_000),
        (Fork::SpuriousDragon, 2_675_000),
        (Fork::Byzantium, 4_370_000),
        (Fork::Constantinople, 7_280_000),
        (Fork::Petersburg, 7_280_000),
        (Fork::Istanbul, 9_069_000),
        (Fork::MuirGlacier, 9_200_000),
        (Fork::Berlin, 12_244_000),
        (Fork::London, 12_965_000),
        (Fork::ArrowGlacier, 13_773_000),
        (Fork::GrayGlacier, 15_050_000),
    ])
    .chain(times(&[
        (Fork::Shanghai, 1_681_338_455),
        (Fork::Cancun, 1_710_338_135),
        (Fork::Prague, 1_746_612_311),
        (Fork::Osaka, 1_764_798_551),
        (Fork::Bpo1, 1_765_290_071),
        (Fork::Bpo2, 1_767_747_671),
    ]));
    let genesis = GenesisHeader {
        nonce: 66,
        extra_data: hex!("11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa").to_vec(),
        gas_limit: 5_000,
        difficulty: U256::from(1_u64 << 34),
        state_root: b256!("d7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544"),
        ..GenesisHeader::default()
    };
    let hash = b256!("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
    let mut spec = chain("ethereum", 1, Family::Ethereum, Forks::new(forks), &genesis, hash);
    spec.merge_block = Some(15_537_394);
    spec
}

fn sepolia() -> ChainSpec {
    let forks = at_genesis().chain(blocks(&[(Fork::Netsplit, 1_735_371)])).chain(times(&[
        (Fork::Shanghai, 1_677_557_088),
        (Fork::Cancun, 1_706_655_072),
        (Fork::Prague, 1_741_159_776),
        (Fork::Osaka, 1_760_427_360),
        (Fork::Bpo1, 1_761_017_184),
        (Fork::Bpo2, 1_761_607_008),
    ]));
    let genesis = GenesisHeader {
        extra_data: b"Sepolia, Athens, Attica, Greece!".to_vec(),
        gas_limit: 30_000_000,
        difficulty: U256::from(131_072),
        timestamp: 1_633_267_481,
        base_fee: Some(U256::from(1_000_000_000)),
        state_root: b256!("5eb6e371a698b8d68f665192350ffcecbbbf322916f4b51bd79bb6887da3f494"),
        ..GenesisHeader::default()
    };
    let hash = b256!("25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9");
    let mut spec = chain("sepolia", 11_155_111, Family::Ethereum, Forks::new(forks), &genesis, hash);
    spec.merge_block = Some(1_450_409);
    spec
}

fn polygon() -> ChainSpec {
    let forks = at_genesis_then(&[
        (Fork::Istanbul, 3_395_000),
        (Fork::MuirGlacier, 3_395_000),
        (Fork::Berlin, 14_750_000),
        (Fork::London, 23_850_000),
        (Fork::Shanghai, 50_523_000),
        (Fork::Cancun, 54_876_000),
        (Fork::Prague, 73_440_256),
    ]);
    let root = b256!("654f28d19b44239d1012f27038f1f71b3d4465dc415a382fb2b7009cba1527c8");
    let hash = b256!("a9c28ce2141b56c474f1dc504bee9b01eb1bd7d1a507580d5519d4437a97de1b");
    let mut spec = chain("polygon", 137, Family::Bor, forks, &bor_genesis(1_590_824_836, root), hash);
    let bor = BorConfig {
        sprint: Schedule::new([(0, 64), (38_189_056, 16)]),
        period: Schedule::new([(0, 2), (80_084_800, 1)]),
        producer_delay: Schedule::new([(0, 6), (38_189_056, 4)]),
        backup_multiplier: Schedule::new([(0, 2)]),
        forks: BTreeMap::from([
            (BorFork::Jaipur, 23_850_000),
            (BorFork::Delhi, 38_189_056),
            (BorFork::Indore, 44_934_656),
            (BorFork::Ahmedabad, 62_278_656),
            (BorFork::Bhilai, 73_440_256),
            (BorFork::Rio, 77_414_656),
            (BorFork::Madhugiri, 80_084_800),
            (BorFork::MadhugiriPro, 80_084_800),
            (BorFork::Dandeli, 81_424_000),
            (BorFork::Lisovo, 83_756_500),
            (BorFork::LisovoPro, 83_756_500),
            (BorFork::Giugliano, 85_268_500),
            (BorFork::Chicago, 87_218_600),
            (BorFork::Valencia, 89_531_000),
        ]),
        override_validators: vec![OverrideValidators {
            start_block: 80_440_819,
            end_block: 80_440_834,
            validators: vec![address!("41018795fa95783117242244303fd7e26e964ee8")],
        }],
        ..BorConfig::default()
    };
    spec.bor = Some(bor);
    spec
}

fn amoy() -> ChainSpec {
    let forks = at_genesis_then(&[
        (Fork::Istanbul, 0),
        (Fork::MuirGlacier, 0),
        (Fork::Berlin, 0),
        (Fork::London, 73_100),
        (Fork::Shanghai, 73_100),
        (Fork::Cancun, 5_423_600),
        (Fork::Prague, 22_765_056),
    ]);
    let root = b256!("3cfe247720ff1d26dfc97de26f6be0047b93d6fe47f77f4f36beff9fabe68cce");
    let hash = b256!("7202b2b53c5a0836e773e319d18922cc756dd67432f9a1f65352b61f4406c697");
    let mut spec = chain("amoy", 80_002, Family::Bor, forks, &bor_genesis(1_700_225_065, root), hash);
    let bor = BorConfig {
        sprint: Schedule::new([(0, 16)]),
        period: Schedule::new([(0, 2), (28_899_616, 1)]),
        producer_delay: Schedule::new([(0, 4)]),
        backup_multiplier: Schedule::new([(0, 2)]),
        forks: BTreeMap::from([
            (BorFork::Jaipur, 73_100),
            (BorFork::Delhi, 73_100),
            (BorFork::Indore, 73_100),
            (BorFork::Ahmedabad, 11_865_856),
            (BorFork::Bhilai, 22_765_056),
            (BorFork::Rio, 26_272_256),
            (BorFork::Madhugiri, 28_899_616),
            (BorFork::MadhugiriPro, 29_287_400),
            (BorFork::Dandeli, 31_890_000),
            (BorFork::Lisovo, 33_634_700),
            (BorFork::LisovoPro, 34_062_000),
            (BorFork::Giugliano, 35_573_500),
            (BorFork::Chicago, 38_358_000),
            (BorFork::Valencia, 40_776_000),
        ]),
        skip_validator_bytes: vec![26_160_367, 26_161_087, 26_171_567],
        ..BorConfig::default()
    };
    spec.bor = Some(bor);
    spec
}

fn bor_genesis(timestamp: u64, state_root: B256) -> GenesisHeader {
    GenesisHeader {
        timestamp,
        state_root,
        gas_limit: 10_000_000,
        difficulty: U256::ONE,
        ..Default::default()
    }
}

fn chain(
    name: &str,
    chain_id: u64,
    family: Family,
    forks: Forks,
    genesis: &GenesisHeader,
    hash: B256,
) -> ChainSpec {
    // A block that does not hash as it should is none; the tests would tell.
    let genesis = Some(assemble(genesis)).filter(|block| block.id.hash == hash);
    let engine = if family == Family::Ethereum { Engine::Ethash } else { Engine::Other };
    let blobs = [Fork::Cancun, Fork::Prague, Fork::Osaka, Fork::Bpo1, Fork::Bpo2];
    let blobs = blobs.into_iter().filter_map(|fork| Some((fork, BlobParams::by_default(fork)?)));
    ChainSpec {
        name: name.to_owned(),
        chain_id,
        family,
        engine,
        genesis_hash: Some(hash),
        genesis,
        forks,
        merge_block: None,
        blobs: BlobSchedule::new(blobs),
        bor: None,
    }
}

/// Bor's chains began with Petersburg.
fn at_genesis_then(later: &[(Fork, u64)]) -> Forks {
    Forks::new(at_genesis().filter(|(fork, _)| *fork <= Fork::Petersburg).chain(blocks(later)))
}

fn at_genesis() -> impl Iterator<Item = (Fork, Activation)> {
    UNTIL_LONDON.into_iter().map(|fork| (fork, Activation::Block(0)))
}

fn blocks(forks: &[(Fork, u64)]) -> impl Iterator<Item = (Fork, Activation)> + '_ {
    forks.iter().map(|(fork, block)| (*fork, Activation::Block(*block)))
}

fn times(forks: &[(Fork, u64)]) -> impl Iterator<Item = (Fork, Activation)> + '_ {
    forks.iter().map(|(fork, time)| (*fork, Activation::Time(*time)))
}
