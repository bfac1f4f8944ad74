//! `enode://` records.

use std::net::SocketAddr;

use hypasis_wire::node::{NodeRecord, NodeRecordError, id2pk, own_id, pk2id, random_key};
use proptest::prelude::*;

/// The first bootnode of Geth v1.17.5 (`params/bootnodes.go`).
const BOOTNODE: &str = "enode://d860a01f9722d78051619d1e2351aba3f43f943f6f00718d1b9baa4101932a1f5011f16bb2b1bb35db20d6fe28fa0bf09636d26a87d31de9ec6203eeedb1f666@18.138.108.67:30303";

#[test]
fn a_published_record_reads_and_writes_back() {
    let record: NodeRecord = BOOTNODE.parse().unwrap();
    assert_eq!(record.tcp_addr(), "18.138.108.67:30303".parse().unwrap());
    assert_eq!(record.udp_addr(), record.tcp_addr());
    assert_eq!(record.to_string(), BOOTNODE);
    assert_eq!(pk2id(&id2pk(record.id).unwrap()), record.id);
}

#[test]
fn a_record_that_is_none_says_what_it_lacks() {
    let cases: [(String, NodeRecordError); 8] = [
        (BOOTNODE.replace("enode", "enr"), NodeRecordError::Scheme),
        (BOOTNODE.replace('@', ""), NodeRecordError::NoHost),
        (BOOTNODE.replace("d860", "d8"), NodeRecordError::IdLength(126)),
        (BOOTNODE.replace("d860", "zzzz"), NodeRecordError::IdHex),
        (BOOTNODE.replace("d860", "0000"), NodeRecordError::NotOnCurve),
        (BOOTNODE.replace(":30303", ""), NodeRecordError::Address("18.138.108.67".to_owned())),
        (format!("{BOOTNODE}?discport=x"), NodeRecordError::DiscoveryPort("x".to_owned())),
        (format!("{BOOTNODE}?x={}", "y".repeat(100)), NodeRecordError::TooLong(BOOTNODE.len() + 103)),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<NodeRecord>().unwrap_err(), error, "{text}");
    }
}

proptest! {
    #[test]
    fn every_record_reads_back(address: SocketAddr, udp_port: u16) {
        let mut record = NodeRecord::from_secret_key(address, &random_key());
        record.udp_port = udp_port;
        prop_assert_eq!(record.to_string().parse::<NodeRecord>().unwrap(), record);
        prop_assert_eq!(record.tcp_addr().port(), address.port());
    }

    #[test]
    fn any_text_is_a_record_or_an_error(text in "(enode://)?[0-9a-f]{0,130}@?.{0,60}") {
        let _either = text.parse::<NodeRecord>();
    }
}

#[test]
fn an_own_id_is_the_public_key_without_its_format_byte() {
    let key = secp256k1::SecretKey::from_byte_array([1; 32]).unwrap();
    assert_eq!(
        own_id(&key).to_string(),
        "0x1b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f70beaf8f588b541507fed6a642c5ab42dfdf8120a7f639de5122d47a69a8e8d1"
    );
}
