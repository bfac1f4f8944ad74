//! Which capabilities are shared, and where their messages lie.

use hypasis_wire::p2p::{Capability, P2PStreamError, Protocol, SharedCapabilities};

fn ours() -> [Protocol; 5] {
    [("wit", 1, 4), ("snap", 1, 8), ("eth", 70, 18), ("eth", 68, 17), ("eth", 69, 18)]
        .map(|(name, version, messages)| Protocol::new(Capability::new_static(name, version), messages))
}

#[test]
fn the_highest_common_version_of_each_name_is_shared_in_the_order_of_names() {
    let theirs = [("snap", 1), ("eth", 68), ("zzz", 1), ("eth", 67), ("wit", 1), ("eth", 71)]
        .map(|(name, version)| Capability::new_static(name, version));
    let shared = SharedCapabilities::new(&ours(), &theirs).unwrap();
    let places: Vec<_> =
        shared.iter().map(|one| (one.capability.to_string(), one.offset, one.messages)).collect();
    let expected = [("eth/68", 0, 17), ("snap/1", 17, 8), ("wit/1", 25, 4)];
    assert_eq!(places, expected.map(|(name, offset, messages)| (name.to_owned(), offset, messages)));
}

#[test]
fn the_length_of_a_version_moves_what_follows() {
    for (version, snap_at) in [(68, 17), (69, 18), (70, 18)] {
        let theirs = [Capability::eth(version), Capability::new_static("snap", 1)];
        let shared = SharedCapabilities::new(&ours(), &theirs).unwrap();
        assert_eq!(shared.route(snap_at), Some((1, 0)), "eth/{version}");
        assert_eq!(shared.route(snap_at - 1), Some((0, snap_at - 1)));
        assert_eq!(shared.absolute(1, 7), Some(snap_at + 7));
    }
}

#[test]
fn every_id_goes_one_way_and_comes_back() {
    let theirs: Vec<Capability> = ours().into_iter().map(|protocol| protocol.cap).collect();
    let shared = SharedCapabilities::new(&ours(), &theirs).unwrap();
    let routed = (0..=u8::MAX).filter_map(|id| Some((id, shared.route(id)?)));
    let mut count = 0;
    for (id, (capability, relative)) in routed {
        assert_eq!(shared.absolute(capability, relative), Some(id));
        count += 1;
    }
    assert_eq!(count, 18 + 8 + 4);
    assert_eq!(shared.absolute(3, 0), None);
    assert_eq!(shared.absolute(2, 4), None);
}

#[test]
fn nothing_in_common_names_what_the_peer_offers() {
    let error = SharedCapabilities::new(&ours(), &[Capability::new_static("les", 4), Capability::eth(66)])
        .unwrap_err();
    assert!(
        matches!(&error, P2PStreamError::NoSharedCapabilities(offer) if offer == "les/4, eth/66"),
        "{error}"
    );
    assert!(!error.is_peer_fault());
}

#[test]
fn more_messages_than_ids_are_refused() {
    let wide = ["aaa", "bbb"].map(|name| Protocol::new(Capability::new_static(name, 1), 130));
    let theirs = wide.clone().map(|protocol| protocol.cap);
    let error = SharedCapabilities::new(&wide, &theirs).unwrap_err();
    assert!(matches!(error, P2PStreamError::TooManyMessageIds));
}
