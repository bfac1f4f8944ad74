//! Exchanges hello with a node, in either direction, and shows what it says.
//!
//! * `cargo run -p hypasis-wire --example hello -- listen 127.0.0.1:30303` prints an enode URL, then a line
//!   for each peer; try it with go-ethereum's `devp2p rlpx ping <url>`
//! * `cargo run -p hypasis-wire --example hello -- dial <enode url>` pings the node once and hangs up

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to people")]

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use hypasis_wire::ecies::ECIESStream;
use hypasis_wire::node::{NodeRecord, own_id, random_key};
use hypasis_wire::p2p::{
    Capability, DisconnectReason, HelloMessage, HelloMessageWithProtocols, P2PEvent, Protocol,
    UnauthedP2PStream,
};
use secp256k1::SecretKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// For each step with a peer.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["listen", address] => listen(address).await,
        ["dial", url] => dial(url).await,
        _ => Err("say `listen <ip:port>` or `dial <enode url>`".into()),
    }
}

async fn listen(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    let key = random_key();
    println!("{}", NodeRecord::from_secret_key(listener.local_addr()?, &key));
    loop {
        let (transport, address) = listener.accept().await?;
        match timeout(PATIENCE, receive(transport, &key)).await {
            Ok(Ok(())) => println!("{address} answered our ping"),
            Ok(Err(error)) => println!("{address}: {error}"),
            Err(_) => println!("{address} was silent"),
        }
    }
}

async fn receive(transport: TcpStream, key: &SecretKey) -> Result<(), Box<dyn Error>> {
    let encrypted = ECIESStream::incoming(transport, *key).await?;
    println!("{:x} has shaken hands", encrypted.remote_id());
    talk(encrypted, key).await
}

async fn dial(url: &str) -> Result<(), Box<dyn Error>> {
    let node: NodeRecord = url.parse()?;
    let key = random_key();
    let transport = timeout(PATIENCE, TcpStream::connect(node.tcp_addr())).await??;
    let encrypted = timeout(PATIENCE, ECIESStream::connect(transport, key, node.id)).await??;
    timeout(PATIENCE, talk(encrypted, &key)).await?
}

async fn talk(encrypted: ECIESStream<TcpStream>, key: &SecretKey) -> Result<(), Box<dyn Error>> {
    let (mut peer, theirs) = UnauthedP2PStream::new(encrypted).handshake(hello(key)).await?;
    let offered: Vec<String> = theirs.capabilities.iter().map(ToString::to_string).collect();
    println!("{} speaks {}", theirs.client_version, offered.join(", "));
    for shared in peer.shared_capabilities() {
        println!("shared: {} at {:#04x}", shared.capability, 0x10 + shared.offset);
    }
    peer.send_ping();
    while let Some(event) = peer.next().await {
        match event? {
            P2PEvent::Pong => {
                println!("pong");
                peer.disconnect(DisconnectReason::ClientQuitting).await?;
                return Ok(());
            }
            P2PEvent::Message { id, payload } => {
                println!("message {:#04x}: {} bytes", 0x10 + id, payload.len())
            }
        }
    }
    Err("hung up before a pong".into())
}

fn hello(key: &SecretKey) -> HelloMessageWithProtocols {
    let versions = [(68, 17), (69, 18), (70, 18)];
    let protocols = versions.map(|(version, messages)| Protocol::new(Capability::eth(version), messages));
    HelloMessage::builder(own_id(key)).protocols(protocols).build()
}
