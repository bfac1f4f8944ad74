//! The tip window's forks as a tree of hashes, and the choice among them, without any I/O.

mod heaviest;

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::{B256, U256};
use hypasis_chain::BlockId;

/// Blocks above the settled history, by hash, with the branch that is canonical.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The highest settled block: every branch must stand on it.
    root: BlockId,
    nodes: HashMap<B256, Node>,
    canonical: BTreeMap<u64, B256>,
    /// What [`Node::total`] is at the root.
    root_total: U256,
}

/// A block above the root.
#[derive(Clone, Copy, Debug)]
struct Node {
    number: u64,
    parent: B256,
    /// Difficulty of all blocks up to this one since the tree began; only differences mean something.
    total: U256,
}

/// What following a head leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The canonical head is what the sources stand behind (or an ancestor of it is: then nothing is taken back).
    Stay,
    /// This branch (ascending, linked) should become canonical from its first height on.
    Switch(Vec<BlockId>),
    /// Sources contradict each other above this height and no branch has more than half: wait.
    Wait(u64),
    /// What is canonical contradicts what is final, and no branch is known that does not.
    Contradicts(BlockId),
}

// === impl Tree ===

impl Tree {
    /// A window that is empty above `root`.
    pub fn new(root: BlockId) -> Self {
        Self { root, nodes: HashMap::new(), canonical: BTreeMap::new(), root_total: U256::ZERO }
    }

    /// The highest settled block.
    pub fn root(&self) -> BlockId {
        self.root
    }

    /// The canonical head, the root if the window is empty.
    pub fn head(&self) -> BlockId {
        self.canonical
            .last_key_value()
            .map_or(self.root, |(number, hash)| BlockId { number: *number, hash: *hash })
    }

    /// How many blocks the window has over all forks.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the window is empty.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether `id` is the root or in the window.
    pub fn contains(&self, id: &BlockId) -> bool {
        *id == self.root || self.node(*id).is_some()
    }

    /// The canonical block at `number`, root included.
    pub fn canonical(&self, number: u64) -> Option<BlockId> {
        if number == self.root.number {
            return Some(self.root);
        }
        self.canonical.get(&number).map(|hash| BlockId { number, hash: *hash })
    }

    /// Adds a block whose parent is in the window or the root; says whether it is. `difficulty` matters only where
    /// fork choice goes by it.
    pub fn insert(&mut self, id: BlockId, parent: B256, difficulty: U256) -> bool {
        let below = BlockId { number: id.number.saturating_sub(1), hash: parent };
        let Some(total) = self.total(below).filter(|_| id.number > self.root.number) else { return false };
        let total = total.saturating_add(difficulty);
        self.nodes.insert(id.hash, Node { number: id.number, parent, total });
        true
    }

    /// Makes `branch` canonical from its first height on.
    pub fn set_canonical(&mut self, branch: &[BlockId]) {
        let Some(first) = branch.first() else { return };
        self.canonical.split_off(&first.number);
        self.canonical.extend(branch.iter().map(|id| (id.number, id.hash)));
    }

    /// Moves the root up to the canonical block at `number` and forgets what does not stand on it.
    pub fn settle(&mut self, number: u64) {
        let Some(root) = self.canonical(number).filter(|id| id.number > self.root.number) else { return };
        self.root_total = self.total(root).unwrap_or(self.root_total);
        self.root = root;
        self.canonical = self.canonical.split_off(&number.saturating_add(1));
        let mut nodes: Vec<(B256, Node)> = self.nodes.drain().collect();
        nodes.sort_unstable_by_key(|(_, node)| node.number);
        for (hash, node) in nodes {
            let below = BlockId { number: node.number.saturating_sub(1), hash: node.parent };
            if node.number > number && self.contains(&below) {
                self.nodes.insert(hash, node);
            }
        }
    }

    /// The blocks from just above the canonical chain (or the root) up to `id`, ascending; `None` if it is unknown.
    pub fn branch(&self, id: BlockId) -> Option<Vec<BlockId>> {
        let mut branch = Vec::new();
        let mut at = id;
        while self.canonical(at.number) != Some(at) {
            branch.push(at);
            at = self.parent(at)?;
        }
        branch.reverse();
        Some(branch)
    }

    /// The ancestor of `id` at `number`, itself included.
    pub fn ancestor(&self, id: BlockId, number: u64) -> Option<BlockId> {
        let mut at = id;
        while at.number > number {
            if self.canonical(at.number) == Some(at)
                && let Some(found) = self.canonical(number)
            {
                return Some(found);
            }
            at = self.parent(at)?;
        }
        (at.number == number && self.contains(&at)).then_some(at)
    }

    /// What should be canonical, given the heads of the sources. Heads that are not in the window have no say: they
    /// may simply not have been fetched yet.
    ///
    /// A source stands behind every ancestor of its head and against every other block of those heights. The
    /// highest block is chosen that, with all its ancestors, more stand behind than against.
    pub fn choose(&self, heads: &[BlockId]) -> Choice {
        let known: Vec<BlockId> = heads.iter().copied().filter(|id| self.contains(id)).collect();
        // Who is outvoted anywhere has no say above that point either, or it could tie with the one that leads.
        let known: Vec<BlockId> =
            known.iter().copied().filter(|head| !self.outvoted(*head, &known)).collect();
        let agreed: Vec<BlockId> =
            known.iter().filter_map(|head| self.agreed_ancestor(*head, &known)).collect();
        let Some(best) = agreed.iter().copied().max_by_key(|id| id.number) else { return Choice::Stay };
        if self.canonical(best.number) != Some(best) {
            return self.branch(best).map_or(Choice::Stay, Choice::Switch);
        }
        let contested = known.iter().filter(|head| !agreed.contains(head)).count();
        if contested.saturating_mul(2) > known.len() { Choice::Wait(best.number) } else { Choice::Stay }
    }

    /// The highest block of `head`'s branch that, with all its ancestors, more sources stand behind than against.
    fn agreed_ancestor(&self, head: BlockId, heads: &[BlockId]) -> Option<BlockId> {
        let lowest = heads.iter().map(|head| head.number).min()?;
        let (mut at, mut agreed) = (head, head);
        while at.number > self.root.number {
            let (behind, against) = self.votes(at, heads);
            if against == 0 && at.number <= lowest {
                break;
            }
            at = self.parent(at)?;
            if against > 0 && against >= behind {
                agreed = at;
            }
        }
        Some(agreed)
    }

    /// Whether more sources stand against some block of `head`'s branch than behind it.
    fn outvoted(&self, head: BlockId, heads: &[BlockId]) -> bool {
        let lowest = heads.iter().map(|head| head.number).min().unwrap_or(0);
        let mut at = head;
        while at.number > self.root.number {
            let (behind, against) = self.votes(at, heads);
            if against > behind {
                return true;
            }
            if against == 0 && at.number <= lowest {
                return false;
            }
            let Some(parent) = self.parent(at) else { return false };
            at = parent;
        }
        false
    }

    fn node(&self, id: BlockId) -> Option<&Node> {
        self.nodes.get(&id.hash).filter(|node| node.number == id.number)
    }

    fn parent(&self, id: BlockId) -> Option<BlockId> {
        let node = self.node(id)?;
        Some(BlockId { number: id.number.checked_sub(1)?, hash: node.parent })
    }

    /// How many sources stand behind `id` and how many against it.
    fn votes(&self, id: BlockId, heads: &[BlockId]) -> (usize, usize) {
        let (mut behind, mut against) = (0, 0);
        for head in heads.iter().filter(|head| head.number >= id.number) {
            match self.ancestor(*head, id.number) {
                Some(ancestor) if ancestor == id => behind += 1,
                Some(_) => against += 1,
                None => {}
            }
        }
        (behind, against)
    }
}
