//! What cannot be derived is refused, and hostile bytes are errors.

use alloy_primitives::U256;
use hypasis_chain::render::{self, Client, Profile, RenderError};
use hypasis_chain::rlp::{write_list, write_string, write_uint};
use hypasis_chain::spec::Activation;
use hypasis_chain::{Body, ChainSpec, Header, Receipts};
use proptest::prelude::*;
use serde_json::Value;

use super::Held;
use super::mainnet::mainnet;
use crate::support::lines;

#[test]
fn an_unknown_transaction_type_is_refused_but_its_hash_is_told() {
    let held = with_body(&prague(), |transactions| write_string(transactions, &[0x7e, 0xc0]));
    let full = render_block(&held, true);
    assert_eq!(full, Err(RenderError::Unknown("transaction type")));
    let hashes: Value = serde_json::from_str(&render_block(&held, false).unwrap()).unwrap();
    let expected = alloy_primitives::keccak256([0x7e, 0xc0]).to_string();
    assert_eq!(hashes["transactions"], serde_json::json!([expected]));
}

#[test]
fn a_sender_that_does_not_recover_is_refused() {
    let held = with_body(&prague(), |transactions| {
        let mut fields = Vec::new();
        for value in [0, 1, 21_000] {
            write_uint(&mut fields, value);
        }
        write_string(&mut fields, &[0x11; 20]);
        for value in [0, 0, 27, 0, 0] {
            write_uint(&mut fields, value);
        }
        write_list(transactions, &fields);
    });
    assert_eq!(render_block(&held, true), Err(RenderError::Unknown("sender")));
}

#[test]
fn a_fork_that_the_spec_does_not_know_is_refused() {
    let held = prague();
    let mut spec = ChainSpec::named("ethereum").unwrap();
    spec.forks.push_unknown(Activation::Time(Header::parse(&held.header).unwrap().timestamp()));
    let geth = Profile::of(Client::Geth);
    let receipts = Receipts::parse(held.receipts.as_deref().unwrap()).unwrap();
    let fork = Err(RenderError::Unknown("fork"));
    assert_eq!(held.render(&spec, &geth, |out, parts| render::block(out, parts, false)), fork);
    assert_eq!(held.render(&spec, &geth, |out, parts| render::transaction(out, parts, 0).map(drop)), fork);
    assert_eq!(held.render(&spec, &geth, |out, parts| render::block_receipts(out, parts, &receipts)), fork);
}

#[test]
fn a_blob_price_needs_a_known_schedule() {
    let spec = ChainSpec::unknown(1, None);
    let geth = Profile::of(Client::Geth);
    let blocks = mainnet();
    let mut refused = 0;
    for held in blocks.values().filter(|held| held.receipts.is_some()) {
        let body = Body::parse(&held.body).unwrap();
        let blobs = body.transactions().any(|transaction| transaction.unwrap().kind() == 3);
        let receipts = Receipts::parse(held.receipts.as_deref().unwrap()).unwrap();
        let ours = held.render(&spec, &geth, |out, parts| render::block_receipts(out, parts, &receipts));
        match blobs {
            true => assert_eq!(ours, Err(RenderError::Unknown("blob gas price"))),
            false => assert!(ours.is_ok(), "block {}", held.number),
        }
        refused += usize::from(blobs);
    }
    assert!(refused > 0, "no block with blobs");
}

#[test]
fn a_header_with_fields_of_a_fork_to_come_is_refused() {
    let held = prague();
    let mut fields = Vec::new();
    for item in hypasis_chain::rlp::Item::parse(&held.header).unwrap().items().unwrap() {
        fields.extend_from_slice(item.unwrap().raw());
    }
    write_string(&mut fields, &[7; 32]);
    let mut header = Vec::new();
    write_list(&mut header, &fields);
    assert_eq!(render_block(&Held { header, ..held }, false), Err(RenderError::Unknown("form of header")));
}

#[test]
fn receipts_that_do_not_fit_the_transactions_are_refused() {
    let held = prague();
    let geth = Profile::of(Client::Geth);
    let spec = ChainSpec::named("ethereum").unwrap();
    let empty = [0xc0];
    let none = Receipts::parse(&empty).unwrap();
    let missing = held.render(&spec, &geth, |out, parts| render::block_receipts(out, parts, &none));
    assert_eq!(missing, Err(RenderError::Unknown("receipt of a transaction")));
    let without = with_body(&held, |_| ());
    let all = Receipts::parse(held.receipts.as_deref().unwrap()).unwrap();
    let added = without.render(&spec, &geth, |out, parts| render::block_receipts(out, parts, &all));
    assert_eq!(added, Err(RenderError::Unknown("transaction of a receipt")));
}

#[test]
fn a_polygon_block_that_may_have_a_state_sync_beside_it_is_refused() {
    let spec = ChainSpec::named("polygon").unwrap();
    let bor = Profile::of(Client::Bor);
    let mut seen = [0; 2];
    for line in lines("polygon/mainnet_blocks.jsonl") {
        let Some(held) = Held::from_line(&line) else { continue };
        let ours = held.render(&spec, &bor, |out, parts| render::block(out, parts, false));
        let sprint = held.number > 0 && held.number % 16 == 0;
        assert_eq!(ours.is_err(), sprint, "block {}", held.number);
        seen[usize::from(sprint)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

#[test]
fn a_failed_creation_still_names_its_contract() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let geth = Profile::of(Client::Geth);
    let mut creations = 0;
    for held in mainnet().values() {
        let body = Body::parse(&held.body).unwrap();
        for (index, transaction) in body.transactions().enumerate() {
            let transaction = transaction.unwrap();
            let Ok(Some(fields)) = transaction.fields() else { continue };
            if fields.to.is_some() || index > 50 {
                continue;
            }
            let failed = failed_receipts(&body, index);
            let text = held.render(&spec, &geth, |out, parts| {
                render::receipt(out, parts, &Receipts::parse(&failed)?, index).map(drop)
            });
            let receipt: Value = serde_json::from_str(&text.unwrap()).unwrap();
            let sender = hypasis_chain::sender::recover(&transaction).unwrap();
            let expected = hypasis_chain::derive::contract_address(&sender, fields.nonce);
            assert_eq!(receipt["status"], "0x0");
            assert_eq!(receipt["contractAddress"], expected.to_string().to_lowercase());
            creations += 1;
        }
    }
    assert!(creations > 0, "no creation among the blocks");
}

#[test]
fn the_first_contract_of_a_known_account_has_its_known_address() {
    // Address and nonces as in the tests of the Yellow Paper's rule in every client.
    let sender = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0".parse().unwrap();
    let created: Vec<String> = (0..2)
        .map(|nonce| hypasis_chain::derive::contract_address(&sender, nonce).to_string().to_lowercase())
        .collect();
    assert_eq!(
        created,
        ["0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d", "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"]
    );
}

#[test]
fn only_a_bound_legacy_transaction_has_a_chain_id() {
    let id = hypasis_chain::derive::legacy_chain_id;
    assert_eq!([id(&[27]), id(&[28]), id(&[35]), id(&[36]), id(&[])], [None; 5]);
    assert_eq!([id(&[37]), id(&[38])], [Some(U256::from(1)); 2]);
    assert_eq!(id(&[1, 53]), Some(U256::from(137)));
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(place in any::<prop::sample::Index>(), byte in any::<u8>(), part in 0..3_u8) {
        let mut held = prague();
        let bytes = match part {
            0 => &mut held.header,
            1 => &mut held.body,
            _ => held.receipts.as_mut().unwrap(),
        };
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let spec = ChainSpec::named("ethereum").unwrap();
        let geth = Profile::of(Client::Geth);
        let (Ok(header), Ok(body)) = (Header::parse(&held.header), Body::parse(&held.body)) else { return Ok(()) };
        let Ok(receipts) = Receipts::parse(held.receipts.as_deref().unwrap()) else { return Ok(()) };
        let senders = vec![alloy_primitives::Address::ZERO; body.transaction_count()];
        let mut parts = render::Parts::new(&spec, &geth, held.hash, header, body);
        parts.senders = Some(&senders);
        let mut out = Vec::new();
        if render::block(&mut out, &parts, true).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
        }
        out.clear();
        if render::block_receipts(&mut out, &parts, &receipts).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
        }
    }
}

/// A small Prague block with receipts.
fn prague() -> Held {
    static HELD: std::sync::LazyLock<Held> = std::sync::LazyLock::new(|| {
        let all = mainnet().into_values().filter(|held| held.receipts.is_some() && held.number >= 22_431_084);
        all.min_by_key(|held| held.body.len()).expect("a Prague block with receipts")
    });
    HELD.clone()
}

/// The same block with other transactions.
fn with_body(held: &Held, write: impl FnOnce(&mut Vec<u8>)) -> Held {
    let mut transactions = Vec::new();
    write(&mut transactions);
    let mut parts = Vec::new();
    write_list(&mut parts, &transactions);
    parts.extend_from_slice(&[0xc0, 0xc0]);
    let mut body = Vec::new();
    write_list(&mut body, &parts);
    Held { body, ..held.clone() }
}

fn render_block(held: &Held, full: bool) -> Result<String, RenderError> {
    let spec = ChainSpec::named("ethereum").unwrap();
    held.render(&spec, &Profile::of(Client::Geth), |out, parts| render::block(out, parts, full))
}

/// Receipts up to `index` of transactions that all failed.
fn failed_receipts(body: &Body<'_>, index: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    for transaction in body.transactions().take(index + 1) {
        let mut fields = Vec::new();
        write_uint(&mut fields, transaction.unwrap().kind().into());
        write_uint(&mut fields, 0);
        write_uint(&mut fields, 1);
        write_list(&mut fields, &[]);
        write_list(&mut payload, &fields);
    }
    let mut list = Vec::new();
    write_list(&mut list, &payload);
    list
}
