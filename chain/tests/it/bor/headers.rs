//! Rules and seals of 1,024 consecutive real headers, and of the same with a field changed.

use alloy_primitives::{Address, U256};
use hypasis_chain::bor::extra::{Extra, validator_bytes};
use hypasis_chain::bor::producers::{Sealed, check_producer};
use hypasis_chain::bor::{Span, Spans, seal};
use hypasis_chain::header::field;
use hypasis_chain::rlp::{write_list, write_string};
use hypasis_chain::verify::{check_header, check_link, check_succession};
use hypasis_chain::{ChainSpec, Fault, Header};

use super::{CHECKPOINT, mainnet_headers, parse, span, spans};
use crate::support::{hex, json, lines};

/// All that can be said of a header with its parent before it.
pub(super) fn check(
    spec: &ChainSpec,
    spans: &Spans,
    parent: &Header<'_>,
    child: &Header<'_>,
) -> Result<(), Fault> {
    let bor = spec.bor.as_ref().unwrap();
    check_link(parent, parent.hash(), child)?;
    check_header(spec, child)?;
    check_succession(spec, parent, child)?;
    let signer = |header| seal::signer(bor, header);
    // Nobody has sealed block 0.
    let before = if parent.number() == 0 { Address::ZERO } else { signer(parent)? };
    let parent = Sealed { header: parent, signer: before };
    check_producer(spec, spans, &parent, &Sealed { header: child, signer: signer(child)? })
}

fn check_all(spec: &ChainSpec, spans: &Spans, headers: &[Header<'_>]) {
    for pair in headers.windows(2) {
        check(spec, spans, &pair[0], &pair[1])
            .unwrap_or_else(|fault| panic!("{}: {fault}", pair[1].number()));
    }
}

/// The header with other payloads at some positions.
fn changed(header: &Header<'_>, changes: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut payload = Vec::new();
    let last = changes.iter().map(|(position, _)| position + 1).max().unwrap_or(0);
    for position in 0..header.field_count().max(last) {
        let change = changes.iter().find(|(changed, _)| *changed == position);
        let bytes = change.map_or_else(|| header.field(position).unwrap(), |(_, bytes)| bytes.as_slice());
        write_string(&mut payload, bytes);
    }
    let mut raw = Vec::new();
    write_list(&mut raw, &payload);
    raw
}

fn number(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

#[test]
fn real_headers_keep_all_rules_with_and_without_their_span() {
    let (polygon, raw) = (ChainSpec::named("polygon").unwrap(), mainnet_headers());
    let headers = parse(&raw);
    let hashes = lines(&format!("{CHECKPOINT}/blocks_first1024.jsonl"));
    for (header, line) in headers.iter().zip(&hashes) {
        assert_eq!(header.hash().as_slice(), hex(&line["hash"]));
    }
    check_all(&polygon, &spans(), &headers);
    check_all(&polygon, &Spans::default(), &headers);
}

#[test]
fn each_seal_recovers_to_a_producer_of_the_span() {
    let (polygon, raw, span) = (ChainSpec::named("polygon").unwrap(), mainnet_headers(), span(1_536));
    let bor = polygon.bor.as_ref().unwrap();
    let signers: Vec<Address> = parse(&raw).iter().map(|header| seal::signer(bor, header).unwrap()).collect();
    assert!(signers.iter().all(|signer| span.selected_producers.iter().any(|one| one.signer == *signer)));
    let told = json(&format!("{CHECKPOINT}/signers_first64.json"));
    let told: Vec<Address> =
        told.as_array().unwrap().iter().map(|signer| signer.as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(told.len(), 64);
    assert_eq!(signers[..64], told);
}

#[test]
fn sprint_ends_name_the_producers_of_the_next_sprint_with_their_powers() {
    let raw = mainnet_headers();
    let mut ends = 0;
    for header in parse(&raw) {
        let extra = Extra::parse(header.extra_data(), false).unwrap();
        if (header.number() + 1).is_multiple_of(64) {
            let span = spans().at(header.number() + 1).unwrap().clone();
            assert_eq!(extra.validators, validator_bytes(&span.selected_producers));
            assert_eq!(extra.producers(), span.selected_producers);
            ends += 1;
        } else {
            assert!(extra.validators.is_empty());
        }
    }
    assert_eq!(ends, 16);
}

/// What only the seal covers is refused as somebody else's seal; everything else by its own name.
#[test]
fn a_header_with_any_single_field_changed_is_refused_by_name() {
    let (polygon, raw, spans) = (ChainSpec::named("polygon").unwrap(), mainnet_headers(), spans());
    let headers = parse(&raw);
    for at in [5, 99, 100, 700] {
        let (parent, header) = (&headers[at - 1], &headers[at]);
        check(&polygon, &spans, parent, header).unwrap();
        let mut vanity = header.extra_data().to_vec();
        vanity[3] ^= 1;
        let mut sealed = header.extra_data().to_vec();
        let length = sealed.len();
        sealed[length - 40] ^= 1;
        let mut parity = header.extra_data().to_vec();
        parity[length - 1] = 27;
        let mut more = header.extra_data().to_vec();
        more.splice(32..32, [7; 20]);
        let mut validators = header.extra_data().to_vec();
        validators.splice(32..length - 65, [7; 40]);
        let short = header.extra_data()[..96].to_vec();
        let difficulty = header.difficulty().to::<u64>();
        let cases = [
            (field::PARENT_HASH, vec![1; 32], "parentHash"),
            (field::UNCLES_HASH, vec![1; 32], "sha3Uncles"),
            (field::BENEFICIARY, vec![1; 20], "miner"),
            (field::STATE_ROOT, vec![1; 32], "seal"),
            (field::TRANSACTIONS_ROOT, vec![1; 32], "seal"),
            (field::RECEIPTS_ROOT, vec![1; 32], "seal"),
            (field::LOGS_BLOOM, vec![1; 256], "seal"),
            (field::DIFFICULTY, Vec::new(), "difficulty"),
            (field::DIFFICULTY, number(difficulty + 1_000), "difficulty"),
            (field::DIFFICULTY, number(difficulty - 1), "seal"),
            (field::NUMBER, number(header.number() + 1), "number"),
            (field::GAS_LIMIT, number(header.gas_limit() + header.gas_limit() / 1_024), "gasLimit"),
            (field::GAS_LIMIT, number(header.gas_limit() + 1), "seal"),
            (field::GAS_USED, number(header.gas_limit() + 1), "gasUsed"),
            (field::GAS_USED, number(header.gas_used() + 1), "seal"),
            (field::TIMESTAMP, number(parent.timestamp() + 1), "timestamp"),
            (field::TIMESTAMP, number(header.timestamp() + 1), "seal"),
            (field::EXTRA_DATA, vanity, "seal"),
            (field::EXTRA_DATA, sealed, "seal"),
            (field::EXTRA_DATA, parity, "seal"),
            (field::EXTRA_DATA, more, "extraData"),
            (field::EXTRA_DATA, validators, "extraData"),
            (field::EXTRA_DATA, short, "extraData"),
            (field::MIX_HASH, vec![1; 32], "mixHash"),
            (field::NONCE, vec![1; 8], "nonce"),
            (field::BASE_FEE, number(1_000_000_000), "baseFeePerGas"),
        ];
        for (position, payload, name) in cases {
            let told =
                format!("field {position} of {at}: {}", const_hex::encode(&payload[..payload.len().min(8)]));
            let raw = changed(header, &[(position, payload)]);
            let fault = check(&polygon, &spans, parent, &Header::parse(&raw).unwrap()).expect_err(&told);
            assert_eq!(fault.field(), name, "{told}: {fault}");
        }
        let mut appended = vec![(field::BASE_FEE, number(1))];
        for (position, name) in [
            (field::WITHDRAWALS_ROOT, "withdrawalsRoot"),
            (field::BLOB_GAS_USED, "blobGasUsed"),
            (field::EXCESS_BLOB_GAS, "excessBlobGas"),
            (field::PARENT_BEACON_ROOT, "parentBeaconBlockRoot"),
            (field::REQUESTS_HASH, "requestsHash"),
        ] {
            appended.push((position, vec![1; 32]));
            let raw = changed(header, &appended);
            let fault = check_header(&at_london(&polygon), &Header::parse(&raw).unwrap()).unwrap_err();
            assert_eq!(fault.field(), name, "{fault}");
        }
    }
}

/// The same chain with a base fee from the first block on.
fn at_london(polygon: &ChainSpec) -> ChainSpec {
    let mut spec = polygon.clone();
    spec.forks = hypasis_chain::spec::Forks::new([(
        hypasis_chain::spec::Fork::London,
        hypasis_chain::spec::Activation::Block(0),
    )]);
    spec
}

/// Within a sprint the producers and difficulties of all headers imply one and the same first producer. A header
/// that takes another's turn is refused although its seal is a producer's.
#[test]
fn a_difficulty_out_of_turn_is_refused() {
    let (polygon, raw) = (ChainSpec::named("polygon").unwrap(), mainnet_headers());
    let headers = parse(&raw);
    let bor = polygon.bor.as_ref().unwrap();
    let (parent, child) = (&headers[9], &headers[10]);
    let signer = seal::signer(bor, child).unwrap();
    let with = |difficulty: u64, signer: Address, spans: &Spans| {
        let raw = changed(child, &[(field::DIFFICULTY, number(difficulty))]);
        let header = Header::parse(&raw).unwrap();
        let before = Sealed { header: parent, signer: seal::signer(bor, parent).unwrap() };
        check_producer(&polygon, spans, &before, &Sealed { header: &header, signer })
    };
    let known = spans();
    with(8, signer, &known).unwrap();
    for difficulty in [1, 7, 9] {
        let fault = with(difficulty, signer, &known).unwrap_err();
        assert_eq!(fault, amount(difficulty, 8));
        assert_eq!(with(difficulty, signer, &Spans::default()).unwrap_err(), amount(difficulty, 8));
    }
    let other = known.at(child.number()).unwrap().selected_producers.clone();
    let place = other.iter().position(|one| one.signer == signer).unwrap();
    let next = other[(place + 1) % other.len()].signer;
    assert_eq!(with(8, next, &known).unwrap_err(), amount(8, 7));
    // The next one in turn has to wait for its backup delay.
    assert_eq!(with(7, next, &known).unwrap_err().field(), "timestamp");
    assert_eq!(with(8, next, &Spans::default()).unwrap_err().field(), "difficulty");
    with(7, next, &Spans::default()).unwrap();
    assert_eq!(with(8, Address::repeat_byte(9), &known), Err(Fault::Signer(Address::repeat_byte(9))));
}

/// Where no span is known, the validator bytes at the end of a sprint tell who may seal the next.
#[test]
fn without_spans_the_sprint_end_before_tells_the_producers() {
    let (polygon, raw) = (ChainSpec::named("polygon").unwrap(), mainnet_headers());
    let headers = parse(&raw);
    let end = headers.iter().position(|header| (header.number() + 1).is_multiple_of(64)).unwrap();
    let bor = polygon.bor.as_ref().unwrap();
    let before = Sealed { header: &headers[end], signer: seal::signer(bor, &headers[end]).unwrap() };
    let stranger = Address::repeat_byte(1);
    let next = Sealed { header: &headers[end + 1], signer: stranger };
    let fault = check_producer(&polygon, &Spans::default(), &before, &next);
    assert_eq!(fault, Err(Fault::Signer(stranger)));
}

#[test]
fn validator_bytes_that_are_not_the_spans_are_refused() {
    let (polygon, raw) = (ChainSpec::named("polygon").unwrap(), mainnet_headers());
    let headers = parse(&raw);
    let end = headers.iter().position(|header| (header.number() + 1).is_multiple_of(64)).unwrap();
    let mut other: Span = span(1_536);
    other.selected_producers[2].power += 1;
    let spans = Spans::from_iter([other]);
    let fault = check(&polygon, &spans, &headers[end - 1], &headers[end]).unwrap_err();
    assert_eq!(fault, Fault::Rule { field: "extraData", rule: "names other validators than the span" });
}

fn amount(found: u64, expected: u64) -> Fault {
    Fault::Amount { field: "difficulty", found: U256::from(found), expected: U256::from(expected) }
}
