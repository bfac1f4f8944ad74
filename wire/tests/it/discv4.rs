//! Packets of discv4: the vectors of EIP-8 and EIP-868, round trips, bounds.

use std::net::{IpAddr, Ipv6Addr};

use alloy_primitives::{B256, B512, hex, keccak256};
use bytes::Bytes;
use hypasis_wire::discv4::{
    Endpoint, EnrRequest, EnrResponse, FindNode, MAX_NEIGHBORS, MAX_NEIGHBORS_PER_PACKET, MAX_PACKET_SIZE,
    MAX_RECORD_SIZE, Message, MessageId, Neighbors, Packet, PacketError, Ping, Pong, RlpError,
};
use hypasis_wire::node::{NodeRecord, own_id, sign_recoverable};
use proptest::collection::vec;
use proptest::prelude::*;
use secp256k1::SecretKey;

const EXPIRE: u64 = 1_136_239_445;
const TARGET: B512 = B512::new(hex!(
    "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc"
    "56be00812904767bf5ccd1fc7f"
));

#[test]
fn pings_of_eip_8_are_read() {
    let ping = Ping {
        from: endpoint("127.0.0.1", 3322, 5544),
        to: endpoint("::1", 2222, 3333),
        expire: EXPIRE,
        enr_sq: None,
    };
    let plain = hex!(
        "71dbda3a79554728d4f94411e42ee1f8b0d561c10e1e5f5893367948c6a7d70bb87b235fa28a77070271b6c164a2dce8c7"
        "e13a5739b53b5e96f2e5acb0e458a02902f5965d55ecbeb2ebb6cabb8b2b232896a36b737666c55265ad0a68412f250001"
        "ea04cb847f000001820cfa8215a8d790000000000000000000000000000000018208ae820d058443b9a355"
    );
    assert_eq!(read(&plain), Message::Ping(ping));
    // One item more is the number of a record since EIP-868, the one after it nobody's.
    let more = hex!(
        "e9614ccfd9fc3e74360018522d30e1419a143407ffcce748de3e22116b7e8dc92ff74788c0b6663aaa3d67d641936511c8"
        "f8d6ad8698b820a7cf9e1be7155e9a241f556658c55428ec0563514365799a4be2be5a685a80971ddcfa80cb422cdd0101"
        "ec04cb847f000001820cfa8215a8d790000000000000000000000000000000018208ae820d058443b9a3550102"
    );
    assert_eq!(read(&more), Message::Ping(Ping { enr_sq: Some(1), ..ping }));
    // Version 555, a list where the record's number would be, and random bytes after the list.
    let version_555 = hex!(
        "577be4349c4dd26768081f58de4c6f375a7a22f3f7adda654d1428637412c3d7fe917cadc56d4e5e7ffae1dbe3efffb984"
        "9feb71b262de37977e7c7a44e677295680e9e38ab26bee2fcbae207fba3ff3d74069a50b902a82c9903ed37cc993c50001"
        "f83e82022bd79020010db83c4d001500000000abcdef12820cfa8215a8d79020010db885a308d313198a2e037073488208"
        "ae82823a8443b9a355c5010203040531b9019afde696e582a78fa8d95ea13ce3297d4afb8ba6433e4154caa5ac6431af1b"
        "80ba76023fa4090c408f6b4bc3701562c031041d4702971d102c9ab7fa5eed4cd6bab8f7af956f7d565ee1917084a95398"
        "b6a21eac920fe3dd1345ec0a7ef39367ee69ddf092cbfe5b93e5e568ebc491983c09c76d922dc3"
    );
    let ping = Ping {
        from: endpoint("2001:db8:3c4d:15::abcd:ef12", 3322, 5544),
        to: endpoint("2001:db8:85a3:8d3:1319:8a2e:370:7348", 2222, 33338),
        ..ping
    };
    assert_eq!(read(&version_555), Message::Ping(ping));
}

#[test]
fn the_pong_of_eip_8_is_read() {
    let pong = hex!(
        "09b2428d83348d27cdf7064ad9024f526cebc19e4958f0fdad87c15eb598dd61d08423e0bf66b2069869e1724125f820d8"
        "51c136684082774f870e614d95a2855d000f05d1648b2d5945470bc187c2d2216fbe870f43ed0909009882e176a46b0102"
        "f846d79020010db885a308d313198a2e037073488208ae82823aa0fbc914b16819237dcd8801d7e53f69e9719adecb3cc0"
        "e790c57e91ca4461c9548443b9a355c6010203c2040506a0c969a58f6f9095004c0177a6b47f451530cab38966a25cca5c"
        "b58f055542124e"
    );
    let want = Pong {
        to: endpoint("2001:db8:85a3:8d3:1319:8a2e:370:7348", 2222, 33338),
        echo: B256::new(hex!("fbc914b16819237dcd8801d7e53f69e9719adecb3cc0e790c57e91ca4461c954")),
        expire: EXPIRE,
        enr_sq: None,
    };
    assert_eq!(read(&pong), Message::Pong(want));
}

#[test]
fn findnode_and_neighbors_of_eip_8_are_read() {
    let find = hex!(
        "c7c44041b9f7c7e41934417ebac9a8e1a4c6298f74553f2fcfdcae6ed6fe53163eb3d2b52e39fe91831b8a927bf4fc222c"
        "3902202027e5e9eb812195f95d20061ef5cd31d502e47ecb61183f74a504fe04c51e73df81f25c4d506b26db4517490103"
        "f84eb840ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c"
        "44e9e6d569fc56be00812904767bf5ccd1fc7f8443b9a35582999983999999280dc62cc8255c73471e0a61da0c89acdc0e"
        "035e260add7fc0c04ad9ebf3919644c91cb247affc82b69bd2ca235c71eab8e49737c937a2c396"
    );
    assert_eq!(read(&find), Message::FindNode(FindNode { id: TARGET, expire: EXPIRE }));
    let neighbors = hex!(
        "c679fc8fe0b8b12f06577f2e802d34f6fa257e6137a995f6f4cbfc9ee50ed3710faf6e66f932c4c8d81d64343f42965132"
        "8758b47d3dbc02c4042f0fff6946a50f4a49037a72bb550f3a7872363a83e1b9ee6469856c24eb4ef80b7535bcf99c0004"
        "f9015bf90150f84d846321163782115c82115db8403155e1427f85f10a5c9a7755877748041af1bcd8d474ec065eb33df5"
        "7a97babf54bfd2103575fa829115d224c523596b401065a97f74010610fce76382c0bf32f84984010203040101b840312c"
        "55512422cf9b8a4097e9a6ad79402e87a15ae909a4bfefa22398f03d20951933beea1e4dfa6f968212385e829f04c2d314"
        "fc2d4e255e0d3bc08792b069dbf8599020010db83c4d001500000000abcdef12820d05820d05b84038643200b172dcfef8"
        "57492156971f0e6aa2c538d8b74010f8e140811d53b98c765dd2d96126051913f44582e8c199ad7c6d6819e9a56483f637"
        "feaac9448aacf8599020010db885a308d313198a2e037073488203e78203e8b8408dcab8618c3253b558d459da53bd8fa6"
        "8935a719aff8b811197101a4b2b47dd2d47295286fc00cc081bb542d760717d1bdd6bec2c37cd72eca367d6dd3b9df7384"
        "43b9a355010203b525a138aa34383fec3d2719a0"
    );
    let Message::Neighbors(Neighbors { nodes, expire }) = read(&neighbors) else { panic!("not neighbors") };
    assert_eq!(expire, EXPIRE);
    let places: Vec<_> =
        nodes.iter().map(|node| (node.address.to_string(), node.udp_port, node.tcp_port)).collect();
    let want = [
        ("99.33.22.55", 4444, 4445),
        ("1.2.3.4", 1, 1),
        ("2001:db8:3c4d:15::abcd:ef12", 3333, 3333),
        ("2001:db8:85a3:8d3:1319:8a2e:370:7348", 999, 1000),
    ];
    assert_eq!(places, want.map(|(ip, udp, tcp)| (ip.to_owned(), udp, tcp)));
    assert_eq!(nodes[0].id[..4], hex!("3155e142"));
    assert_eq!(nodes[3].id[60..], hex!("d3b9df73"));
}

#[test]
fn the_record_of_eip_778_is_carried_byte_for_byte() {
    // The example record of EIP-778, 127.0.0.1 with UDP port 30303, as RLP.
    let record = hex!(
        "f884b8407098ad865b00a582051940cb9cf36836572411a47278783077011599ed5cd16b76f2635f4e234738f30813a89e"
        "b9137e3e3df5266e3a1f11df72ecf1145ccb9c01826964827634826970847f00000189736563703235366b31a103ca634c"
        "ae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31388375647082765f"
    );
    let response = EnrResponse { request_hash: B256::repeat_byte(7), enr: Bytes::copy_from_slice(&record) };
    assert_eq!(written_and_read(&Message::EnrResponse(response.clone())), Message::EnrResponse(response));
}

#[test]
fn records_over_300_bytes_are_refused() {
    let record = |length: usize| {
        let payload = alloy_rlp::encode(&vec![0x80u8; length][..]);
        let enr = super::messages::arbitrary::list(&[payload.into()]);
        let message = Message::EnrResponse(EnrResponse { request_hash: B256::ZERO, enr: enr.clone() });
        (enr.len(), Packet::decode(&message.encode(&key()).0))
    };
    let (length, read) = record(294);
    assert_eq!(length, MAX_RECORD_SIZE);
    assert!(read.is_ok());
    let (length, read) = record(295);
    assert_eq!(length, MAX_RECORD_SIZE + 1);
    let refused = PacketError::Malformed {
        id: MessageId::EnrResponse,
        source: RlpError::Length { field: "record", length },
    };
    assert_eq!(read, Err(refused));
}

#[test]
fn a_full_packet_of_ipv6_neighbors_fits() {
    let nodes = vec![node(Ipv6Addr::from([0xff; 16]).into(), u16::MAX); MAX_NEIGHBORS];
    let messages = Neighbors::split(&nodes, u64::MAX);
    assert_eq!(messages.iter().map(|one| one.nodes.len()).collect::<Vec<_>>(), [MAX_NEIGHBORS_PER_PACKET, 4]);
    let (datagram, _) = Message::Neighbors(messages[0].clone()).encode(&key());
    assert!(datagram.len() <= MAX_PACKET_SIZE);
    let node = 1 + 1 + 17 + 3 + 3 + 66;
    assert!(datagram.len() + node > MAX_PACKET_SIZE, "one more would not fit");
    assert_eq!(Neighbors::split(&[], 1), [Neighbors { nodes: vec![], expire: 1 }]);
}

#[test]
fn more_neighbors_than_fit_are_refused() {
    let nodes = vec![node([1, 2, 3, 4].into(), 1); MAX_NEIGHBORS_PER_PACKET + 1];
    let (datagram, _) = Message::Neighbors(Neighbors { nodes, expire: 1 }).encode(&key());
    assert!(datagram.len() <= MAX_PACKET_SIZE);
    assert!(matches!(Packet::decode(&datagram), Err(PacketError::Malformed { .. })));
}

#[test]
fn an_empty_address_is_read_as_unspecified_and_one_of_five_bytes_is_not_read() {
    let ping = |ip: &[u8]| {
        let item = |list: &[&[u8]]| -> Bytes {
            let items: Vec<Bytes> = list.iter().map(|one| Bytes::copy_from_slice(one)).collect();
            super::messages::arbitrary::list(&items)
        };
        let place = item(&[&alloy_rlp::encode(ip), &[0x01], &[0x80]]);
        let content = [&[0x01][..], &item(&[&[0x04], &place, &place, &[0x09]])].concat();
        let signature = sign_recoverable(&key(), keccak256(&content).0);
        let signed = [&signature[..], &content].concat();
        Packet::decode(&[keccak256(&signed).as_slice(), &signed].concat())
    };
    let Ok(Packet { message: Message::Ping(read), .. }) = ping(&[]) else { panic!("not a ping") };
    assert!(read.from.address.is_unspecified());
    assert!(ping(&[127, 0, 0, 1]).is_ok());
    assert!(ping(&[127, 0, 0, 1, 1]).is_err());
}

#[test]
fn datagrams_of_impossible_length_are_refused() {
    for length in [0, 97, MAX_PACKET_SIZE + 1] {
        assert_eq!(Packet::decode(&vec![0; length]), Err(PacketError::Size { length }));
    }
    assert_eq!(Packet::decode(&[0; 98]), Err(PacketError::Hash));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_packet_is_read_as_it_was_written(message in message()) {
        prop_assert_eq!(written_and_read(&message), message);
    }

    #[test]
    fn a_flipped_bit_is_noticed(message in message(), place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut datagram = message.encode(&key()).0.to_vec();
        let place = place.index(datagram.len());
        datagram[place] ^= 1 << bit;
        prop_assert_eq!(Packet::decode(&datagram), Err(PacketError::Hash));
    }
}

pub(crate) fn message() -> impl Strategy<Value = Message> {
    let ip = || prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), v6().prop_map(IpAddr::from)];
    let endpoint = move || {
        (ip(), any::<u16>(), any::<u16>()).prop_map(|(address, udp_port, tcp_port)| Endpoint {
            address,
            udp_port,
            tcp_port,
        })
    };
    let hash = || any::<[u8; 32]>().prop_map(B256::from);
    prop_oneof![
        (endpoint(), endpoint(), any::<u64>(), any::<Option<u64>>())
            .prop_map(|(from, to, expire, enr_sq)| Message::Ping(Ping { from, to, expire, enr_sq })),
        (endpoint(), hash(), any::<u64>(), any::<Option<u64>>())
            .prop_map(|(to, echo, expire, enr_sq)| Message::Pong(Pong { to, echo, expire, enr_sq })),
        any::<u64>().prop_map(|expire| Message::FindNode(FindNode { id: TARGET, expire })),
        (vec((ip(), any::<u16>()), 0..=MAX_NEIGHBORS_PER_PACKET), any::<u64>()).prop_map(
            |(places, expire)| {
                let nodes = places.into_iter().map(|(ip, port)| node(ip, port)).collect();
                Message::Neighbors(Neighbors { nodes, expire })
            }
        ),
        any::<u64>().prop_map(|expire| Message::EnrRequest(EnrRequest { expire })),
        (hash(), super::messages::arbitrary::rlp_list())
            .prop_map(|(request_hash, enr)| Message::EnrResponse(EnrResponse { request_hash, enr })),
    ]
}

/// Any IPv6 address that does not stand for an IPv4 one.
fn v6() -> impl Strategy<Value = [u8; 16]> {
    any::<[u8; 16]>().prop_filter("mapped", |octets| Ipv6Addr::from(*octets).to_ipv4_mapped().is_none())
}

fn written_and_read(message: &Message) -> Message {
    let (datagram, hash) = message.encode(&key());
    let packet = Packet::decode(&datagram).unwrap();
    assert_eq!((packet.hash, packet.node_id), (hash, own_id(&key())));
    packet.message
}

fn read(datagram: &[u8]) -> Message {
    let packet = Packet::decode(datagram).unwrap();
    assert_eq!(packet.node_id, own_id(&key()), "who signed it");
    packet.message
}

/// The key of the vectors.
pub(crate) fn key() -> SecretKey {
    let key = hex!("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291");
    SecretKey::from_byte_array(key).unwrap()
}

fn endpoint(ip: &str, udp_port: u16, tcp_port: u16) -> Endpoint {
    Endpoint { address: ip.parse().unwrap(), udp_port, tcp_port }
}

fn node(address: IpAddr, port: u16) -> NodeRecord {
    NodeRecord { id: TARGET, address, tcp_port: port, udp_port: port }
}
