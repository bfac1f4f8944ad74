//! Checkpoint files: what enough signers signed is believed, and nothing else.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, address, b256};
use hypasis_upstream::checkpoint::SignedCheckpoint;
use hypasis_upstream::checkpoint::signed::{SIGNATURES_MAX, SignedError, Signers};
use proptest::prelude::*;
use secp256k1::SecretKey;

/// Hardhat's and Anvil's first account: its key is in every wallet.
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ADDRESS: Address = address!("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");

fn key(seed: u8) -> SecretKey {
    SecretKey::from_byte_array([seed; 32]).unwrap()
}

fn checkpoint() -> SignedCheckpoint {
    SignedCheckpoint {
        chain_id: 137,
        number: 81_000_000,
        hash: b256!("0xe459e9f7439f54989ee693ba93802793c02880a824979d476544378d3f66d174"),
        total_difficulty: Some(U256::from(1_234_567_890_u64)),
        timestamp: 1_763_750_000,
        signatures: Vec::new(),
    }
}

/// Signed by the keys of these seeds, who all must have.
fn signed(seeds: &[u8]) -> (SignedCheckpoint, Signers) {
    let mut checkpoint = checkpoint();
    let addresses: BTreeSet<_> = seeds.iter().map(|seed| checkpoint.sign(&key(*seed)).unwrap()).collect();
    let threshold = addresses.len();
    (checkpoint, Signers { addresses, threshold })
}

#[test]
fn what_is_signed_is_the_text_of_a_personal_message() {
    let mut checkpoint = checkpoint();
    let text = "Hypasis checkpoint\nversion: 1\nchain_id: 137\nnumber: 81000000\n\
                hash: 0xe459e9f7439f54989ee693ba93802793c02880a824979d476544378d3f66d174\n\
                total_difficulty: 1234567890\ntimestamp: 1763750000";
    assert_eq!(checkpoint.text(), text);
    let expected = alloy_primitives::eip191_hash_message(text);
    assert_eq!(checkpoint.digest(), expected);
    let secret = SecretKey::from_byte_array(const_hex::decode_to_array(KEY).unwrap()).unwrap();
    assert_eq!(checkpoint.sign(&secret), Ok(ADDRESS));
    assert_eq!(checkpoint.signed_by(), Ok(vec![ADDRESS]));
    checkpoint.total_difficulty = None;
    assert!(checkpoint.text().contains("\ntotal_difficulty: none\n"));
}

#[test]
fn a_file_reads_back_as_it_was_written() {
    let (mut file, _) = signed(&[1, 2, 3]);
    assert_eq!(SignedCheckpoint::parse(file.to_text().as_bytes()), Ok(file.clone()));
    file.total_difficulty = None;
    assert!(!file.to_text().contains("total_difficulty"));
    assert_eq!(SignedCheckpoint::parse(file.to_text().as_bytes()), Ok(file));
}

#[test]
fn enough_different_configured_signers_are_enough_and_duplicates_count_once() {
    let (file, all) = signed(&[1, 2, 3]);
    assert_eq!(file.verify(137, &all).map(|signed| signed.len()), Ok(3));
    let mut twice = file.clone();
    twice.signatures = vec![file.signatures[0]; 3];
    let two = Signers { threshold: 2, ..all.clone() };
    assert_eq!(twice.verify(137, &two), Err(SignedError::Threshold { signed: 1, threshold: 2 }));
    // Signing again adds nothing.
    let mut again = file.clone();
    again.sign(&key(1)).unwrap();
    assert_eq!(again, file);
    let (one, _) = signed(&[1]);
    assert_eq!(one.verify(137, &all), Err(SignedError::Threshold { signed: 1, threshold: 3 }));
    let unsigned = checkpoint();
    let none = Signers { threshold: 0, ..all };
    assert_eq!(unsigned.verify(137, &none), Err(SignedError::Threshold { signed: 0, threshold: 0 }));
}

#[test]
fn another_chain_and_foreign_signers_are_refused_with_a_sentence() {
    let (file, signers) = signed(&[1, 2]);
    let error = file.verify(1, &signers).unwrap_err();
    assert_eq!(error.to_string(), "it is for chain 137, and this is chain 1");
    let mut foreign = file.clone();
    let stranger = foreign.sign(&key(9)).unwrap();
    let error = foreign.verify(137, &signers).unwrap_err();
    assert_eq!(error, SignedError::Foreign { position: 3, signer: stranger });
    assert!(error.to_string().contains(&stranger.to_string()), "{error}");
}

#[test]
fn signatures_have_one_form_each() {
    let (file, signers) = signed(&[1]);
    // The same signature with s and v turned round (EIP-2 forbids it): other bytes, the same signer.
    let order =
        U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).unwrap();
    let mut turned = file.clone();
    let signature = &mut turned.signatures[0];
    let s = U256::from_be_slice(&signature[32..64]);
    signature[32..64].copy_from_slice(&(order - s).to_be_bytes::<32>());
    signature[64] = 27 + 28 - signature[64];
    assert_eq!(turned.verify(137, &signers), Err(SignedError::Signature(1)));
    for v in [0, 1, 26, 29, 35, 255] {
        let mut other = file.clone();
        other.signatures[0][64] = v;
        assert_eq!(other.verify(137, &signers), Err(SignedError::Signature(1)), "v = {v}");
    }
}

#[test]
fn what_is_no_checkpoint_file_is_refused_with_a_sentence() {
    let (file, _) = signed(&[1]);
    let text = file.to_text();
    for (from, to, expected) in [
        ("\"version\": 1", "\"version\": 2", "its version is 2"),
        ("\"number\"", "\"nunber\"", "unknown field `nunber`"),
        ("0xe459", "e459", "`hash` is not 0x and 64 hex digits"),
        ("\"1234567890\"", "\"0x10\"", "`total_difficulty` is no decimal string"),
        ("\"1234567890\"", "\"\"", "`total_difficulty` is no decimal string"),
        ("81000000", "-5", "invalid value"),
    ] {
        let error = SignedCheckpoint::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{from} as {to}: {error}");
    }
    let short = format!("\"0x{}\"", "11".repeat(64));
    let mut lines: Vec<_> = text.lines().collect();
    let place = lines.iter().position(|line| line.contains("signatures")).unwrap() + 1;
    lines[place] = &short;
    let error = SignedCheckpoint::parse(lines.join("\n").as_bytes()).unwrap_err();
    assert!(error.to_string().contains("130 hex digits"), "{error}");
    let mut full = file.clone();
    full.signatures = vec![file.signatures[0]; SIGNATURES_MAX + 1];
    assert!(SignedCheckpoint::parse(full.to_text().as_bytes()).is_err(), "too many signatures");
    let large = vec![b' '; 70_000];
    assert_eq!(SignedCheckpoint::parse(&large), Err(SignedError::TooLarge));
    assert!(matches!(SignedCheckpoint::parse(b""), Err(SignedError::Malformed(_))));
}

#[test]
fn a_full_file_takes_no_more_signatures_and_stays_readable() {
    let mut file = checkpoint();
    for seed in 1..=u8::try_from(SIGNATURES_MAX).unwrap() {
        file.sign(&key(seed)).unwrap();
    }
    assert_eq!(file.sign(&key(200)), Err(SignedError::Full));
    assert!(file.sign(&key(1)).is_ok(), "who has signed may sign again");
    assert_eq!(SignedCheckpoint::parse(file.to_text().as_bytes()), Ok(file));
}

/// A changed file is refused, or it says the very same thing in other letters (a digit's case, a space).
fn refused_or_the_same(text: &[u8], original: &SignedCheckpoint, signers: &Signers) -> bool {
    match SignedCheckpoint::parse(text) {
        Ok(parsed) if parsed == *original => true,
        Ok(parsed) => parsed.verify(137, signers).is_err(),
        Err(_) => true,
    }
}

#[test]
fn a_file_with_any_single_byte_changed_is_refused() {
    let (file, signers) = signed(&[1, 2]);
    let text = file.to_text().into_bytes();
    let mut same = 0;
    for place in 0..text.len() {
        for bit in 0..8 {
            let mut changed = text.clone();
            changed[place] ^= 1 << bit;
            assert!(refused_or_the_same(&changed, &file, &signers), "byte {place}, bit {bit}");
            same += usize::from(SignedCheckpoint::parse(&changed) == Ok(file.clone()));
        }
    }
    // Letters of hex digits in the other case, and white space: nothing else.
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let spaces = text.iter().filter(|byte| byte.is_ascii_whitespace()).count();
    assert!(same <= letters + 8 * spaces, "{same} changes changed nothing");
}

proptest! {
    #[test]
    fn no_changed_or_cut_or_lengthened_file_is_taken_for_something_else(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        more in prop::collection::vec(any::<u8>(), 0..5),
    ) {
        let (file, signers) = signed(&[1, 2]);
        let text = file.to_text().into_bytes();
        let mut changed = text.clone();
        for (place, byte) in changes {
            let place = place.index(changed.len());
            changed[place] = byte;
        }
        prop_assert!(refused_or_the_same(&changed, &file, &signers));
        prop_assert!(refused_or_the_same(&text[..cut.index(text.len())], &file, &signers));
        prop_assert!(refused_or_the_same(&[text.as_slice(), &more].concat(), &file, &signers));
    }

    #[test]
    fn any_checkpoint_round_trips_and_every_field_is_signed(
        chain_id: u64, number: u64, hash: [u8; 32], total: Option<[u8; 32]>, timestamp: u64,
    ) {
        let mut file = SignedCheckpoint {
            chain_id,
            number,
            hash: B256::from(hash),
            total_difficulty: total.map(U256::from_be_bytes),
            timestamp,
            signatures: Vec::new(),
        };
        let signer = file.sign(&key(5)).unwrap();
        let signers = Signers { addresses: BTreeSet::from([signer]), threshold: 1 };
        prop_assert_eq!(SignedCheckpoint::parse(file.to_text().as_bytes()), Ok(file.clone()));
        prop_assert_eq!(file.verify(chain_id, &signers), Ok(vec![signer]));
        let changed = [
            SignedCheckpoint { number: number ^ 1, ..file.clone() },
            SignedCheckpoint { hash: !file.hash, ..file.clone() },
            SignedCheckpoint { timestamp: timestamp ^ 1, ..file.clone() },
            SignedCheckpoint {
                total_difficulty: if total.is_some() { None } else { Some(U256::ZERO) },
                ..file.clone()
            },
        ];
        for changed in changed {
            prop_assert!(changed.verify(chain_id, &signers).is_err());
        }
    }
}
