//! From a TCP connection to a peer that speaks `eth` on our chain.
//!
//! Each step has the same few seconds; who fails one is told why, in the words of the base protocol, unless it is a
//! port scanner that never got as far as that.

use std::net::SocketAddr;
use std::time::Duration;

use alloy_primitives::{B256, U256};
use hypasis_upstream::Heads;
use hypasis_upstream::peer::PeerId;
use hypasis_wire::ecies::{ECIESError, ECIESStream};
use hypasis_wire::eth::{Dialect, EthHandshake, EthHandshakeError, EthMessageID, EthVersion, UnifiedStatus};
use hypasis_wire::multiplex::RlpxProtocolMultiplexer;
use hypasis_wire::p2p::{
    Capability, DisconnectReason, HelloMessage, HelloMessageWithProtocols, P2PStreamError, Protocol,
    UnauthedP2PStream,
};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::Room;
use super::super::peers::Direction;
use super::line::Connection;

/// Each of the three steps must be done in this time (Geth: the same).
const STEP: Duration = Duration::from_secs(5);
/// Largest message before the peer's Status, which has some 200 bytes. Frames are bounded with it; before hello, by the
/// few kilobytes that hello may have.
const STATUS_BYTES_MAX: usize = 64 << 10;
/// Characters of a client's name that are kept.
const NAME_MAX: usize = 96;

/// A connection whose peer is of use.
#[derive(Debug)]
pub(super) struct Shaken {
    pub(super) connection: Connection,
    pub(super) id: PeerId,
    pub(super) client: String,
    /// Index of `eth` among the shared capabilities.
    pub(super) eth: usize,
    pub(super) version: EthVersion,
    /// The head that our status named.
    pub(super) told_of: B256,
    pub(super) status: UnifiedStatus,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It did not speak RLPx, or not to us.
    #[error("RLPx: {0}")]
    Transport(#[from] ECIESError),
    /// Hello failed.
    #[error("hello: {0}")]
    Hello(#[from] P2PStreamError),
    /// Status failed.
    #[error("status: {0}")]
    Status(#[from] EthHandshakeError<P2PStreamError>),
    /// There is no place for it.
    #[error("refused: {0}")]
    Refused(DisconnectReason),
    /// It was too slow.
    #[error("no {0} in time")]
    Late(&'static str),
    /// The chain is not one that can be spoken of.
    #[error("this node has no status to give")]
    NoStatus,
}

// === impl Failure ===

impl Failure {
    /// For the metric.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Transport(_) => "transport",
            Self::Hello(_) => "hello",
            Self::Status(_) | Self::NoStatus => "status",
            Self::Refused(_) => "refused",
            Self::Late(_) => "late",
        }
    }

    /// Whether whoever came has broken the protocol: what its host is banned for when it happens again and again. A key
    /// that does not open the first packet is no breach: who dials a node by an old record sends the same.
    pub(super) fn is_breach(&self) -> bool {
        match self {
            Self::Transport(ECIESError::Envelope) => false,
            Self::Transport(error) => error.is_peer_fault(),
            Self::Hello(error) | Self::Status(EthHandshakeError::Transport(error)) => error.is_peer_fault(),
            Self::Status(error) => error.disconnect_reason() == Some(DisconnectReason::ProtocolBreach),
            Self::Refused(_) | Self::Late(_) | Self::NoStatus => false,
        }
    }

    /// Whether dialling it again soon is a waste.
    pub(super) fn is_hopeless(&self) -> bool {
        match self {
            Self::Status(error) => error.disconnect_reason().is_some(),
            Self::Hello(P2PStreamError::NoSharedCapabilities(_)) => true,
            _ => false,
        }
    }
}

/// Shakes hands; `dialled` is who was meant to be there.
pub(super) async fn shake(
    room: &Room,
    stream: TcpStream,
    address: SocketAddr,
    dialled: Option<PeerId>,
) -> Result<Shaken, Failure> {
    let encrypted = async {
        match dialled {
            Some(id) => ECIESStream::connect(stream, room.key, id).await,
            None => ECIESStream::incoming(stream, room.key).await,
        }
    };
    let encrypted = timeout(STEP, encrypted).await.map_err(|_| Failure::Late("RLPx handshake"))??;
    let id = encrypted.remote_id();
    let hello = UnauthedP2PStream::new(encrypted).handshake(hello(room));
    let (stream, theirs) = timeout(STEP, hello).await.map_err(|_| Failure::Late("hello"))??;
    let mut connection = RlpxProtocolMultiplexer::new(stream);
    connection.set_max_message_size(STATUS_BYTES_MAX);
    let direction = if dialled.is_some() { Direction::Outbound } else { Direction::Inbound };
    if let Err(reason) = room.peers.consider(id, address.ip(), direction) {
        let _ = timeout(STEP, connection.disconnect(reason)).await;
        return Err(Failure::Refused(reason));
    }
    let Some((eth, version)) = connection.shared_capabilities().find("eth") else {
        return Err(Failure::Refused(DisconnectReason::UselessPeer));
    };
    let version =
        EthVersion::try_from(version).map_err(|_| Failure::Refused(DisconnectReason::UselessPeer))?;
    let (told_of, status) = match timeout(STEP, status(room, &mut connection, eth, version)).await {
        Ok(Ok(status)) => status,
        Ok(Err(failure)) => {
            let reason = match &failure {
                Failure::Status(error) => error.disconnect_reason(),
                _ => Some(DisconnectReason::DisconnectRequested),
            };
            if let Some(reason) = reason {
                let _ = timeout(STEP, connection.disconnect(reason)).await;
            }
            return Err(failure);
        }
        Err(_) => {
            let _ = timeout(STEP, connection.disconnect(DisconnectReason::PingTimeout)).await;
            return Err(Failure::Late("status"));
        }
    };
    // Of all messages receipts may be the largest; each is held against its own bound when it is read.
    let largest = room.presence.dialect.max_message_size(EthMessageID::Receipts);
    connection.set_max_message_size(largest);
    Ok(Shaken { connection, id, client: name(&theirs), eth, version, told_of, status })
}

async fn status(
    room: &Room,
    connection: &mut Connection,
    eth: usize,
    version: EthVersion,
) -> Result<(B256, UnifiedStatus), Failure> {
    let status = room.presence.status(version).ok_or(Failure::NoStatus)?;
    let filter = room.presence.fork_filter().ok_or(Failure::NoStatus)?;
    let handshake = EthHandshake { status, fork_filter: &filter, dialect: room.presence.dialect };
    Ok((status.blockhash, handshake.handshake(&mut connection.capability(eth)).await?))
}

/// What a peer's status says it has. Before eth/69 it names the head by hash alone: its height is asked later.
pub(super) fn heads(status: &UnifiedStatus, dialect: Dialect) -> Heads {
    let latest = status.latest_block.map(|number| hypasis_chain::BlockId { number, hash: status.blockhash });
    let earliest = status.earliest_block.unwrap_or_default();
    // After the merge eth/68 carries a number that says nothing.
    let total_difficulty = status.total_difficulty.filter(|_| dialect == Dialect::Bor);
    let total_difficulty =
        total_difficulty.filter(|total| status.latest_block.is_none_or(|number| is_possible(*total, number)));
    Heads { latest, earliest, total_difficulty, ..Heads::default() }
}

/// Whether a block of that height can have that total difficulty: no block has less than one of its own. Who does not
/// know it says that of block 0, as we do.
pub(super) fn is_possible(total_difficulty: U256, number: u64) -> bool {
    total_difficulty > U256::from(number)
}

fn hello(room: &Room) -> HelloMessageWithProtocols {
    let eth = room
        .presence
        .dialect
        .versions()
        .iter()
        .map(|version| Protocol::new(Capability::eth(u8::from(*version).into()), version.length()));
    let name = concat!("Hypasis/v", env!("CARGO_PKG_VERSION"));
    let platform = format!("{name}/{}-{}/rust", std::env::consts::OS, std::env::consts::ARCH);
    HelloMessageWithProtocols {
        port: room.port,
        ..HelloMessage::builder(room.me).client_version(platform).protocols(eth).build()
    }
}

/// What a peer calls itself, fit for a log.
fn name(hello: &HelloMessage) -> String {
    hello.client_version.chars().filter(|character| !character.is_control()).take(NAME_MAX).collect()
}
