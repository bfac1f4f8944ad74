//! The store against a model of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use alloy_primitives::B256;
use hypasis_cache::{Store, StoreError, Verified};
use proptest::prelude::*;

use crate::support::{FULL, assert_held, beside, chain, fill, ids, open, trust};

/// Heights that the model plays with: history below, the tip above, forks from some heights.
const HEIGHTS: u64 = 24;

#[derive(Clone, Debug)]
enum Act {
    Fill(u64, u64),
    Abort(u64, u64),
    Remove(u64, u64),
    /// A fork from a height, so long; inserted and made canonical.
    Branch(u64, u64, u64),
    Promote(u64),
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..HEIGHTS, 1..8_u64).prop_map(|(from, length)| Act::Fill(from, length)),
        (0..HEIGHTS, 1..8_u64).prop_map(|(from, length)| Act::Abort(from, length)),
        (0..HEIGHTS, 1..8_u64).prop_map(|(from, length)| Act::Remove(from, length)),
        (0..HEIGHTS, 1..8_u64, 0..3_u64).prop_map(|(from, length, fork)| Act::Branch(from, length, fork)),
        (0..HEIGHTS).prop_map(Act::Promote),
        Just(Act::Reopen),
    ]
}

/// What is held by height: history, and the canonical tip over it.
#[derive(Default)]
struct Model {
    history: BTreeMap<u64, Verified>,
    tip: BTreeMap<u64, Verified>,
    window: BTreeSet<B256>,
}

impl Model {
    fn at(&self, number: u64) -> Option<&Verified> {
        self.tip.get(&number).or_else(|| self.history.get(&number))
    }

    fn act(&mut self, store: &Store, trunk: &[Verified], act: &Act) {
        match *act {
            Act::Fill(from, length) => {
                let blocks = cut(trunk, from, length);
                let clash = blocks.iter().any(|block| {
                    let held = self.history.get(&block.block.id.number);
                    held.is_some_and(|held| held.block.id != block.block.id)
                });
                let filled = fill(store, blocks);
                assert_eq!(matches!(filled, Err(StoreError::Refused(_))), clash, "{filled:?}");
                if !clash {
                    let blocks = blocks.iter().map(|block| (block.block.id.number, block.clone()));
                    self.history.extend(blocks);
                }
            }
            Act::Abort(from, length) => {
                let blocks = cut(trunk, from, length);
                let last = blocks.last().unwrap().block.id.number;
                let mut part = store.begin_part(from..=last, FULL.to_vec()).unwrap();
                let _ = part.append(&blocks[0]);
            }
            Act::Remove(from, length) => {
                store.remove(from..=from + length - 1).unwrap();
                self.history.retain(|number, _| !(from..from + length).contains(number));
            }
            Act::Branch(from, length, fork) => self.branch(store, trunk, from, length, fork),
            Act::Promote(number) => {
                let clash = self.tip.range(..=number).any(|(number, block)| {
                    let held = self.history.get(number);
                    held.is_some_and(|held| held.block.id != block.block.id)
                });
                let promoted = store.promote(number);
                assert_eq!(promoted.is_err(), clash, "{promoted:?}");
                if !clash {
                    let rest = self.tip.split_off(&(number + 1));
                    self.history.extend(std::mem::replace(&mut self.tip, rest));
                    self.window = store.view().tip_blocks().iter().map(|block| block.id.hash).collect();
                }
            }
            Act::Reopen => unreachable!("the caller opens"),
        }
    }

    fn branch(&mut self, store: &Store, trunk: &[Verified], from: u64, length: u64, fork: u64) {
        let below =
            from.checked_sub(1).map(|below| self.at(below).unwrap_or(&trunk[below as usize]).block.id.hash);
        let length = length.min(HEIGHTS - from);
        let blocks = match fork {
            0 if below.is_none_or(|below| below == trunk[from as usize - 1].block.id.hash) => {
                cut(trunk, from, length).to_vec()
            }
            _ => chain(from, length, below.unwrap_or_default(), fork),
        };
        let room = self.window.len() + blocks.len() <= 64;
        let inserted = store.insert_tip(&blocks, &trust("node"));
        if !room && inserted.is_err() {
            return;
        }
        inserted.unwrap();
        self.window.extend(blocks.iter().map(|block| block.block.id.hash));
        let clash = blocks.iter().any(|block| {
            let held = self.history.get(&block.block.id.number);
            held.is_some_and(|held| held.block.id != block.block.id)
        });
        let switched = store.set_canonical(&ids(&blocks));
        assert_eq!(switched.is_err(), clash, "{switched:?}");
        if !clash {
            self.tip.split_off(&from);
            self.tip.extend(blocks.into_iter().map(|block| (block.block.id.number, block)));
        }
    }

    fn check(&self, store: &Store, trunk: &[Verified]) {
        let view = store.view();
        for number in 0..HEIGHTS {
            match self.at(number) {
                Some(block) => assert_held(&view, block),
                None => {
                    assert_eq!(view.by_number(number).unwrap(), None);
                    let missed = &trunk[number as usize];
                    for hash in missed.transaction_hashes.iter().chain(&beside(&missed.block)) {
                        assert_eq!(view.transaction(hash).unwrap(), None);
                    }
                }
            }
        }
        // Two things that sync never does leave what `verify` rightly names: blocks of one fork put upon another's, and
        // removed heights filled with other blocks, whose old index entries readers take for misses.
        let named = ["the block below", "lead to what these blocks do not hold"];
        let mut told = |range: RangeInclusive<u64>, why: &str| {
            assert!(named.iter().any(|named| why.ends_with(named)), "{range:?}: {why}");
        };
        store.verify(0..=u64::MAX, false, &mut told).unwrap();
        let head = self.tip.values().next_back().or_else(|| self.history.values().next_back());
        assert_eq!(view.head(), head.map(|block| block.block.id));
    }
}

fn cut(trunk: &[Verified], from: u64, length: u64) -> &[Verified] {
    &trunk[from as usize..(from + length).min(HEIGHTS) as usize]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_store_does_what_its_model_does(acts in prop::collection::vec(act(), 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let trunk = chain(0, HEIGHTS, B256::ZERO, 0);
        let (mut store, mut model) = (open(folder.path()), Model::default());
        for act in &acts {
            if matches!(act, Act::Reopen) {
                drop(store);
                store = open(folder.path());
            } else {
                model.act(&store, &trunk, act);
            }
            model.check(&store, &trunk);
        }
    }
}
