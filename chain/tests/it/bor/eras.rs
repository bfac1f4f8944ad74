//! Headers of every era, sealed with a key of the test's own.

use alloy_primitives::{Address, B256, U256, b256, keccak256};
use hypasis_chain::bor::extra::{Extra, SEAL, validator_bytes};
use hypasis_chain::bor::producers::{Sealed, check_producer};
use hypasis_chain::bor::{BorFork, Producer, Span, Spans, seal};
use hypasis_chain::rlp::{write_list, write_string, write_uint, write_uint256};
use hypasis_chain::spec::{Activation, Fork, Forks};
use hypasis_chain::verify::{check_header, check_link, check_succession};
use hypasis_chain::{ChainSpec, Fault, Header};
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey};

const GAS_LIMIT: u64 = 30_000_000;

/// What a header is made of, where it is not always the same.
#[derive(Clone, Debug)]
struct Draft {
    number: u64,
    parent: B256,
    time: u64,
    difficulty: u64,
    gas_used: u64,
    base_fee: Option<U256>,
    middle: Vec<u8>,
    /// Whether the seal covers the base fee.
    covers_base_fee: bool,
}

fn key(byte: u8) -> SecretKey {
    SecretKey::from_byte_array([byte; 32]).unwrap()
}

fn address(key: &SecretKey) -> Address {
    let point = PublicKey::from_secret_key(&Secp256k1::new(), key).serialize_uncompressed();
    Address::from_slice(&keccak256(&point[1..])[12..])
}

impl Draft {
    fn child_of(parent: &Header<'_>, number: u64) -> Self {
        Self {
            number,
            parent: parent.hash(),
            time: parent.timestamp() + 2,
            difficulty: 1,
            gas_used: 0,
            base_fee: parent.base_fee(),
            middle: Vec::new(),
            covers_base_fee: true,
        }
    }

    fn raw(&self, key: &SecretKey) -> Vec<u8> {
        let mut extra = vec![7; 32];
        extra.extend_from_slice(&self.middle);
        let hash = keccak256(self.list(&extra, self.covers_base_fee));
        let signature = Secp256k1::new().sign_ecdsa_recoverable(Message::from_digest(hash.0), key);
        let (parity, compact) = signature.serialize_compact();
        extra.extend_from_slice(&compact);
        extra.push(i32::from(parity) as u8);
        self.list(&extra, true)
    }

    fn list(&self, extra: &[u8], with_base_fee: bool) -> Vec<u8> {
        let empty_root = b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
        let no_uncles = b256!("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");
        let mut out = Vec::new();
        for bytes in [self.parent.as_slice(), no_uncles.as_slice(), &[0; 20], empty_root.as_slice()] {
            write_string(&mut out, bytes);
        }
        for bytes in [empty_root.as_slice(), empty_root.as_slice(), &[0; 256]] {
            write_string(&mut out, bytes);
        }
        for number in [self.difficulty, self.number, GAS_LIMIT, self.gas_used, self.time] {
            write_uint(&mut out, number);
        }
        write_string(&mut out, extra);
        write_string(&mut out, &[0; 32]);
        write_string(&mut out, &[0; 8]);
        if let Some(base_fee) = self.base_fee.filter(|_| with_base_fee) {
            write_uint256(&mut out, base_fee);
        }
        let mut list = Vec::new();
        write_list(&mut list, &out);
        list
    }
}

/// The list in the extra data from Cancun on.
fn middle(validators: &[u8], giugliano: Option<(u64, u64)>) -> Vec<u8> {
    let mut items = Vec::new();
    write_string(&mut items, validators);
    // Transaction 1 depends on 0, transaction 0 on none.
    items.extend_from_slice(&[0xc3, 0xc0, 0xc1, 0x80]);
    if let Some((target, denominator)) = giugliano {
        write_uint(&mut items, target);
        write_uint(&mut items, denominator);
    }
    let mut list = Vec::new();
    write_list(&mut list, &items);
    list
}

/// A chain on which the eras follow each other at round heights; London and Jaipur at 1,000.
fn spec() -> ChainSpec {
    let mut spec = ChainSpec::named("polygon").unwrap();
    spec.forks = Forks::new([
        (Fork::London, Activation::Block(1_000)),
        (Fork::Shanghai, Activation::Block(1_500)),
        (Fork::Cancun, Activation::Block(2_000)),
        (Fork::Prague, Activation::Block(2_500)),
    ]);
    let bor = spec.bor.as_mut().unwrap();
    bor.forks = [
        (BorFork::Jaipur, 1_000),
        (BorFork::Delhi, 1_200),
        (BorFork::Bhilai, 1_400),
        (BorFork::Rio, 3_000),
        (BorFork::Dandeli, 3_500),
        (BorFork::Lisovo, 4_000),
        (BorFork::Giugliano, 5_000),
        (BorFork::Chicago, 60_000),
        (BorFork::Valencia, 70_000),
    ]
    .into();
    bor.override_validators.clear();
    bor.sprint = hypasis_chain::bor::Schedule::new([(0, 64), (1_216, 16)]);
    spec
}

/// A parent at `number` and what follows from changing its child.
fn pair(number: u64, change: impl FnOnce(&mut Draft)) -> (Vec<u8>, Vec<u8>) {
    let spec = spec();
    let bor = spec.bor.as_ref().unwrap();
    let base_fee = (number >= 1_000).then_some(U256::from(1_000_000_000_000_u64));
    let list = |number: u64| match number {
        0..2_000 => Vec::new(),
        2_000..5_000 => middle(&[], None),
        _ => middle(&[], Some((15_000_000, 64))),
    };
    let parent = Draft {
        number,
        parent: B256::ZERO,
        time: 1_000_000,
        difficulty: 1,
        gas_used: GAS_LIMIT / 2,
        base_fee,
        middle: list(number),
        covers_base_fee: bor.is_active(BorFork::Jaipur, number),
    };
    let parent = parent.raw(&key(1));
    let mut child = Draft::child_of(&Header::parse(&parent).unwrap(), number + 1);
    child.middle = list(number + 1);
    child.covers_base_fee = bor.is_active(BorFork::Jaipur, number + 1);
    if number + 1 == 1_000 {
        child.base_fee = Some(U256::from(1_000_000_000));
    }
    change(&mut child);
    let raw = child.raw(&key(1));
    (parent, raw)
}

fn check(spans: &Spans, parent: &[u8], child: &[u8]) -> Result<(), Fault> {
    let spec = spec();
    let bor = spec.bor.as_ref().unwrap();
    let (parent, child) = (Header::parse(parent).unwrap(), Header::parse(child).unwrap());
    check_link(&parent, parent.hash(), &child)?;
    check_header(&spec, &child)?;
    check_succession(&spec, &parent, &child)?;
    let parent = Sealed { header: &parent, signer: seal::signer(bor, &parent)? };
    let child = Sealed { header: &child, signer: seal::signer(bor, &child)? };
    check_producer(&spec, spans, &parent, &child)
}

fn span(first: u64, last: u64, keys: &[u8]) -> Spans {
    let mut producers: Vec<Producer> =
        keys.iter().map(|byte| Producer { signer: address(&key(*byte)), power: 10 }).collect();
    producers.sort_unstable_by_key(|one| one.signer);
    Spans::from_iter([Span {
        id: 1,
        start_block: first,
        end_block: last,
        validators: producers.clone(),
        selected_producers: producers,
        proposer: None,
    }])
}

#[test]
fn a_header_of_each_era_is_taken_and_its_seal_recovers() {
    let spec = spec();
    let bor = spec.bor.as_ref().unwrap();
    for number in [500, 998, 999, 1_300, 1_410, 1_600, 2_100, 2_600, 3_001, 4_001, 5_001] {
        let (parent, child) = pair(number, |_| {});
        if number == 999 {
            // The gas limit doubles at London; the drafts' does not.
            assert_eq!(check(&Spans::default(), &parent, &child).unwrap_err().field(), "gasLimit");
            continue;
        }
        check(&span(256, 10_000, &[1]), &parent, &child).unwrap_or_else(|fault| panic!("{number}: {fault}"));
        let header = Header::parse(&child).unwrap();
        assert_eq!(seal::signer(bor, &header).unwrap(), address(&key(1)));
        let fault = check(&span(256, 10_000, &[2]), &parent, &child).unwrap_err();
        assert_eq!(fault, Fault::Signer(address(&key(1))), "{number}");
    }
}

#[test]
fn the_seal_covers_the_base_fee_from_jaipur_on_only() {
    let (parent, child) = pair(1_100, |child| child.covers_base_fee = false);
    assert_eq!(check(&span(256, 10_000, &[1]), &parent, &child).unwrap_err().field(), "seal");
}

#[test]
fn what_an_era_does_not_have_is_refused_by_name() {
    let one = [Producer { signer: address(&key(1)), power: 10 }];
    let bytes = validator_bytes(&one);
    let bare = bytes.clone();
    let listed = middle(&bytes, None);
    let cases: Vec<(u64, Vec<u8>, Option<&str>)> = vec![
        (1_660, bare.clone(), Some("extraData")),
        (1_662, bare.clone(), None),
        (2_094, listed.clone(), None),
        (2_095, listed.clone(), Some("extraData")),
        (2_094, bare, Some("extraData")),
        (3_006, listed.clone(), Some("extraData")),
        (2_100, vec![0xc1], Some("extraData")),
        (2_100, vec![0xc1, 0x80], Some("extraData")),
        (2_100, Vec::new(), Some("extraData")),
        (2_100, vec![0xc3, 0x80, 0xc1, 0x01], Some("extraData")),
        (5_100, middle(&[], None), Some("extraData")),
        (5_100, middle(&[], Some((0, 0))), None),
        (4_100, middle(&[], Some((1, 2))), None),
    ];
    for (number, middle, name) in cases {
        let (parent, child) = pair(number, |child| {
            child.middle = middle;
            child.time += 100;
        });
        let found = check(&span(256, 10_000, &[1]), &parent, &child);
        assert_eq!(found.as_ref().err().map(Fault::field), name, "after {number}: {found:?}");
    }
    let long = vec![0; hypasis_chain::bor::extra::EXTRA_DATA_MAX];
    assert_eq!(Extra::parse(&long[..1 << 10], false).unwrap_err().field(), "extraData");
    let over = [long, vec![0; SEAL]].concat();
    assert_eq!(Extra::parse(&over, false).unwrap_err().field(), "extraData");
}

#[test]
fn base_fees_follow_from_their_parents_by_era() {
    let trillion = 1_000_000_000_000_u64;
    let limit = GAS_LIMIT;
    // (parent's height, its gas used, the child's base fee)
    for (number, used, expected) in [
        (1_100, limit / 2, trillion),
        (1_100, limit, trillion + trillion / 8),
        (1_100, 0, trillion - trillion / 8),
        (1_300, limit, trillion + trillion / 16),
        (1_399, limit, trillion + trillion / 16),
        (1_400, limit, trillion + trillion / 64),
        (1_400, 0, trillion - trillion / 64),
        (3_500, limit * 65 / 100, trillion),
        (3_500, 0, trillion - trillion / 64),
        (3_998, limit / 2, trillion - trillion / 64 * 15 / 65),
    ] {
        let with = |base_fee: u64| {
            let (parent, child) = pair(number, |child| {
                child.base_fee = Some(U256::from(base_fee));
                child.time += 100;
            });
            let parent = Header::parse(&parent).unwrap();
            let mut draft = Draft::child_of(&parent, number);
            draft.gas_used = used;
            draft.base_fee = Some(U256::from(trillion));
            draft.time = parent.timestamp();
            draft.middle = parent.extra_data()[32..parent.extra_data().len() - SEAL].to_vec();
            let parent = draft.raw(&key(1));
            check_succession(&spec(), &Header::parse(&parent).unwrap(), &Header::parse(&child).unwrap())
        };
        with(expected).unwrap_or_else(|fault| panic!("behind {number}: {fault}"));
        for other in [expected - 1, expected + 1] {
            assert_eq!(with(other).unwrap_err().field(), "baseFeePerGas", "behind {number}");
        }
    }
    for (found, name) in [
        (trillion / 100 * 105, None),
        (trillion / 100 * 95, None),
        (trillion / 100 * 105 + 1, Some("baseFeePerGas")),
        (trillion / 100 * 95 - 1, Some("baseFeePerGas")),
    ] {
        let (parent, child) = pair(4_100, |child| child.base_fee = Some(U256::from(found)));
        let found = check(&Spans::default(), &parent, &child);
        assert_eq!(found.as_ref().err().map(Fault::field), name, "{found:?}");
    }
}

#[test]
fn later_forks_leave_the_bound_of_base_fees_as_it_is() {
    for number in [59_990, 60_010, 70_010] {
        for (base_fee, refused) in [(None, false), (Some(U256::from(7)), true)] {
            let (parent, child) = pair(number, |child| {
                child.middle = middle(&[], Some((1, 1)));
                child.base_fee = base_fee.or(child.base_fee);
            });
            let found = check(&Spans::default(), &parent, &child);
            assert_eq!(found.is_err(), refused, "{number}, {base_fee:?}: {found:?}");
        }
    }
}

#[test]
fn blocks_are_not_earlier_than_their_producers_may_be() {
    // (parent's height, seconds, whether they suffice)
    for (number, seconds, enough) in [
        (1_100, 1, false),
        (1_100, 2, true),
        // The first block of a sprint waits for 6 seconds until Rio.
        (1_151, 5, false),
        (1_151, 6, true),
        (3_007, 2, true),
        (3_007, 1, false),
    ] {
        let (parent, child) = pair(number, |child| child.time = 1_000_000 + seconds);
        let found = check(&Spans::default(), &parent, &child);
        let name = (!enough).then_some("timestamp");
        assert_eq!(found.as_ref().err().map(Fault::field), name, "{seconds} s behind {number}: {found:?}");
    }
}

#[test]
fn after_rio_the_difficulty_is_one_and_the_latest_span_names_the_producer() {
    let (parent, child) = pair(3_100, |child| child.difficulty = 2);
    assert_eq!(check(&span(256, 10_000, &[1]), &parent, &child).unwrap_err().field(), "difficulty");
    // Without a span there is some room in the first one behind the fork only.
    check(&Spans::default(), &parent, &child).unwrap();
    let (parent, child) = pair(9_500, |child| child.difficulty = 2);
    assert_eq!(check(&Spans::default(), &parent, &child).unwrap_err().field(), "difficulty");
    let (parent, child) = pair(3_100, |_| {});
    let mut spans = span(3_000, 9_000, &[1]);
    check(&spans, &parent, &child).unwrap();
    let mut later = (**span(3_050, 9_000, &[2]).latest().unwrap()).clone();
    later.id = 2;
    spans.insert(later);
    assert_eq!(check(&spans, &parent, &child).unwrap_err(), Fault::Signer(address(&key(1))));
}

#[test]
fn a_fork_of_the_future_frees_headers_from_what_it_may_have_changed() {
    let mut future = spec();
    future.bor.as_mut().unwrap().unknown_fork = Some(4_500);
    let (_, child) = pair(4_600, |child| child.middle = vec![0xc1]);
    let header = Header::parse(&child).unwrap();
    assert_eq!(check_header(&spec(), &header).unwrap_err().field(), "extraData");
    check_header(&future, &header).unwrap();
}
