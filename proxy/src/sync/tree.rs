//! The tip window's forks as a tree of hashes, and the choice among them, without any I/O.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::B256;
use hypasis_chain::BlockId;

/// Blocks above the settled history, by hash, with the branch that is canonical.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The highest settled block: every branch must stand on it.
    root: BlockId,
    parents: HashMap<B256, (u64, B256)>,
    canonical: BTreeMap<u64, B256>,
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
}

// === impl Tree ===

impl Tree {
    /// A window that is empty above `root`.
    pub fn new(root: BlockId) -> Self {
        Self { root, parents: HashMap::new(), canonical: BTreeMap::new() }
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
        self.parents.len()
    }

    /// Whether the window is empty.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// Whether `id` is the root or in the window.
    pub fn contains(&self, id: &BlockId) -> bool {
        *id == self.root || self.parents.get(&id.hash).is_some_and(|(number, _)| *number == id.number)
    }

    /// The canonical block at `number`, root included.
    pub fn canonical(&self, number: u64) -> Option<BlockId> {
        if number == self.root.number {
            return Some(self.root);
        }
        self.canonical.get(&number).map(|hash| BlockId { number, hash: *hash })
    }

    /// Adds a block whose parent is in the window or the root; says whether it is.
    pub fn insert(&mut self, id: BlockId, parent: B256) -> bool {
        let below = BlockId { number: id.number.saturating_sub(1), hash: parent };
        let stands = id.number > self.root.number && self.contains(&below);
        if stands {
            self.parents.insert(id.hash, (id.number, parent));
        }
        stands
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
        self.root = root;
        self.canonical = self.canonical.split_off(&number.saturating_add(1));
        let mut heights: Vec<(u64, B256, B256)> =
            self.parents.iter().map(|(hash, (number, parent))| (*number, *hash, *parent)).collect();
        heights.sort_unstable();
        self.parents.clear();
        for (number, hash, parent) in heights {
            self.insert(BlockId { number, hash }, parent);
        }
    }

    /// The blocks from just above the canonical chain (or the root) up to `id`, ascending; `None` if it is unknown.
    pub fn branch(&self, id: BlockId) -> Option<Vec<BlockId>> {
        let mut branch = Vec::new();
        let mut at = id;
        while self.canonical(at.number) != Some(at) {
            let (_, parent) = self.parents.get(&at.hash).filter(|(number, _)| *number == at.number)?;
            branch.push(at);
            at = BlockId { number: at.number.checked_sub(1)?, hash: *parent };
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
            let (_, parent) = self.parents.get(&at.hash)?;
            at = BlockId { number: at.number.saturating_sub(1), hash: *parent };
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
            let (_, parent) = self.parents.get(&at.hash)?;
            at = BlockId { number: at.number.saturating_sub(1), hash: *parent };
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
            let Some((_, parent)) = self.parents.get(&at.hash) else { return false };
            at = BlockId { number: at.number.saturating_sub(1), hash: *parent };
        }
        false
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
