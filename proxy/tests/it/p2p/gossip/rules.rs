//! What can be said without state: by the rules of the head.

use hypasis_chain::transaction::kind;

use super::press::{CELLS, Draft};
use super::rig::{BERLIN, CANCUN, GAS_LIMIT, LONDON, OSAKA, PRAGUE, Rig, SHANGHAI};

/// Whether a relay at that head takes it. What is refused must not be passed on.
async fn taken(head: u64, draft: &Draft) -> bool {
    let rig = Rig::at(head);
    let [one, two] = rig.peers();
    let accepted = one.sends(&[draft.sign(1)]).await.unwrap();
    assert_eq!(two.told().hashes().len(), accepted.accepted);
    assert_eq!(accepted.accepted + accepted.refused, 1);
    accepted.accepted == 1
}

#[tokio::test]
async fn a_type_is_taken_from_its_fork_on() {
    for (kind, fork) in [(kind::ACCESS_LIST, BERLIN), (kind::DYNAMIC_FEE, LONDON), (kind::SET_CODE, PRAGUE)] {
        assert!(!taken(fork - 1, &Draft::of(kind)).await, "type {kind} before its fork");
        assert!(taken(fork, &Draft::of(kind)).await, "type {kind} at its fork");
    }
    assert!(taken(0, &Draft::of(kind::LEGACY)).await);
    // Before EIP-155; Geth takes these from peers to this day.
    assert!(taken(OSAKA, &Draft { chain_id: None, ..Draft::of(kind::LEGACY) }).await);
    assert!(!taken(OSAKA, &Draft::of(0x05)).await, "a type that nobody knows");
    let bare = CELLS.bare(1, 0);
    for (head, good) in [(CANCUN - 1, false), (CANCUN, true)] {
        assert_eq!(Rig::at(head).gossip.submit(CELLS.wrap(&bare)).await.is_ok(), good);
    }
}

#[tokio::test]
async fn the_gas_limit_covers_what_the_transaction_itself_uses_to_the_unit() {
    let input = [vec![0; 10], vec![1; 20]].concat();
    let data = 10 * 4 + 20 * 16;
    let plain = |kind| Draft { input: input.clone(), ..Draft::of(kind) };
    let listed = Draft { access: vec![0, 3], ..plain(kind::ACCESS_LIST) };
    let created = Draft { to: None, ..plain(kind::LEGACY) };
    let coded = Draft { authorizations: 2, ..plain(kind::SET_CODE) };
    for (what, head, draft, needed) in [
        ("input", BERLIN, plain(kind::LEGACY), 21_000 + data),
        ("access list", BERLIN, listed, 21_000 + data + 2 * 2400 + 3 * 1900),
        ("creation", BERLIN, created.clone(), 53_000 + data),
        ("creation with a word of init code", SHANGHAI, created, 53_000 + data + 2),
        ("floor under input", PRAGUE, plain(kind::LEGACY), 21_000 + (10 + 20 * 4) * 10),
        ("authorizations", PRAGUE, coded, 21_000 + data + 2 * 25_000),
    ] {
        assert!(taken(head, &Draft { gas: needed, ..draft.clone() }).await, "{what}");
        assert!(!taken(head, &Draft { gas: needed - 1, ..draft }).await, "{what}, one less");
    }
}

#[tokio::test]
async fn bounds_hold_to_the_unit() {
    let gas = |gas| Draft { gas, ..Draft::default() };
    let code = |len| Draft { to: None, input: vec![0; len], gas: 10_000_000, ..Draft::default() };
    let bytes = |len| Draft { input: vec![0; len], gas: 10_000_000, ..Draft::default() };
    let overhead = bytes(131_072 - 200).sign(1).len() - (131_072 - 200);
    for (what, head, good, bad) in [
        ("a block's gas", PRAGUE, gas(GAS_LIMIT), gas(GAS_LIMIT + 1)),
        ("EIP-7825", OSAKA, gas(1 << 24), gas((1 << 24) + 1)),
        ("EIP-3860", SHANGHAI, code(49_152), code(49_153)),
        ("size", PRAGUE, bytes(131_072 - overhead), bytes(131_073 - overhead)),
        (
            "EIP-2681",
            PRAGUE,
            Draft { nonce: u64::MAX - 1, ..gas(50_000) },
            Draft { nonce: u64::MAX, ..gas(50_000) },
        ),
        (
            "EIP-1559",
            PRAGUE,
            Draft { tip: 7, cap: 7, ..gas(50_000) },
            Draft { tip: 8, cap: 7, ..gas(50_000) },
        ),
        (
            "EIP-7702",
            PRAGUE,
            Draft::of(kind::SET_CODE),
            Draft { authorizations: 0, ..Draft::of(kind::SET_CODE) },
        ),
        ("recipient", PRAGUE, Draft::of(kind::SET_CODE), Draft { to: None, ..Draft::of(kind::SET_CODE) }),
    ] {
        assert!(taken(head, &good).await, "{what}");
        assert!(!taken(head, &bad).await, "{what}, one more");
    }
    assert!(taken(SHANGHAI - 1, &code(49_153)).await, "no bound on init code before Shanghai");
    assert!(taken(PRAGUE, &gas((1 << 24) + 1)).await, "no bound on gas before Osaka");
}

#[tokio::test]
async fn blobs_are_bounded_and_pay_something() {
    let rig = Rig::at(PRAGUE);
    let blob_hashes = CELLS.versioned_hashes();
    let free = Draft { blob_cap: 0, blob_hashes: blob_hashes.clone(), ..Draft::of(kind::BLOB) };
    let reason = rig.gossip.submit(CELLS.wrap(&free.sign(1))).await.unwrap_err();
    assert_eq!(reason.to_string(), "maxFeePerBlobGas is zero");
    let creates = Draft { to: None, blob_hashes, ..Draft::of(kind::BLOB) };
    let reason = rig.gossip.submit(CELLS.wrap(&creates.sign(1))).await.unwrap_err();
    assert_eq!(reason.to_string(), "transaction type 3 needs a recipient");
}

#[tokio::test]
async fn nothing_is_taken_before_the_head_is_known() {
    let rig = Rig::without_head();
    let one = rig.peer(1);
    let transaction = Draft::transfer(1, 0);
    assert!(one.announces(&[(super::press::hash(&transaction), &transaction)]).is_empty());
    assert_eq!(one.sends(std::slice::from_ref(&transaction)).await, Ok(Default::default()));
    assert!(rig.gossip.submit(transaction.clone()).await.is_err());
    rig.advance(PRAGUE);
    assert_eq!(one.sends(&[transaction]).await.unwrap().accepted, 1);
}
