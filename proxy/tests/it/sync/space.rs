//! What is given up when the store must not grow.

use hypasis_cache::store::{SECTION, Stats};
use hypasis_proxy::sync::forward::promotion;
use hypasis_proxy::sync::space::{Projection, prune};

#[test]
fn whole_sections_below_oldest_go_and_nothing_above() {
    assert_eq!(prune(0, SECTION * 3 + 5, false), Some(0..=SECTION * 3 - 1));
    assert_eq!(prune(SECTION * 3, SECTION * 3 + 5, false), None);
    assert_eq!(prune(0, 5, false), None);
}

#[test]
fn a_store_that_is_too_large_gives_up_its_lowest_section() {
    assert_eq!(prune(SECTION + 7, 0, true), Some(SECTION + 7..=SECTION * 2 - 1));
}

#[test]
fn the_projection_follows_the_mean_of_what_is_held() {
    let stats =
        Stats { disk_bytes: 2_000_000, free_bytes: 10_000_000, history_blocks: 2_000, ..Stats::default() };
    let projection = Projection::new(&stats, None, 5_000, None).unwrap();
    assert_eq!((projection.missing_bytes, projection.room_bytes), (5_000_000, 10_000_000));
    assert!(projection.fits());
    assert!(
        !Projection::new(&stats, None, 5_000, Some(3_000_000)).unwrap().fits(),
        "max_size leaves less than the disk"
    );
    assert!(!Projection::new(&stats, None, 50_000, None).unwrap().fits());
    assert_eq!(Projection::new(&Stats::default(), None, 5_000, None), None, "nothing held says nothing");
    let sampled = Projection::new(&Stats::default(), Some(300), 5_000, None).unwrap();
    assert_eq!(sampled.missing_bytes, 1_500_000, "before filling a sample speaks");
}

#[test]
fn the_projection_leaves_room_for_indexes_that_are_merged() {
    let families = vec![("headers".to_owned(), 1_600_000), ("tx_location".to_owned(), 400_000)];
    let stats =
        Stats { disk_bytes: 2_000_000, free_bytes: 7_000_000, history_blocks: 2_000, ..Stats::default() };
    assert_eq!(Projection::new(&stats, None, 6_000, None).unwrap().room_bytes, 7_000_000);
    let stats = Stats { families, ..stats };
    // 200 bytes of each block are index: of 2,000 that are held and 6,000 that are not.
    let projection = Projection::new(&stats, None, 6_000, None).unwrap();
    assert_eq!((projection.missing_bytes, projection.room_bytes), (6_000_000, 5_400_000));
    assert!(!projection.fits());
}

#[test]
fn the_window_becomes_history_in_whole_sections_unless_it_is_crowded() {
    assert_eq!(promotion(100, SECTION - 2, 8_000, 32_768), None);
    assert_eq!(promotion(100, SECTION - 1, 8_000, 32_768), Some(SECTION - 1));
    assert_eq!(promotion(100, SECTION * 3 + 9, 8_000, 32_768), Some(SECTION * 3 - 1));
    assert_eq!(promotion(SECTION - 1, SECTION + 9, 8_000, 32_768), None);
    assert_eq!(promotion(SECTION - 1, SECTION + 9, 900, 1_000), Some(SECTION + 9), "crowded");
    assert_eq!(promotion(SECTION + 9, SECTION + 9, 900, 1_000), None, "nothing settled to move");
}
