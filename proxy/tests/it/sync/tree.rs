//! The choice among forks.

use alloy_primitives::{B256, U256, keccak256};
use hypasis_chain::BlockId;
use hypasis_proxy::sync::tree::{Choice, Tree};
use proptest::prelude::*;

fn root() -> BlockId {
    BlockId { number: 100, hash: B256::with_last_byte(100) }
}

/// Adds `length` blocks on top of `parent`; `fork` makes their hashes.
fn grow(tree: &mut Tree, parent: BlockId, length: u64, fork: u8) -> Vec<BlockId> {
    let mut branch = Vec::new();
    let mut at = parent;
    for _ in 0..length {
        let hash = keccak256([at.hash.as_slice(), &[fork]].concat());
        let id = BlockId { number: at.number + 1, hash };
        assert!(tree.insert(id, at.hash, U256::ONE));
        branch.push(id);
        at = id;
    }
    branch
}

fn canonical_tree() -> (Tree, Vec<BlockId>) {
    let mut tree = Tree::new(root());
    let branch = grow(&mut tree, root(), 10, 1);
    tree.set_canonical(&branch);
    (tree, branch)
}

#[test]
fn one_source_is_followed_to_its_head() {
    let mut tree = Tree::new(root());
    let branch = grow(&mut tree, root(), 3, 1);
    assert_eq!(tree.choose(&[branch[2]]), Choice::Switch(branch.clone()));
    tree.set_canonical(&branch);
    assert_eq!(tree.choose(&[branch[2]]), Choice::Stay);
    assert_eq!(tree.head(), branch[2]);
}

#[test]
fn a_source_that_lags_behind_takes_nothing_back() {
    let (tree, branch) = canonical_tree();
    assert_eq!(tree.choose(&[branch[4]]), Choice::Stay);
    assert_eq!(tree.choose(&[branch[4], branch[9]]), Choice::Stay);
}

#[test]
fn two_that_contradict_each_other_wait_at_their_common_ancestor() {
    let (mut tree, branch) = canonical_tree();
    let a = grow(&mut tree, branch[9], 2, 1);
    let b = grow(&mut tree, branch[9], 2, 2);
    assert_eq!(tree.choose(&[a[1], b[1]]), Choice::Wait(branch[9].number));
    assert_eq!(tree.choose(&[b[1], b[1]]), Choice::Switch(b.clone()), "one changed its mind");
    assert_eq!(tree.choose(&[a[1], b[1], b[0]]), Choice::Switch(b.clone()), "two of three");
}

#[test]
fn what_all_agree_on_below_a_contradiction_is_taken() {
    let (mut tree, branch) = canonical_tree();
    let common = grow(&mut tree, branch[9], 3, 1);
    let a = grow(&mut tree, common[2], 1, 2);
    let b = grow(&mut tree, common[2], 2, 3);
    assert_eq!(tree.choose(&[a[0], b[1]]), Choice::Switch(common.clone()));
    tree.set_canonical(&common);
    assert_eq!(tree.choose(&[a[0], b[1]]), Choice::Wait(common[2].number));
}

#[test]
fn one_liar_among_three_neither_leads_nor_holds_up() {
    let (mut tree, branch) = canonical_tree();
    let lie = grow(&mut tree, branch[5], 9, 2);
    assert_eq!(tree.choose(&[branch[9], lie[8], branch[8]]), Choice::Stay);
    let more = grow(&mut tree, branch[9], 1, 1);
    assert_eq!(tree.choose(&[more[0], lie[8], more[0]]), Choice::Switch(more));
}

#[test]
fn a_reorg_names_the_branch_from_its_first_new_block() {
    let (mut tree, branch) = canonical_tree();
    let fork = grow(&mut tree, branch[3], 7, 2);
    assert_eq!(tree.choose(&[fork[6]]), Choice::Switch(fork.clone()));
    tree.set_canonical(&fork);
    assert_eq!(tree.head(), fork[6]);
    assert_eq!(tree.canonical(fork[0].number), Some(fork[0]));
    assert_eq!(tree.branch(branch[9]).unwrap(), branch[4..], "the old branch is still there");
}

#[test]
fn a_shorter_branch_takes_the_higher_blocks_out() {
    let (mut tree, branch) = canonical_tree();
    let fork = grow(&mut tree, branch[3], 1, 2);
    tree.set_canonical(&fork);
    assert_eq!(tree.head(), fork[0]);
    assert_eq!(tree.canonical(branch[5].number), None);
}

#[test]
fn heads_that_are_not_known_have_no_say() {
    let (tree, branch) = canonical_tree();
    let stranger = BlockId { number: 500, hash: B256::ZERO };
    assert_eq!(tree.choose(&[stranger, branch[9]]), Choice::Stay);
    assert_eq!(tree.choose(&[stranger]), Choice::Stay);
}

#[test]
fn settling_forgets_what_does_not_stand_on_the_new_root() {
    let (mut tree, branch) = canonical_tree();
    let below = grow(&mut tree, branch[2], 4, 2);
    let above = grow(&mut tree, branch[6], 2, 3);
    tree.settle(branch[5].number);
    assert_eq!(tree.root(), branch[5]);
    assert!(below.iter().all(|id| !tree.contains(id)));
    assert!(above.iter().all(|id| tree.contains(id)));
    assert_eq!(tree.len(), 4 + 2);
    assert_eq!(tree.head(), branch[9]);
}

#[test]
fn a_block_that_stands_on_nothing_is_not_taken() {
    let mut tree = Tree::new(root());
    let orphan = BlockId { number: 103, hash: B256::with_last_byte(3) };
    assert!(!tree.insert(orphan, B256::with_last_byte(2), U256::ONE));
    let beside = BlockId { number: 100, hash: B256::with_last_byte(9) };
    assert!(!tree.insert(beside, root().hash, U256::ONE), "nothing beside the root");
}

proptest! {
    /// Random forks and random switches: the canonical chain is always linked from root to head.
    #[test]
    fn the_canonical_chain_is_always_linked(
        steps in prop::collection::vec((0_usize..60, 1_u64..6, any::<u8>(), any::<bool>()), 1..20)
    ) {
        let mut tree = Tree::new(root());
        let mut all = vec![root()];
        for (at, length, fork, switch) in steps {
            let parent = all[at % all.len()];
            if !tree.contains(&parent) {
                continue;
            }
            let branch = grow(&mut tree, parent, length, fork);
            all.extend(&branch);
            if switch {
                let head = *branch.last().unwrap();
                if let Choice::Switch(branch) = tree.choose(&[head]) {
                    tree.set_canonical(&branch);
                    prop_assert_eq!(tree.head(), head);
                }
            }
            let head = tree.head();
            for number in root().number..=head.number {
                let id = tree.canonical(number).unwrap();
                prop_assert_eq!(tree.ancestor(head, number), Some(id));
            }
        }
    }
}
