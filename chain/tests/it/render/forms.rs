//! Profiles: found by a node's version, kept by name, and followed field by field.

use hypasis_chain::render::{self, Client, Profile, RenderError};
use hypasis_chain::spec::Family;
use hypasis_chain::{ChainSpec, Receipts};
use serde_json::Value;

use super::Held;
use super::mainnet::mainnet;

#[test]
fn a_profile_is_found_by_the_version_of_the_node() {
    let ethereum = ChainSpec::named("ethereum").unwrap();
    let polygon = ChainSpec::named("polygon").unwrap();
    for (version, client) in [
        ("Geth/v1.17.5-stable-0c0e7b42/linux-amd64/go1.25.1", Client::Geth),
        ("bor/v2.7.2/linux-amd64/go1.24", Client::Bor),
        ("erigon/3.1.0/linux-amd64/go1.24", Client::Erigon),
        ("Nethermind/v1.34.0+7e3e5ea/linux-x64/dotnet9.0.9", Client::Nethermind),
        ("reth/v1.8.2-9c30bf7/x86_64-unknown-linux-gnu", Client::Reth),
        ("besu/v25.9.0/linux-x86_64/openjdk-java-21", Client::Besu),
        ("anvil/v1.7.1", Client::Anvil),
        ("SomethingElse/v1", Client::Geth),
        ("", Client::Geth),
    ] {
        assert_eq!(Profile::detect(version, &ethereum).client, client, "{version}");
    }
    assert_eq!(Profile::detect("Geth/v1.17.5", &polygon).client, Client::Bor);
    assert_eq!(Profile::for_family(Family::Bor).client, Client::Bor);
    assert_eq!(Profile::for_family(Family::Ethereum).client, Client::Geth);
}

#[test]
fn a_profile_is_kept_by_its_name() {
    for client in Client::ALL {
        let profile = Profile::of(client);
        assert_eq!(profile.client, client);
        assert_eq!(profile.name().parse::<Client>(), Ok(client));
        let kept = serde_json::to_string(&profile).unwrap();
        assert_eq!(kept, format!("\"{}\"", profile.name()));
        assert_eq!(serde_json::from_str::<Profile>(&kept).unwrap(), profile);
    }
    assert!("parity".parse::<Client>().is_err());
}

#[test]
fn every_profile_writes_valid_json_that_agrees_with_geth_where_both_have_a_field() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let geth = Profile::of(Client::Geth);
    let blocks = mainnet();
    let mut busy: Vec<&Held> = blocks.values().filter(|held| held.receipts.is_some()).collect();
    busy.sort_by_key(|held| held.number);
    for client in Client::ALL {
        let profile = Profile::of(client);
        for held in busy.iter().step_by(4) {
            let render = |profile: &Profile| -> Value {
                let receipts = Receipts::parse(held.receipts.as_deref().unwrap()).unwrap();
                let text = held.render(&spec, profile, |out, parts| {
                    let mut parts = *parts;
                    parts.total_difficulty = Some(alloy_primitives::U256::from(7));
                    out.push(b'[');
                    render::block(out, &parts, true)?;
                    out.push(b',');
                    render::block_receipts(out, &parts, &receipts)?;
                    out.push(b']');
                    Ok(())
                });
                serde_json::from_str(&text.unwrap()).unwrap()
            };
            agree(&render(&profile), &render(&geth), profile.name());
        }
    }
}

#[test]
fn keys_come_in_the_order_of_the_profile_and_none_twice() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let held = mainnet().into_values().find(|held| held.number == 22_431_084).expect("a Prague block");
    for client in Client::ALL {
        let profile = Profile::of(client);
        let text = held.render(&spec, &profile, |out, parts| {
            let mut parts = *parts;
            parts.total_difficulty = Some(alloy_primitives::U256::ZERO);
            render::block(out, &parts, false)
        });
        let text = text.unwrap();
        let wanted: Vec<String> = profile.block.iter().map(|field| key(&format!("{field:?}"))).collect();
        let places: Vec<usize> = wanted
            .iter()
            .map(|key| {
                let found: Vec<usize> =
                    text.match_indices(&format!("\"{key}\":")).map(|found| found.0).collect();
                assert_eq!(found.len(), 1, "{client} {key}");
                found[0]
            })
            .collect();
        assert!(places.is_sorted(), "{client}: {text}");
    }
}

#[test]
fn a_total_difficulty_that_nobody_knows_is_not_made_up() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let held = mainnet().into_values().find(|held| held.number == 1_000_000).unwrap();
    let besu = Profile::of(Client::Besu);
    let ours = held.render(&spec, &besu, |out, parts| render::block(out, parts, false));
    assert_eq!(ours, Err(RenderError::Unknown("total difficulty")));
}

/// Every value that both have is the same.
fn agree(ours: &Value, geth: &Value, client: &str) {
    match (ours, geth) {
        (Value::Object(ours), Value::Object(geth)) => {
            for (key, our) in ours {
                if let Some(their) = geth.get(key) {
                    agree(our, their, client);
                }
            }
        }
        (Value::Array(ours), Value::Array(geth)) => {
            assert_eq!(ours.len(), geth.len(), "{client}");
            ours.iter().zip(geth).for_each(|(our, their)| agree(our, their, client));
        }
        _ => assert_eq!(ours, geth, "{client}"),
    }
}

/// The JSON key of a field; those that one client writes otherwise have names of their own.
fn key(variant: &str) -> String {
    let variant = variant.strip_suffix("WithoutWithdrawals").unwrap_or(variant);
    variant[..1].to_lowercase() + &variant[1..]
}
