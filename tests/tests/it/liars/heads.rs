//! Heads that contradict each other.

use super::*;

#[test]
fn contradicting_heads_wait_for_agreement() {
    let (one, other) = (chain(60, 5, 1, DevForks::default()), chain(60, 5, 1, DevForks::default()));
    let dir = tempdir().unwrap();
    let (a, b, judge) = (Hosted::start("a", &one), Hosted::start("b", &other), Hosted::start("judge", &one));
    judge.node.fail(true);
    let mut appliance = start(dir.path(), &checkpoint(&one, 40), [&a, &b, &judge]);
    appliance.filled(60, LIMIT);
    // One node alone is believed, so both must be there before they part.
    let both = |admin| ["a", "b"].iter().all(|id| upstream(admin, id)["head"]["number"] == 60);
    appliance.until(|_, admin| both(admin), LIMIT, "to know both heads");
    // B takes block 60 back and announces 60' and 61'.
    let fork = other.reorg(1, 2);
    appliance.until(
        |_, admin| {
            assert_eq!(served(admin), one.id_at(60).hash.to_string());
            upstream(admin, "b")["head"]["hash"] == fork.hash.to_string() && halted(admin)
        },
        LIMIT,
        "to see that heads contradict each other",
    );
    // A goes on alone; that is no agreement either, however often both are looked at.
    let head = one.advance(3);
    let looks = |node: &Hosted| node.node.calls("eth_getBlockByNumber");
    let mut seen = None;
    appliance.until(
        |_, admin| {
            assert_eq!(served(admin), one.id_at(60).hash.to_string());
            if upstream(admin, "a")["head"]["hash"] == head.hash.to_string() {
                let (a_then, b_then) = *seen.get_or_insert((looks(&a), looks(&b)));
                return looks(&a) > a_then + 4 && looks(&b) > b_then + 4 && halted(admin);
            }
            false
        },
        LIMIT,
        "to look at both again and again",
    );
    assert_eq!(head_of(appliance.rpc), "0x3c");
    judge.node.fail(false);
    appliance.until(|_, admin| served(admin) == head.hash.to_string(), LIMIT, "to follow the two that agree");
    appliance.until(|_, admin| !halted(admin), LIMIT, "to be content");
    assert_held(&appliance, &one, 0..=head.number);
}

/// Hash of the served head.
fn served(admin: SocketAddr) -> String {
    let status = get(admin, "/api/v1/status").json();
    status["head"]["hash"].as_str().unwrap_or_else(|| panic!("{status}")).to_owned()
}

/// Whether following waits for sources to agree.
fn halted(admin: SocketAddr) -> bool {
    get(admin, "/api/v1/status").json()["halted"].to_string().contains("contradict")
}
