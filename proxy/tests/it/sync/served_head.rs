//! The one served head never runs ahead of what is held, and never goes back without a reorg.

use alloy_primitives::B256;
use hypasis_chain::BlockId;
use hypasis_proxy::served::Served;
use hypasis_proxy::sync::publish::{FOLLOW_LAG_BLOCKS, Moment, next};
use proptest::prelude::*;

fn id(number: u64) -> BlockId {
    BlockId { number, hash: B256::with_last_byte(1) }
}

fn served(number: u64, local: bool) -> Served {
    Served { latest: Some(id(number)), local, upstream: true, ..Served::default() }
}

#[test]
fn a_store_alone_serves_what_it_holds_and_its_own_finality() {
    let moment = Moment { held: Some(id(50)), own_finalized: Some(id(40)), ..Moment::default() };
    let now = next(&Served::default(), &moment);
    let expected = Served {
        latest: Some(id(50)),
        safe: Some(id(40)),
        finalized: Some(id(40)),
        local: true,
        upstream: false,
        ..Served::default()
    };
    assert_eq!(now, expected);
}

#[test]
fn before_the_head_is_held_the_upstreams_head_is_served() {
    let now = next(&Served::default(), &Moment { upstream: Some(id(100)), ..Moment::default() });
    assert_eq!((now.latest, now.local), (Some(id(100)), false));
    // History down there does not count as the region at the head.
    let moment = Moment { held: Some(id(90)), upstream: Some(id(101)), ..Moment::default() };
    assert_eq!(next(&now, &moment).latest, Some(id(101)));
}

#[test]
fn once_held_the_head_is_what_is_held() {
    let moment = Moment { held: Some(id(100)), upstream: Some(id(100)), ..Moment::default() };
    let now = next(&served(100, false), &moment);
    assert!(now.local);
    let ahead = next(&now, &Moment { upstream: Some(id(103)), ..moment });
    assert_eq!((ahead.latest, ahead.local), (Some(id(100)), true));
}

#[test]
fn a_long_stop_makes_the_upstreams_head_the_served_one_again() {
    let moment =
        Moment { held: Some(id(100)), upstream: Some(id(101 + FOLLOW_LAG_BLOCKS)), ..Moment::default() };
    let now = next(&served(100, true), &moment);
    assert_eq!((now.latest, now.local), (moment.upstream, false));
    let halted = next(&served(100, true), &Moment { halted: true, ..moment });
    assert_eq!((halted.latest, halted.local), (Some(id(100)), true), "a stop on purpose serves what is held");
}

#[test]
fn only_a_reorg_takes_the_head_back() {
    let moment = Moment { held: Some(id(98)), upstream: Some(id(98)), ..Moment::default() };
    assert_eq!(next(&served(100, true), &moment).latest, Some(id(100)));
    assert_eq!(next(&served(100, true), &Moment { reorg: true, ..moment }).latest, Some(id(98)));
}

#[test]
fn finality_is_never_above_the_head() {
    let moment = Moment { upstream: Some(id(100)), upstream_finalized: Some(id(200)), ..Moment::default() };
    assert_eq!(next(&Served::default(), &moment).finalized, None);
}

proptest! {
    #[test]
    fn a_local_head_is_held_and_numbers_only_grow(
        steps in prop::collection::vec((prop::option::of(0_u64..2_000), prop::option::of(0_u64..2_000)), 1..40)
    ) {
        let mut now = Served::default();
        let mut held_most = None;
        for (held, upstream) in steps {
            // Without reorgs what is held only grows.
            held_most = held_most.max(held);
            let moment =
                Moment { held: held_most.map(id), upstream: upstream.map(id), ..Moment::default() };
            let after = next(&now, &moment);
            prop_assert!(after.latest.map(|id| id.number) >= now.latest.map(|id| id.number));
            if after.local {
                prop_assert_eq!(after.latest, moment.held);
            }
            now = after;
        }
    }
}

#[test]
fn with_archives_alone_bodies_are_enough_until_something_whole_is_held() {
    let now = next(&Served::default(), &Moment { bodies: Some(id(70)), ..Moment::default() });
    assert_eq!((now.latest, now.local, now.upstream), (Some(id(70)), false, false));
    let up = Moment { bodies: Some(id(70)), upstream: Some(id(90)), ..Moment::default() };
    assert_eq!(next(&Served::default(), &up).latest, Some(id(90)));
    let held = Moment { bodies: Some(id(70)), held: Some(id(70)), ..Moment::default() };
    assert!(next(&now, &held).local);
}
