//! Block 0: the genesis file that a real Bor takes, and system contracts that change nothing.
//!
//! At the first block of a sprint Bor asks the validator contract for the span (before Rio) and the state receiver for
//! the last event. The contracts here say that the span never ends and that there was no event, so that no block
//! changes the state.

use alloy_primitives::{B256, keccak256};
use serde_json::{Map, Value, json};

use super::{BorOptions, NEVER, Signer};

const VALIDATOR_CONTRACT: &str = "0x0000000000000000000000000000000000001000";
const STATE_RECEIVER: &str = "0x0000000000000000000000000000000000001001";
/// Says 0 to whatever it is asked.
const ZERO: &str = "0x60206000f3";
/// Seconds that an event must be old (from Indore); 128 on the public chains.
const CONFIRMATION_DELAY: u64 = 0;

/// The text of the genesis file.
pub(super) fn json(options: &BorOptions, signers: &[Signer]) -> String {
    let forks = &options.forks;
    let mut config = Map::new();
    config.insert("chainId".to_owned(), options.chain_id.into());
    for name in ["homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg"] {
        config.insert(format!("{name}Block"), 0.into());
    }
    for name in ["istanbul", "muirGlacier", "berlin"] {
        config.insert(format!("{name}Block"), 0.into());
    }
    let ethereum = [("london", forks.london)]
        .into_iter()
        .chain(["shanghai", "cancun", "prague"].map(|name| (name, forks.cancun)));
    schedule(&mut config, ethereum);
    let mut bor = Map::new();
    let rules = [
        ("jaipur", forks.jaipur),
        ("delhi", forks.delhi),
        ("indore", forks.delhi),
        ("ahmedabad", forks.bhilai),
        ("bhilai", forks.bhilai),
        ("rio", forks.rio),
        ("madhugiri", forks.madhugiri),
        ("madhugiriPro", forks.madhugiri),
        ("dandeli", forks.dandeli),
        ("lisovo", forks.lisovo),
        ("lisovoPro", forks.lisovo),
        ("giugliano", forks.giugliano),
    ];
    schedule(&mut bor, rules.into_iter());
    for (name, value) in [
        ("period", by_height(&options.period)),
        ("producerDelay", json!({ "0": options.producer_delay })),
        ("sprint", by_height(&options.sprint)),
        ("backupMultiplier", json!({ "0": options.backup_multiplier })),
        ("stateSyncConfirmationDelay", json!({ "0": CONFIRMATION_DELAY })),
        ("burntContract", json!({ "0": format!("0x{}", "00".repeat(20)) })),
        ("validatorContract", json!(VALIDATOR_CONTRACT)),
        ("stateReceiverContract", json!(STATE_RECEIVER)),
    ] {
        bor.insert(name.to_owned(), value);
    }
    config.insert("bor".to_owned(), bor.into());
    let zero = B256::ZERO;
    let alloc = options.alloc.clone().unwrap_or_else(|| contracts(options, signers));
    json!({
        "config": config, "nonce": "0x0", "timestamp": format!("{:#x}", options.genesis_time), "extraData": "0x",
        "gasLimit": format!("{:#x}", options.gas_limit), "difficulty": "0x1", "mixHash": zero,
        "coinbase": format!("0x{}", "00".repeat(20)), "number": "0x0", "gasUsed": "0x0", "parentHash": zero,
        "alloc": alloc,
    })
    .to_string()
}

fn schedule(section: &mut Map<String, Value>, forks: impl Iterator<Item = (&'static str, u64)>) {
    for (name, height) in forks.filter(|(_, height)| *height != NEVER) {
        section.insert(format!("{name}Block"), height.into());
    }
}

fn by_height(values: &[(u64, u64)]) -> Value {
    values.iter().map(|(from, value)| (from.to_string(), Value::from(*value))).collect()
}

fn contracts(options: &BorOptions, signers: &[Signer]) -> Value {
    let validators = const_hex::encode_prefixed(validator_contract(options, signers));
    json!({
        VALIDATOR_CONTRACT: { "balance": "0x0", "code": validators },
        STATE_RECEIVER: { "balance": "0x0", "code": ZERO },
    })
}

/// Code that answers three methods and reverts at all others:
///
/// ```text
///  0  PUSH1 0 CALLDATALOAD PUSH1 224 SHR        the selector
///  6  DUP1 PUSH4 … EQ PUSH1 40 JUMPI            getCurrentSpan()
/// 16  DUP1 PUSH4 … EQ PUSH1 40 JUMPI            FIRST_END_BLOCK()
/// 26  DUP1 PUSH4 … EQ PUSH1 62 JUMPI            getBorValidators(uint256)
/// 36  PUSH1 0 DUP1 REVERT
/// 40  JUMPDEST … RETURN                         three words: 2⁶³ − 1, 0, 2⁶³ − 1
/// 62  JUMPDEST … RETURN                         what lies from 78 on
/// ```
fn validator_contract(options: &BorOptions, signers: &[Signer]) -> Vec<u8> {
    let list = producers_of_span_0(options, signers);
    let [high, low] = u16::try_from(list.len()).unwrap_or_default().to_be_bytes();
    let mut code = vec![0x60, 0x00, 0x35, 0x60, 0xe0, 0x1c];
    for (method, target) in
        [("getCurrentSpan()", 40), ("FIRST_END_BLOCK()", 40), ("getBorValidators(uint256)", 62)]
    {
        code.extend_from_slice(&[0x80, 0x63]);
        code.extend_from_slice(keccak256(method).get(..4).unwrap_or_default());
        code.extend_from_slice(&[0x14, 0x60, target, 0x57]);
    }
    code.extend_from_slice(&[0x60, 0x00, 0x80, 0xfd]);
    code.extend_from_slice(&[0x5b, 0x67, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    code.extend_from_slice(&[0x80, 0x60, 0x00, 0x52, 0x60, 0x40, 0x52, 0x60, 0x60, 0x60, 0x00, 0xf3]);
    code.extend_from_slice(&[0x5b, 0x61, high, low, 0x61, 0x00, 78, 0x60, 0x00, 0x39]);
    code.extend_from_slice(&[0x61, high, low, 0x60, 0x00, 0xf3]);
    code.extend_from_slice(&list);
    code
}

/// `(address[], uint256[])`.
fn producers_of_span_0(options: &BorOptions, signers: &[Signer]) -> Vec<u8> {
    let count = options.producers.clamp(1, signers.len().max(1));
    let word = |value: u64| B256::left_padding_from(&value.to_be_bytes());
    let mut words = vec![word(64), word(96 + 32 * count as u64), word(count as u64)];
    words.extend(signers.iter().take(count).map(|signer| signer.address.into_word()));
    words.push(word(count as u64));
    words.extend(options.validators.iter().take(count).map(|power| word(*power)));
    words.concat()
}
