//! Packets that are broken, foreign, too many, or asked for by nobody.

use std::net::IpAddr;

use hypasis_wire::discv4::{
    Endpoint, EnrRequest, EnrResponse, FindNode, Message, Neighbors, Packet, Ping, Pong,
};
use tokio::net::UdpSocket;

use super::*;

/// More than any bucket structure of sixteen a bucket may hold.
const TABLE_MAX: usize = 17 * 16;
const EXPIRE: u64 = 4_000_000_000;

/// Someone who speaks discv4 by hand.
struct Stranger {
    key: SecretKey,
    socket: UdpSocket,
    to: SocketAddr,
}

impl Stranger {
    async fn at(ip: &str, node: &Node) -> Self {
        let socket = UdpSocket::bind(SocketAddr::new(ip.parse::<IpAddr>().unwrap(), 0)).await.unwrap();
        Self { key: random_key(), socket, to: node.discovery.address() }
    }

    async fn say(&self, message: Message) -> alloy_primitives::B256 {
        let (datagram, hash) = message.encode(&self.key);
        self.socket.send_to(&datagram, self.to).await.unwrap();
        hash
    }

    /// The next packet that is not a question for the stranger's record, which any node may ask.
    async fn hear(&self) -> Packet {
        let mut buffer = [0; 1280];
        loop {
            let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await;
            let length = received.expect("no answer in time").unwrap();
            let packet = Packet::decode(&buffer[..length]).unwrap();
            if !matches!(packet.message, Message::EnrRequest(_)) {
                return packet;
            }
        }
    }

    fn ping(&self) -> Message {
        let from = Endpoint::new(self.socket.local_addr().unwrap(), 30303);
        Message::Ping(Ping { from, to: Endpoint::new(self.to, 0), expire: EXPIRE, enr_sq: None })
    }

    /// Sends a ping, is answered and pinged back, and answers that with `echo` of its hash.
    async fn greet(&self, echo: impl Fn(alloy_primitives::B256) -> alloy_primitives::B256) {
        let pinged = self.say(self.ping()).await;
        let Message::Pong(pong) = self.hear().await.message else { panic!("no pong") };
        assert_eq!(pong.echo, pinged);
        assert_eq!(pong.to.udp_addr(), self.socket.local_addr().unwrap());
        let back = self.hear().await;
        assert!(matches!(back.message, Message::Ping(_)), "{back:?}");
        let echo = echo(back.hash);
        let to = Endpoint::new(self.to, 0);
        self.say(Message::Pong(Pong { to, echo, expire: EXPIRE, enr_sq: None })).await;
    }

    /// What was sent before got no answer: the next answer is that to a ping.
    async fn was_ignored(&self) {
        let pinged = self.say(self.ping()).await;
        loop {
            match self.hear().await.message {
                Message::Pong(pong) => return assert_eq!(pong.echo, pinged),
                Message::Ping(_) => {}
                other => panic!("an answer to what should be ignored: {other:?}"),
            }
        }
    }
}

fn find_node() -> Message {
    Message::FindNode(FindNode { id: PeerId::repeat_byte(1), expire: EXPIRE })
}

#[tokio::test]
async fn only_who_proved_its_address_gets_more_than_a_pong() {
    let node = Node::start(BOTH, Vec::new()).await;
    let stranger = Stranger::at("127.0.0.1", &node).await;
    stranger.say(find_node()).await;
    stranger.say(Message::EnrRequest(EnrRequest { expire: EXPIRE })).await;
    stranger.was_ignored().await;

    let liar = Stranger::at("127.0.0.1", &node).await;
    liar.greet(|_| alloy_primitives::B256::ZERO).await;
    liar.say(find_node()).await;
    liar.was_ignored().await;

    let honest = Stranger::at("127.0.0.1", &node).await;
    honest.greet(|hash| hash).await;
    honest.say(find_node()).await;
    assert!(matches!(honest.hear().await.message, Message::Neighbors(_)));
    honest.say(Message::EnrRequest(EnrRequest { expire: EXPIRE })).await;
    assert!(matches!(honest.hear().await.message, Message::EnrResponse(_)));
    // From elsewhere it is a stranger again.
    let moved = Stranger { key: honest.key, ..Stranger::at("127.0.0.2", &node).await };
    moved.say(find_node()).await;
    moved.was_ignored().await;
}

#[tokio::test]
async fn neighbours_that_nobody_asked_for_are_not_told_to_anyone() {
    let node = Node::start(V4, Vec::new()).await;
    let liar = Stranger::at("127.0.0.1", &node).await;
    liar.greet(|hash| hash).await;
    let victim = NodeRecord::from_secret_key("127.0.0.1:40000".parse().unwrap(), &random_key());
    liar.say(Message::Neighbors(Neighbors { nodes: vec![victim], expire: EXPIRE })).await;
    let asker = Stranger::at("127.0.0.1", &node).await;
    asker.greet(|hash| hash).await;
    asker.say(find_node()).await;
    let Message::Neighbors(told) = asker.hear().await.message else { panic!("no neighbours") };
    assert!(told.nodes.iter().all(|node| node.id != victim.id), "{told:?}");
    assert!(told.nodes.iter().any(|node| node.id == own_id(&liar.key)), "who is live is told: {told:?}");
}

#[tokio::test]
async fn expired_packets_are_ignored() {
    let node = Node::start(V4, Vec::new()).await;
    let stranger = Stranger::at("127.0.0.1", &node).await;
    for expire in [0, 1_000_000_000, u64::MAX] {
        let Message::Ping(ping) = stranger.ping() else { unreachable!() };
        stranger.say(Message::Ping(Ping { expire, ..ping })).await;
    }
    stranger.was_ignored().await;
}

#[tokio::test]
async fn broken_and_foreign_datagrams_are_survived() {
    for versions in [V4, V5, BOTH] {
        let node = Node::start(versions, Vec::new()).await;
        let stranger = Stranger::at("127.0.0.1", &node).await;
        let (ping, _) = stranger.ping().encode(&stranger.key);
        for length in 0..ping.len() {
            stranger.socket.send_to(&ping[..length], stranger.to).await.unwrap();
            let mut flipped = ping.to_vec();
            flipped[length] ^= 0x55;
            stranger.socket.send_to(&flipped, stranger.to).await.unwrap();
        }
        for length in [1_usize, 62, 63, 98, 1279, 1280, 1281, 9000, 60_000] {
            let noise: Vec<u8> = (0..length).map(|_| rand::random()).collect();
            stranger.socket.send_to(&noise, stranger.to).await.unwrap();
        }
        let friend = Node::start(versions, vec![node.enr()]).await;
        friend.offered(node.id()).await;
        assert!(node.discovery.nodes().0 <= 2, "broken packets introduce nobody");
    }
}

#[tokio::test]
async fn a_flood_fills_no_more_than_the_table_and_leaves_other_addresses_served() {
    let node = Node::start(BOTH, Vec::new()).await;
    let flood = Stranger::at("127.0.0.1", &node).await;
    for _ in 0..10_000 {
        let (datagram, _) = flood.ping().encode(&random_key());
        // A full socket is part of a flood.
        let _ = flood.socket.try_send_to(&datagram, flood.to);
    }
    let honest = Stranger::at("127.0.0.2", &node).await;
    honest.greet(|hash| hash).await;
    honest.say(find_node()).await;
    assert!(matches!(honest.hear().await.message, Message::Neighbors(_)));
    let (v4, v5) = node.discovery.nodes();
    assert!(v4 <= TABLE_MAX && v5 == 0, "{v4} and {v5} nodes");
}

/// Who answers by discv4 alone, with a record that names `socket` as its own.
async fn tell_record_of(node: &Node, stranger: &Stranger, socket: SocketAddr) {
    let key = enr::CombinedKey::secp256k1_from_bytes(&mut stranger.key.secret_bytes()).unwrap();
    let entry = alloy_eip2124::EnrForkIdEntry::from(fork(1));
    let mut builder = enr::Enr::builder();
    builder.ip(socket.ip()).udp4(socket.port()).tcp4(30303).add_value("eth", &entry);
    let record = alloy_rlp::encode(builder.build(&key).unwrap());
    stranger.greet(|hash| hash).await;
    let mut buffer = [0; 1280];
    let asked = loop {
        let length =
            tokio::time::timeout(PATIENCE, stranger.socket.recv(&mut buffer)).await.unwrap().unwrap();
        let packet = Packet::decode(&buffer[..length]).unwrap();
        if matches!(packet.message, Message::EnrRequest(_)) {
            break packet.hash;
        }
    };
    stranger.say(Message::EnrResponse(EnrResponse { request_hash: asked, enr: record.into() })).await;
    node.offered(own_id(&stranger.key)).await;
}

/// All nodes that `node` tells to whoever asks it by discv5.
async fn told_by_v5(node: &Node) -> Vec<enr::NodeId> {
    let key = enr::CombinedKey::generate_secp256k1();
    let listen = discv5::ListenConfig::Ipv4 { ip: [127, 0, 0, 1].into(), port: 0 };
    let config = discv5::ConfigBuilder::new(listen).build();
    let enr = enr::Enr::builder().build(&key).unwrap();
    let mut asker: discv5::Discv5 = discv5::Discv5::new(enr, key, config).unwrap();
    asker.start().await.unwrap();
    let known: discv5::Enr = node.discovery.record().parse().unwrap();
    let mut told = Vec::new();
    // A question may name so many distances only that each bucket's nodes fit; most nodes are far away.
    for distances in [(200..=250).collect::<Vec<u64>>(), vec![251, 252], vec![253, 254], vec![255], vec![256]]
    {
        let nodes = asker.find_node_designated_peer(known.clone(), distances).await.unwrap();
        told.extend(nodes.iter().map(enr::Enr::node_id));
    }
    told
}

#[tokio::test]
async fn nobody_is_told_by_v5_of_a_node_that_has_not_answered_there() {
    let node = Node::start(BOTH, Vec::new()).await;
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    // One whose record points at another's port, and one that does not speak discv5 where it truly is.
    let liar = Stranger::at("127.0.0.1", &node).await;
    tell_record_of(&node, &liar, silent.local_addr().unwrap()).await;
    let deaf = Stranger::at("127.0.0.1", &node).await;
    tell_record_of(&node, &deaf, deaf.socket.local_addr().unwrap()).await;
    assert!(told_by_v5(&node).await.is_empty());
    let mut buffer = [0; 1];
    assert!(silent.try_recv(&mut buffer).is_err(), "nothing is sent to whom a stranger points at");

    // One that answers is told.
    let friend = Node::start(BOTH, vec![node.enr()]).await;
    until(|| node.discovery.nodes().1 > 0).await;
    let friend = friend.enr().enr().unwrap().node_id();
    assert_eq!(told_by_v5(&node).await, [friend]);
}
