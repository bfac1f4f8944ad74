//! Two nodes meet: ours is sent first, theirs is judged, and each refusal has its reason.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use alloy_eip2124::{ForkFilter, ForkFilterKey, ForkHash, ForkId, Head};
use alloy_primitives::{B256, U256};
use bytes::Bytes;
use futures_util::{Sink, Stream};
use hypasis_wire::eth::{
    BlockRangeError, Dialect, EthHandshake, EthHandshakeError, EthMessage, EthVersion, UnifiedStatus,
};
use hypasis_wire::p2p::DisconnectReason;

const GENESIS: B256 = B256::repeat_byte(0x11);

#[tokio::test]
async fn nodes_of_one_chain_accept_each_other_in_every_form() {
    for dialect in [Dialect::Ethereum, Dialect::Bor] {
        for version in EthVersion::ALL {
            let ours = status(*version);
            let mut peer = Peer::says(ours, dialect);
            let theirs = shake(&mut peer, ours, dialect).await.unwrap();
            assert_eq!(
                (theirs.version, theirs.genesis, theirs.blockhash),
                (*version, GENESIS, ours.blockhash)
            );
            assert_eq!(theirs.latest_block.is_some(), *version >= EthVersion::Eth69);
            assert_eq!(theirs.total_difficulty.is_some(), dialect.has_total_difficulty(*version));
            assert_eq!(peer.heard, [EthMessage::Status(ours.into_message(dialect)).encoded()]);
        }
    }
}

#[tokio::test]
async fn our_status_is_sent_before_the_peer_has_spoken() {
    let mut silent = Peer { answers: vec![], heard: vec![], asked_before_heard: false };
    let refused = shake(&mut silent, status(EthVersion::Eth70), Dialect::Ethereum).await;
    assert!(matches!(refused, Err(EthHandshakeError::Closed)));
    assert_eq!(silent.heard.len(), 1);
    assert!(!silent.asked_before_heard);
}

#[tokio::test]
async fn peers_of_another_chain_are_refused_with_the_reason() {
    let ours = status(EthVersion::Eth70);
    let refused = |theirs| refusal(ours, theirs);
    let other_network = UnifiedStatus { chain: 2, ..ours };
    assert!(matches!(refused(other_network).await, EthHandshakeError::Network { ours: 1, theirs: 2 }));
    let other_genesis = UnifiedStatus { genesis: B256::repeat_byte(0x22), ..ours };
    assert!(matches!(refused(other_genesis).await, EthHandshakeError::Genesis { .. }));
    let other_fork = UnifiedStatus { forkid: ForkId { hash: ForkHash([1; 4]), next: 0 }, ..ours };
    let error = refused(other_fork).await;
    assert!(matches!(error, EthHandshakeError::Fork { .. }));
    assert!(error.to_string().contains("01010101"), "{error}");
    for theirs in [other_network, other_genesis, other_fork] {
        let reason = refused(theirs).await.disconnect_reason();
        assert_eq!(reason, Some(DisconnectReason::SubprotocolSpecific));
    }
}

#[tokio::test]
async fn a_range_that_cannot_be_is_a_breach() {
    let ours = status(EthVersion::Eth69);
    let reversed = UnifiedStatus { earliest_block: Some(601), ..ours };
    let error = refusal(ours, reversed).await;
    let want = BlockRangeError::Reversed { earliest: 601, latest: 600 };
    assert!(matches!(&error, EthHandshakeError::Range(found) if *found == want));
    assert_eq!(error.disconnect_reason(), Some(DisconnectReason::ProtocolBreach));
    let zero = UnifiedStatus { blockhash: B256::ZERO, ..ours };
    assert!(matches!(refusal(ours, zero).await, EthHandshakeError::Range(BlockRangeError::ZeroHash)));
}

#[tokio::test]
async fn another_version_or_dialect_than_negotiated_is_a_breach() {
    let ours = status(EthVersion::Eth70);
    for (theirs, dialect) in
        [(status(EthVersion::Eth69), Dialect::Ethereum), (status(EthVersion::Eth70), Dialect::Bor)]
    {
        let error =
            shake(&mut Peer::says(theirs, dialect), ours, Dialect::Ethereum).await.expect_err("refused");
        assert!(matches!(error, EthHandshakeError::Malformed(_)), "{error}");
        assert_eq!(error.disconnect_reason(), Some(DisconnectReason::ProtocolBreach));
    }
}

#[tokio::test]
async fn a_first_message_that_is_no_status_is_a_breach() {
    let mut peer = Peer { answers: vec![(0x03, Bytes::new())], heard: vec![], asked_before_heard: false };
    let error = shake(&mut peer, status(EthVersion::Eth70), Dialect::Ethereum).await.expect_err("refused");
    assert!(matches!(error, EthHandshakeError::NotStatus { id: 0x03 }));
    assert_eq!(error.disconnect_reason(), Some(DisconnectReason::ProtocolBreach));
}

async fn refusal(ours: UnifiedStatus, theirs: UnifiedStatus) -> EthHandshakeError<Infallible> {
    shake(&mut Peer::says(theirs, Dialect::Ethereum), ours, Dialect::Ethereum).await.expect_err("refused")
}

async fn shake(
    peer: &mut Peer,
    status: UnifiedStatus,
    dialect: Dialect,
) -> Result<UnifiedStatus, EthHandshakeError<Infallible>> {
    let fork_filter = &filter();
    EthHandshake { status, fork_filter, dialect }.handshake(peer).await
}

fn status(version: EthVersion) -> UnifiedStatus {
    UnifiedStatus::builder()
        .version(version)
        .chain(1)
        .genesis(GENESIS)
        .forkid(filter().current())
        .total_difficulty(U256::from(131_072))
        .blockhash(B256::repeat_byte(0x33))
        .range(0, 600)
        .build()
}

/// A chain with one fork behind its head and one ahead.
fn filter() -> ForkFilter {
    let head = Head { number: 600, ..Head::default() };
    ForkFilter::new(head, GENESIS, 0, [ForkFilterKey::Block(100), ForkFilterKey::Block(1000)])
}

/// A peer that says what it was told to, and remembers what it heard.
struct Peer {
    answers: Vec<(u8, Bytes)>,
    heard: Vec<Bytes>,
    asked_before_heard: bool,
}

impl Peer {
    fn says(status: UnifiedStatus, dialect: Dialect) -> Self {
        let message = EthMessage::Status(status.into_message(dialect));
        Self { answers: vec![(0x00, message.encoded())], heard: vec![], asked_before_heard: false }
    }
}

impl Stream for Peer {
    type Item = Result<(u8, Bytes), Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.asked_before_heard |= self.heard.is_empty();
        Poll::Ready(self.answers.pop().map(Ok))
    }
}

impl Sink<(u8, Bytes)> for Peer {
    type Error = Infallible;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, (id, payload): (u8, Bytes)) -> Result<(), Infallible> {
        assert_eq!(id, 0x00);
        self.heard.push(payload);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}
