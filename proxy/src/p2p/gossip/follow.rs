//! The relay follows the served head: rules by its header, and what its blocks hold is done with.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use hypasis_cache::{BlockRef, Store, StoreError, View};
use hypasis_chain::{BlockId, Body, Header, sender};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Gossip, Head};
use crate::served::ServedHead;

/// Blocks that are looked at when the head moves, and that are remembered in case they are taken back. What
/// lies deeper expires by itself.
const MAX_FOLLOWED: usize = 64;
/// When to look again for a head that is served and not held yet.
const RETRY: Duration = Duration::from_secs(1);

/// A block that was looked at.
#[derive(Debug)]
struct Seen {
    id: BlockId,
    hashes: Vec<B256>,
    spent: Vec<(Address, u64)>,
}

/// Blocks that were looked at, by height.
type Followed = BTreeMap<u64, (B256, Vec<B256>)>;

/// Follows for ever.
pub(super) async fn follow(gossip: &Gossip, served: ServedHead, store: Store) {
    let mut heads = served.subscribe();
    let mut followed = Followed::new();
    loop {
        let latest = heads.borrow_and_update().latest;
        let mut held = true;
        if let Some(id) = latest {
            let known: BTreeMap<_, _> = followed.iter().map(|(number, (hash, _))| (*number, *hash)).collect();
            let (view, recover) = (store.view(), gossip.stats().transactions > 0);
            match spawn_blocking(move || read(&view, id, &known, recover)).await {
                Ok(Ok(Some((head, blocks)))) => apply(gossip, &mut followed, head, blocks),
                Ok(Ok(None)) => held = false,
                Ok(Err(error)) => {
                    tracing::warn!(block = id.number, %error, "the relay cannot read the served head");
                    held = false;
                }
                Err(_) => return,
            }
        }
        let changed = heads.changed();
        let gone = match held {
            true => changed.await.is_err(),
            false => timeout(RETRY, changed).await.is_ok_and(|changed| changed.is_err()),
        };
        if gone {
            return;
        }
    }
}

/// The head, and its blocks down to one that is known or to the bound; the first time the head's own only.
/// `None` while the head's header is not held.
fn read(
    view: &View,
    id: BlockId,
    known: &BTreeMap<u64, B256>,
    recover: bool,
) -> Result<Option<(Head, Vec<Seen>)>, StoreError> {
    let (mut blocks, mut head) = (Vec::new(), None);
    let mut next = id;
    let max = if known.is_empty() { 1 } else { MAX_FOLLOWED };
    while blocks.len() < max && (head.is_none() || known.get(&next.number) != Some(&next.hash)) {
        let Some(block) = view.by_hash(&next.hash)? else { break };
        let Some(bytes) = view.header(&block)? else { break };
        let Ok(header) = Header::parse(&bytes) else { break };
        let (number, time, gas_limit) = (header.number(), header.timestamp(), header.gas_limit());
        head.get_or_insert(Head { number, time, gas_limit });
        blocks.extend(seen(view, &block, recover)?);
        let Some(below) = number.checked_sub(1) else { break };
        next = BlockId { number: below, hash: header.parent_hash() };
    }
    Ok(head.map(|head| (head, blocks)))
}

fn seen(view: &View, block: &BlockRef, recover: bool) -> Result<Option<Seen>, StoreError> {
    let Some(bytes) = view.body(block)? else { return Ok(None) };
    let Ok(body) = Body::parse(&bytes) else { return Ok(None) };
    let senders = match view.senders(block)? {
        Some(senders) => senders,
        // Nobody's nonces matter while the pool is empty.
        None if recover => sender::recover_all(&body).unwrap_or_default(),
        None => Vec::new(),
    };
    let (mut hashes, mut spent) = (Vec::new(), Vec::new());
    let mut senders = senders.into_iter();
    for transaction in body.transactions().flatten() {
        hashes.push(transaction.hash());
        let nonce = transaction.fields().ok().flatten().map(|fields| fields.nonce);
        spent.extend(senders.next().zip(nonce));
    }
    Ok(Some(Seen { id: block.id, hashes, spent }))
}

fn apply(gossip: &Gossip, followed: &mut Followed, head: Head, blocks: Vec<Seen>) {
    gossip.advance(head);
    // Above the head and beside its branch, blocks were taken back.
    let beside: Vec<_> = blocks.iter().map(|block| block.id).collect();
    let taken_back = |number: &u64, hash: &B256| {
        *number > head.number || beside.iter().any(|id| id.number == *number && id.hash != *hash)
    };
    followed.retain(|number, (hash, hashes)| {
        let gone = taken_back(number, hash);
        if gone {
            gossip.reopened(hashes);
        }
        !gone
    });
    for Seen { id, hashes, spent } in blocks {
        gossip.included(&hashes);
        gossip.spent(&spent);
        followed.insert(id.number, (id.hash, hashes));
    }
    while followed.len() > MAX_FOLLOWED {
        followed.pop_first();
    }
}
