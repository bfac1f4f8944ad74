//! What is said to be had is held, or can be had of a source that the operator named.

use std::sync::Arc;

use hypasis_cache::{Kind, Store};
use hypasis_chain::dev::DevChain;
use hypasis_chain::{BlockId, Level};
use hypasis_proxy::p2p::status::range;
use hypasis_proxy::served::Served;
use hypasis_proxy::sync::metrics::Metrics;
use hypasis_proxy::sync::sources::Sources;
use hypasis_upstream::{Heads, Source};

use super::library::{WHOLE, Witness, chain, fill, trust, verified};
use super::players::{Manner, Player, strangers};
use crate::support::store_of;

/// Lowest height, highest, and that one's block.
fn told(
    store: &Store,
    latest: Option<BlockId>,
    local: bool,
    sources: Vec<Arc<dyn Source>>,
) -> Option<(u64, u64)> {
    let sources = Sources::new(sources, Metrics::default());
    let served = Served { latest, local, upstream: false, ..Served::default() };
    let update = range(&store.view(), &served, &sources)?;
    Some((update.earliest, update.latest))
}

fn put(store: &Store, chain: &DevChain, range: std::ops::RangeInclusive<u64>, level: Level) {
    let mut part = store.begin_part(range.clone(), WHOLE.to_vec()).unwrap();
    for block in chain.blocks(*range.start()..range.end() + 1) {
        part.append(&verified(chain, block)).unwrap();
    }
    part.finish(&trust(level)).unwrap();
}

#[tokio::test]
async fn when_the_upstream_is_gone_what_is_held_is_left() {
    let chain = chain(400, 2);
    let upstream = Witness::new("upstream", &chain).await;
    let store = store_of(chain.spec().chain_id);
    fill(&store, &chain, 0..=399, &[Kind::Header]);
    put(&store, &chain, 400..=400, Level::None);
    let head = Some(chain.head());
    let named = || vec![upstream.clone() as Arc<dyn Source>];
    assert_eq!(told(&store, head, false, named()), Some((0, 400)));
    upstream.claim(Heads::default());
    // Nothing that is held was checked.
    assert_eq!(told(&store, head, false, named()), None);

    let store = store_of(chain.spec().chain_id);
    put(&store, &chain, 100..=149, Level::None);
    put(&store, &chain, 150..=200, Level::Light);
    fill(&store, &chain, 201..=300, &[Kind::Header]);
    assert_eq!(told(&store, head, false, named()), Some((150, 200)));
    // The level counts below the head too.
    assert_eq!(told(&store, Some(chain.id_at(200)), true, named()), Some((150, 200)));
    upstream.claim(Heads { latest: head, earliest: 120, ..Heads::default() });
    assert_eq!(told(&store, head, false, named()), Some((120, 400)));
}

#[tokio::test]
async fn what_a_stranger_claims_is_not_promised_to_others() {
    let chain = chain(400, 2);
    let peer = Player::new(1, &chain, Manner::Sound);
    let pool: Vec<Arc<dyn Source>> = vec![strangers(&[&peer], chain.head()).await];
    let store = store_of(chain.spec().chain_id);
    assert_eq!(told(&store, None, false, pool.clone()), None);
    put(&store, &chain, 300..=350, Level::Full);
    assert_eq!(told(&store, Some(chain.id_at(350)), true, pool), Some((300, 350)));
}
