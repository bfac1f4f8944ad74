//! The handshake of `eth`, and a request with its answer, over an encrypted connection.

use alloy_eip2124::{ForkFilter, ForkFilterKey, Head};
use alloy_primitives::{B256, U256};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hypasis_wire::eth::{Dialect, EthHandshake, EthVersion, UnifiedStatus};
use hypasis_wire::multiplex::RlpxProtocolMultiplexer;

use super::ends::connections;

#[tokio::test]
async fn eth_shakes_hands_and_talks_through_every_layer() {
    let (near, far) = connections().await;
    let (mut near, mut far) = (RlpxProtocolMultiplexer::new(near), RlpxProtocolMultiplexer::new(far));
    let (eth, version) = near.shared_capabilities().find("eth").unwrap();
    assert_eq!(version, 69);
    let genesis = B256::repeat_byte(1);
    let fork_filter = ForkFilter::new(Head::default(), genesis, 0, std::iter::empty::<ForkFilterKey>());
    let status = UnifiedStatus::builder()
        .version(EthVersion::Eth69)
        .chain(1)
        .genesis(genesis)
        .forkid(fork_filter.current())
        .total_difficulty(U256::ZERO)
        .blockhash(B256::repeat_byte(2))
        .range(0, 600)
        .build();
    let handshake = EthHandshake { status, fork_filter: &fork_filter, dialect: Dialect::Ethereum };
    let (mut near, mut far) = (near.capability(eth), far.capability(eth));
    let (seen_far, seen_near) = tokio::join!(handshake.handshake(&mut near), handshake.handshake(&mut far));
    for seen in [seen_far.unwrap(), seen_near.unwrap()] {
        assert_eq!((seen.genesis, seen.latest_block), (genesis, Some(600)));
    }
    let message = (0x11, Bytes::from_static(&[0xc0]));
    near.send(message.clone()).await.unwrap();
    assert_eq!(far.next().await.unwrap().unwrap(), message);
}
