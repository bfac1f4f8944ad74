//! Polygon's fork choice in the tip window, against one that looks at everything.

use alloy_primitives::{B256, U256, keccak256};
use hypasis_chain::BlockId;
use hypasis_proxy::sync::tree::{Choice, Tree};
use proptest::prelude::*;

/// A block with all its ancestors' difficulties.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: BlockId,
    parent: usize,
    total: u64,
}

fn root() -> BlockId {
    BlockId { number: 100, hash: B256::with_last_byte(100) }
}

/// A tree and the same as a list, parents first.
#[derive(Debug)]
struct Forest {
    tree: Tree,
    blocks: Vec<Known>,
}

impl Forest {
    fn new() -> Self {
        Self { tree: Tree::new(root()), blocks: vec![Known { id: root(), parent: 0, total: 0 }] }
    }

    fn add(&mut self, parent: usize, difficulty: u64, salt: u8) -> usize {
        let below = self.blocks[parent];
        let hash = keccak256([below.id.hash.as_slice(), &[salt], &difficulty.to_be_bytes()].concat());
        let id = BlockId { number: below.id.number + 1, hash };
        if let Some(place) = self.blocks.iter().position(|known| known.id == id) {
            return place;
        }
        assert!(self.tree.insert(id, below.id.hash, U256::from(difficulty)));
        self.blocks.push(Known { id, parent, total: below.total + difficulty });
        self.blocks.len() - 1
    }

    fn grow(&mut self, parent: usize, length: u64, difficulty: u64, salt: u8) -> usize {
        (0..length).fold(parent, |at, _| self.add(at, difficulty, salt))
    }

    fn ancestors(&self, place: usize) -> Vec<BlockId> {
        let mut ids = vec![self.blocks[place].id];
        let mut at = place;
        while at != 0 {
            at = self.blocks[at].parent;
            ids.push(self.blocks[at].id);
        }
        ids
    }

    /// Every block in turn against the best so far, as its definition says; a milestone first of all.
    fn naive(&self, last: Option<BlockId>) -> Option<BlockId> {
        let mut best: Option<(bool, u64, BlockId)> = None;
        for place in 0..self.blocks.len() {
            let (known, branch) = (self.blocks[place], self.ancestors(place));
            let there = last.and_then(|last| branch.iter().find(|id| id.number == last.number));
            if there.is_some_and(|there| Some(*there) != last) {
                continue;
            }
            let holds = there.is_some();
            let wins = best.is_none_or(|(held, total, id)| {
                if holds != held {
                    return holds;
                }
                if known.total != total {
                    return known.total > total;
                }
                if known.id.number != id.number {
                    return known.id.number < id.number;
                }
                known.id.hash > id.hash
            });
            if wins {
                best = Some((holds, known.total, known.id));
            }
        }
        best.map(|(_, _, id)| id)
    }

    /// Takes the choice as sync does; the head after it.
    fn follow(&mut self, last: Option<BlockId>) -> Choice {
        let choice = self.tree.choose_heaviest(last);
        if let Choice::Switch(branch) = &choice {
            self.tree.set_canonical(branch);
        }
        choice
    }

    fn id(&self, place: usize) -> BlockId {
        self.blocks[place].id
    }
}

#[test]
fn a_shorter_branch_with_more_difficulty_wins() {
    let mut forest = Forest::new();
    let long = forest.grow(0, 5, 1, 1);
    forest.follow(None);
    assert_eq!(forest.tree.head(), forest.id(long));
    let heavy = forest.grow(0, 2, 3, 2);
    forest.follow(None);
    assert_eq!(forest.tree.head(), forest.id(heavy));
    assert_eq!(forest.tree.above_root(forest.id(heavy)), Some(U256::from(6)));
}

#[test]
fn a_milestone_overrides_difficulty_and_an_older_block_alone_replaces_nothing() {
    let mut forest = Forest::new();
    let light = forest.grow(0, 3, 1, 1);
    let heavy = forest.grow(0, 3, 9, 2);
    forest.follow(None);
    assert_eq!(forest.tree.head(), forest.id(heavy));
    let milestone = Some(forest.id(light));
    assert!(matches!(forest.follow(milestone), Choice::Switch(_)));
    assert_eq!(forest.tree.head(), forest.id(light));
    // The heavy one grows on; it does not matter any more.
    forest.grow(heavy, 5, 9, 2);
    assert_eq!(forest.follow(milestone), Choice::Stay);
    // A milestone that nobody has given yet: what is canonical stays, whatever branch ends below it, and is not
    // built on.
    let unknown = BlockId { number: forest.id(light).number, hash: B256::repeat_byte(9) };
    assert_eq!(forest.follow(Some(unknown)), Choice::Contradicts(unknown));
    assert_eq!(forest.tree.head(), forest.id(light));
}

#[test]
fn a_milestone_that_nobody_has_given_yet_takes_nothing_back_and_stops_the_chain_that_contradicts_it() {
    let mut forest = Forest::new();
    let only = forest.grow(0, 5, 1, 1);
    forest.follow(None);
    let unknown = BlockId { number: forest.id(only).number - 2, hash: B256::repeat_byte(9) };
    assert_eq!(forest.follow(Some(unknown)), Choice::Contradicts(unknown));
    assert_eq!(forest.tree.head(), forest.id(only));
    // Once somebody gives a branch with it, that one is taken although it is shorter.
    forest.grow(only, 3, 9, 1);
    assert_eq!(forest.follow(Some(unknown)), Choice::Contradicts(unknown));
    let below = 2;
    let right = forest.add(below, 1, 2);
    let given = forest.id(right);
    assert!(matches!(forest.follow(Some(given)), Choice::Switch(_)));
    assert_eq!(forest.tree.head(), given);
}

#[test]
fn a_milestone_above_all_that_is_known_decides_nothing_yet() {
    let mut forest = Forest::new();
    forest.grow(0, 3, 1, 1);
    let heavy = forest.grow(0, 2, 9, 2);
    forest.follow(Some(BlockId { number: 500, hash: B256::repeat_byte(1) }));
    assert_eq!(forest.tree.head(), forest.id(heavy));
}

proptest! {
    /// Random forks, milestones and settling: the head is always what the naive choice takes, unless it contradicts a
    /// milestone that nothing else holds; and difficulties survive settling.
    #[test]
    fn the_head_is_the_naive_choice(
        steps in prop::collection::vec(
            (any::<prop::sample::Index>(), 1_u64..4, 1_u64..4, 0_u8..3, prop::option::of(any::<prop::sample::Index>())),
            1..24,
        ),
    ) {
        let mut forest = Forest::new();
        let mut last: Option<BlockId> = None;
        for (parent, length, difficulty, salt, milestone) in steps {
            let parent = parent.index(forest.blocks.len());
            forest.grow(parent, length, difficulty, salt);
            if let Some(index) = milestone {
                // Milestones rise, and stand on each other.
                let place = index.index(forest.blocks.len());
                let branch = forest.ancestors(place);
                let next = forest.id(place);
                let stands = last.is_none_or(|last| branch.contains(&last) && next.number > last.number);
                last = if stands { Some(next) } else { last };
            }
            let before = forest.tree.head();
            let choice = forest.follow(last);
            let naive = forest.naive(last).unwrap();
            match choice {
                Choice::Contradicts(at) => {
                    prop_assert_eq!(Some(at), last);
                    prop_assert_eq!(forest.tree.head(), before);
                }
                _ => prop_assert_eq!(forest.tree.head(), naive),
            }
            for known in &forest.blocks {
                prop_assert_eq!(forest.tree.above_root(known.id), Some(U256::from(known.total)));
            }
        }
        let head = forest.tree.head();
        let total = forest.tree.above_root(head).unwrap();
        let middle = root().number + (head.number - root().number) / 2;
        let at = forest.tree.canonical(middle).unwrap();
        let below = forest.tree.above_root(at).unwrap();
        forest.tree.settle(middle);
        prop_assert_eq!(forest.tree.root(), at);
        prop_assert_eq!(forest.tree.above_root(head), Some(total - below));
    }
}
