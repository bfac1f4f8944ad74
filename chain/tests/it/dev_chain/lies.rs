//! Each lie is about something, and is caught at its level and no earlier.

use std::collections::HashSet;

use hypasis_chain::dev::{Corruption, DevChain, corrupt};
use hypasis_chain::verify::verify;
use hypasis_chain::{Fault, Level};

use super::{chain, staged};

#[test]
fn every_lie_is_caught_at_its_level_and_no_earlier() {
    let mut told = HashSet::new();
    for (chain, count) in [(chain(20), 40), (staged(10, 20), 100)] {
        tell_all(&chain, count, &mut told);
    }
    let untold: Vec<_> = Corruption::all().into_iter().filter(|which| !told.contains(which)).collect();
    assert!(untold.is_empty(), "nothing to lie about: {untold:?}");
}

fn tell_all(chain: &DevChain, count: u64, told: &mut HashSet<Corruption>) {
    let spec = chain.spec();
    for block in &chain.blocks(0..count) {
        for which in Corruption::all() {
            let Some(lie) = corrupt(block, which) else { continue };
            assert_eq!(lie.id, block.id, "{which:?} keeps the id");
            assert_ne!(&lie, block, "{which:?} differs");
            for level in [Level::None, Level::Header, Level::Light, Level::Full] {
                let fault = verify(level, &spec, &lie, block.id).err();
                let late = level >= which.caught_at();
                // Some lies are no RLP of a body at all, which any level sees.
                let malformed = matches!(fault, Some(Fault::Malformed { .. }));
                assert!(fault.is_some() == late || malformed, "{which:?}, {level:?}, {:?}", block.id);
            }
            told.insert(which);
        }
    }
}

#[test]
fn lies_change_one_part_only() {
    let block = chain(20).block(11);
    for which in Corruption::all() {
        let Some(lie) = corrupt(&block, which) else { continue };
        let changed = [lie.header != block.header, lie.body != block.body, lie.receipts != block.receipts];
        assert_eq!(changed.iter().filter(|part| **part).count(), 1, "{which:?}");
    }
}

#[test]
fn all_fields_of_a_busy_block_can_be_lied_about() {
    let blocks = chain(60).blocks(1..60);
    let busy = blocks.iter().max_by_key(|block| block.body.len()).unwrap();
    for which in Corruption::all() {
        if which != Corruption::UncleMissing {
            assert!(corrupt(busy, which).is_some(), "{which:?}");
        }
    }
}
