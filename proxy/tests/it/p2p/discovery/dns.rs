//! Nodes from lists in DNS, served by a resolver on loopback.

use std::collections::HashMap;

use alloy_primitives::keccak256;
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use hypasis_proxy::p2p::discovery::TreeUrl;
use secp256k1::{Message, PublicKey, Secp256k1};
use tokio::net::UdpSocket;

use super::*;

const TXT: u16 = 16;

/// A zone, by names in lower case.
type Zone = HashMap<String, String>;

/// Answers TXT from a zone, until the test's runtime ends.
async fn serve(zone: Zone) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1_500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&answer(&buffer[..length], &zone), from).await;
        }
    });
    address
}

/// The answer to a question for one name: its TXT record, or that there is none.
fn answer(question: &[u8], zone: &Zone) -> Vec<u8> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).to_lowercase());
        at += 1 + length;
    }
    let end = at + 5;
    let wants_text = question[at + 1..at + 3] == TXT.to_be_bytes();
    let text = zone.get(&labels.join(".")).filter(|_| wants_text);
    let mut answer = question[..2].to_vec();
    answer.extend([
        0x81,
        if text.is_some() { 0x80 } else { 0x83 },
        0,
        1,
        0,
        u8::from(text.is_some()),
        0,
        0,
        0,
        0,
    ]);
    answer.extend(&question[12..end]);
    if let Some(text) = text {
        // A string of TXT has 255 bytes at most.
        let data: Vec<u8> =
            text.as_bytes().chunks(200).flat_map(|part| [&[part.len() as u8], part].concat()).collect();
        answer.extend([0xc0, 12, 0, TXT as u8, 0, 1, 0, 0, 0, 60]);
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    answer
}

/// Puts a record under its hash and returns that name.
fn put(zone: &mut Zone, domain: &str, text: String) -> String {
    let name = BASE32_NOPAD.encode(&keccak256(&text)[..16]);
    zone.insert(format!("{}.{domain}", name.to_lowercase()), text);
    name
}

/// A tree of these records, each in a branch of its own, signed by `signer`; its URL names the key of `owner`.
fn tree(
    zone: &mut Zone,
    domain: &str,
    records: Vec<String>,
    signer: &SecretKey,
    owner: &SecretKey,
) -> TreeUrl {
    let curve = Secp256k1::new();
    let mut names = Vec::new();
    for record in records {
        let leaf = put(zone, domain, record);
        names.push(put(zone, domain, format!("enrtree-branch:{leaf}")));
    }
    let nodes = put(zone, domain, format!("enrtree-branch:{}", names.join(",")));
    let links = put(zone, domain, "enrtree-branch:".to_owned());
    let root = format!("enrtree-root:v1 e={nodes} l={links} seq=7");
    let digest = Message::from_digest(keccak256(&root).0);
    let signature = curve.sign_ecdsa(digest, signer).serialize_compact();
    let signature = BASE64URL_NOPAD.encode(&[&signature[..], &[0]].concat());
    zone.insert(domain.to_owned(), format!("{root} sig={signature}"));
    let key = BASE32_NOPAD.encode(&PublicKey::from_secret_key(&curve, owner).serialize());
    format!("enrtree://{key}@{domain}").parse().unwrap()
}

/// A node that knows nobody but reads these lists.
async fn reader(zone: Zone, dns: Vec<TreeUrl>) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let at = "127.0.0.1:0".parse().unwrap();
    let server = serve(zone).await;
    let (key, dns) = (random_key(), (dns, Some(server)));
    let node = Node::with(at, &key, fork(1), V4, Vec::new(), folder.path(), dns).await;
    Node { _folder: Some(folder), ..node }
}

#[tokio::test]
async fn nodes_of_our_fork_in_a_signed_list_are_offered() {
    let (ours, other) = (Node::start(V4, Vec::new()).await, Node::of_fork(2, V4, Vec::new()).await);
    let key = random_key();
    let records = vec![other.discovery.record(), ours.discovery.record()];
    let mut zone = Zone::new();
    let url = tree(&mut zone, "nodes.example.org", records, &key, &key);
    let reader = reader(zone, vec![url]).await;
    assert_eq!(reader.offered(ours.id()).await, HashSet::from([ours.id()]));
}

#[tokio::test]
async fn a_list_that_is_altered_or_signed_by_another_key_gives_nobody() {
    let (key, mut zone) = (random_key(), Zone::new());
    let [hidden, put_in] = [Node::start(V4, Vec::new()).await, Node::start(V4, Vec::new()).await];
    let record = hidden.discovery.record();
    let forged = tree(&mut zone, "forged.example.org", vec![record.clone()], &random_key(), &key);
    let altered = tree(&mut zone, "altered.example.org", vec![record.clone()], &key, &key);
    let names =
        zone.iter_mut().filter(|(name, text)| name.ends_with("altered.example.org") && **text == record);
    names.for_each(|(_, text)| *text = put_in.discovery.record());
    // The lists are read in turns, and this one is the longest: when all of it was offered, the others were read.
    let mut sound = Vec::new();
    for _ in 0..4 {
        sound.push(Node::start(V4, Vec::new()).await);
    }
    let records = sound.iter().map(|node| node.discovery.record()).collect();
    let url = tree(&mut zone, "sound.example.org", records, &key, &key);
    let reader = reader(zone, vec![forged, altered, url]).await;
    let wanted: HashSet<PeerId> = sound.iter().map(Node::id).collect();
    let mut offered = HashSet::new();
    let all = async {
        while offered.len() < wanted.len() {
            offered.insert(reader.discovery.next_candidate().await.node.id);
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("the sound list was not read");
    assert_eq!(offered, wanted);
}
