//! The root that Ethereum has of a real range of blocks.

use alloy_primitives::B256;
use hypasis_chain::bor::checkpoint::{self, CheckpointError, Tree, leaf};

use super::{CHECKPOINT, mainnet_headers, parse};
use crate::support::{hex, json};

/// The checkpoint has 1,280 blocks, of which 1,024 are here: exactly the left half of its padded tree. The right
/// half's root stands in for 1,024 more leaves.
#[test]
fn the_root_on_ethereum_is_that_of_the_real_headers() {
    let facts = json(&format!("{CHECKPOINT}/checkpoint.json"));
    let fact = |key: &str| B256::from_slice(&hex(&facts[key]));
    let raw = mainnet_headers();
    let headers = parse(&raw);
    assert_eq!(headers.len(), 1_024);
    assert_eq!(headers[0].number(), facts["start"].as_u64().unwrap());
    assert_eq!(leaf(&headers[0]), fact("leaf0"));

    let left = checkpoint::root(&headers).unwrap();
    assert_eq!(left, fact("left_subtree_of_first_1024_leaves"));
    let mut whole = Tree::default();
    whole.push(left).unwrap();
    whole.push(fact("right_subtree_of_last_256_leaves_padded")).unwrap();
    assert_eq!(whole.root().unwrap(), fact("l1_root"));

    for absent in [0, 511, 1_023] {
        let mut fewer = headers.clone();
        fewer.remove(absent);
        assert_ne!(checkpoint::root(&fewer), Ok(left), "without the header at {absent}");
    }
    let gap = checkpoint::root([&headers[0], &headers[2]]);
    assert_eq!(gap, Err(CheckpointError::Gap { expected: 9_825_949, found: 9_825_950 }));
}
