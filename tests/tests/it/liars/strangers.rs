//! Nodes that stall, die, or belong to another chain.

use super::*;

#[test]
fn a_stalling_node_holds_nothing_up() {
    let chain = chain(400, 5, 1, DevForks::default());
    let dir = tempdir().unwrap();
    let (stalling, honest) = (Hosted::start("stalling", &chain), Hosted::start("honest", &chain));
    honest.node.fail(true);
    let config = format!(
        "{}{}{}{SMALL_CLAIMS}",
        stalling.config("fill_rate = 200\ntimeout = \"1s\""),
        honest.config(""),
        checkpoint(&chain, 400)
    );
    let mut appliance = start_with(dir.path(), &config);
    appliance.until(|_, admin| covered(admin) > 16, LIMIT, "to fill from the node that stalls later");
    stalling.node.stall(true);
    honest.node.fail(false);
    assert!(covered(appliance.admin) < 400, "it stalls in the middle");
    appliance.filled(400, LIMIT);
    assert_held(&appliance, &chain, 0..=400);
    assert_eq!(blamed(appliance.admin, &stalling), 0, "silence is no lie");
    stalling.node.stall(false);
}

#[test]
fn an_upstream_that_dies_while_filling_is_replaced() {
    let chain = chain(400, 5, 1, DevForks::default());
    let dir = tempdir().unwrap();
    let (mut dying, honest) = (Hosted::start("dying", &chain), Hosted::start("honest", &chain));
    honest.node.fail(true);
    let config = format!(
        "{}{}{}{SMALL_CLAIMS}",
        dying.config("fill_rate = 200"),
        honest.config(""),
        checkpoint(&chain, 400)
    );
    let mut appliance = start_with(dir.path(), &config);
    appliance.until(|_, admin| covered(admin) > 16, LIMIT, "to fill from the node that dies later");
    dying.stop();
    assert!(covered(appliance.admin) < 400, "it dies in the middle");
    honest.node.fail(false);
    appliance.filled(400, LIMIT);
    assert_held(&appliance, &chain, 0..=400);
    appliance.until(
        |_, admin| upstream(admin, "dying")["up"] == false,
        LIMIT,
        "to see that the node is gone",
    );
}

#[test]
fn a_node_on_another_chain_is_named_and_never_asked() {
    let chain = chain(50, 5, 1, DevForks::default());
    let dir = tempdir().unwrap();
    let honest = Hosted::start("honest", &chain);
    let elsewhere = Hosted::start("elsewhere", &hypasis_tests::hosted::chain(90, 5, 2, DevForks::default()));
    let foreign = Hosted::start("foreign", &chain);
    foreign.node.fix("eth_chainId", "\"0x2a\"");
    let strangers = [&elsewhere, &foreign];
    // Which chain is meant is learnt from the honest node; the others answer once that is known.
    strangers.iter().for_each(|node| node.node.fail(true));
    let mut appliance = start(dir.path(), &checkpoint(&chain, 50), [&elsewhere, &foreign, &honest]);
    strangers.iter().for_each(|node| node.node.fail(false));
    appliance.until(
        |_, admin| {
            strangers.iter().all(|node| {
                let state = upstream(admin, &node.id)["state"].as_str().unwrap().to_owned();
                state.starts_with("wrong chain: ")
            })
        },
        LIMIT,
        "to name both strangers",
    );
    let state = |id: &str| appliance.upstream(id)["state"].as_str().unwrap().to_owned();
    assert!(state("elsewhere").contains("block 0"), "{}", state("elsewhere"));
    assert!(state("foreign").contains("chain id is 42, expected 1337"), "{}", state("foreign"));
    appliance.filled(50, LIMIT);
    for _ in 0..20 {
        appliance.call("eth_gasPrice", json!([]));
    }
    for node in strangers {
        for method in ["eth_gasPrice", "debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts"] {
            assert_eq!(node.node.calls(method), 0, "{} was asked for {method}", node.id);
        }
    }
    assert_eq!(honest.node.calls("eth_gasPrice"), 20);
    assert_held(&appliance, &chain, 0..=50);
}

/// How many heights are held whole.
fn covered(admin: SocketAddr) -> u64 {
    let status = get(admin, "/api/v1/status").json();
    let ends = |range: &Value| range[1].as_u64().unwrap() - range[0].as_u64().unwrap() + 1;
    status["coverage"]["receipts"].as_array().unwrap().iter().map(ends).sum()
}
