//! Bor's section of a genesis file, with the exceptions that a chain's history needs.

use alloy_primitives::{Address, address};
use hypasis_chain::ChainSpec;
use hypasis_chain::bor::{BorConfig, BorFork};
use serde_json::{Value, json};

fn read(section: Value) -> Result<BorConfig, String> {
    let file = json!({
        "config": { "chainId": 7, "homesteadBlock": 0, "bor": section },
        "difficulty": "0x1", "gasLimit": "0x989680", "alloc": {},
    });
    let spec =
        ChainSpec::from_genesis_json(file.to_string().as_bytes()).map_err(|error| error.to_string())?;
    Ok(spec.bor.unwrap())
}

#[test]
fn exceptions_of_history_are_read_and_hold_where_they_say() {
    let allowed = "0x41018795fA95783117242244303fd7e26e964eE8";
    let config = read(json!({
        "sprint": {"0": 64, "1280": 16},
        "skipValidatorByteCheck": [127, 191],
        "overrideValidatorSetInRange": [{"startBlock": 10, "endBlock": 20, "validators": [allowed]}],
        "rioBlock": 500,
    }))
    .unwrap();
    assert!(config.skips_validator_bytes(127) && !config.skips_validator_bytes(128));
    let allowed = address!("41018795fa95783117242244303fd7e26e964ee8");
    let may = |number: u64, signer: Address| config.may_seal_anyway(number, signer);
    assert_eq!([9, 10, 20, 21].map(|number| may(number, allowed)), [false, true, true, false]);
    assert!(!may(10, Address::ZERO));
    assert_eq!([63, 64, 1_279, 1_295, 1_296].map(|n| config.sprint_start(n)), [0, 64, 1_216, 1_280, 1_296]);
    assert!(config.is_active(BorFork::Rio, 500) && config.is_known_at(u64::MAX));
}

#[test]
fn a_fork_of_bor_that_is_not_known_here_is_noticed() {
    let config =
        read(json!({"rioBlock": 1, "napoliBlock": 3, "valenciaBlock": 9, "nextBlock": 12, "laterBlock": 30}));
    let config = config.unwrap();
    assert_eq!(config.unknown_fork, Some(12));
    assert!(config.is_known_at(11) && !config.is_known_at(12));
}

#[test]
fn exceptions_in_another_form_are_refused_by_name() {
    for (key, value) in [
        ("skipValidatorByteCheck", json!(["x"])),
        ("skipValidatorByteCheck", json!(7)),
        ("overrideValidatorSetInRange", json!([{"startBlock": 1}])),
        ("overrideValidatorSetInRange", json!({"startBlock": 1})),
    ] {
        let refused = read(json!({ key: value })).unwrap_err();
        assert!(refused.contains(key), "{refused}");
    }
}
