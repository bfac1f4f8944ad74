//! `/metrics` is OpenMetrics text (version 1.0.0) that any scraper reads.

use std::collections::{HashMap, HashSet};

use hypasis_tests::appliance::Appliance;
use hypasis_tests::http::get;
use serde_json::json;
use tempfile::tempdir;

#[test]
fn the_metrics_page_keeps_the_rules_of_openmetrics() {
    let dir = tempdir().unwrap();
    let appliance = Appliance::start(dir.path(), &["--chain", "dev"]);
    // Series with labels, a histogram, an error.
    appliance.call("eth_chainId", json!([]));
    appliance.call("eth_getBlockByNumber", json!(["latest", false]));
    appliance.call("eth_getBlockByNumber", json!([]));
    let answer = get(appliance.admin, "/metrics");
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    check(&answer.body);
    assert_eq!(appliance.terminate(), Some(0));
}

#[test]
fn pages_that_break_a_rule_are_noticed() {
    let good = "# HELP a A.\n# TYPE a counter\na_total{x=\"y\"} 1\n# EOF\n";
    check(good);
    for bad in [
        good.replace("# EOF\n", ""),
        good.replace("a_total", "a"),
        good.replace("a_total", "b_total"),
        good.replace("} 1", "} one"),
        good.replace("# EOF", "a_total{x=\"y\"} 2\n# EOF"),
        good.replace("{x=\"y\"}", "{x=y}"),
        good.replace("counter", "histogram"),
    ] {
        let outcome = std::panic::catch_unwind(|| check(&bad));
        assert!(outcome.is_err(), "{bad}");
    }
}

/// Panics with the line that breaks a rule.
fn check(page: &str) {
    let page = page.strip_suffix("# EOF\n").expect("it ends with an end");
    let (mut name, mut kind) = (String::new(), String::new());
    let (mut families, mut series) = (HashSet::new(), HashSet::new());
    let mut buckets: HashMap<String, Vec<f64>> = HashMap::new();
    let mut counts: HashMap<String, f64> = HashMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let (keyword, rest) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            let (family, text) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(matches!(keyword, "HELP" | "TYPE" | "UNIT"), "{line}");
            if family != name {
                assert!(families.insert(family.to_owned()), "a family comes once and whole: {line}");
                family.clone_into(&mut name);
            }
            if keyword == "TYPE" {
                text.clone_into(&mut kind);
            }
            continue;
        }
        let (full, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let (sample, labels) = full.split_once('{').unwrap_or((full, "}"));
        let suffix = sample.strip_prefix(&name).unwrap_or_else(|| panic!("outside its family: {line}"));
        let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
        let labels: Vec<&str> = labels.split_terminator(',').collect();
        for label in &labels {
            let (key, text) = label.split_once('=').unwrap_or_else(|| panic!("{line}"));
            assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
            assert!(text.len() >= 2 && text.starts_with('"') && text.ends_with('"'), "{line}");
        }
        assert!(series.insert(full.to_owned()), "a series comes once: {line}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{line}");
        match (kind.as_str(), suffix) {
            ("counter", "_total") => assert!(value >= 0.0, "{line}"),
            ("gauge", "") | ("info", "_info") | ("histogram", "_sum") => {}
            ("histogram", "_bucket") => {
                let others = labels.iter().filter(|label| !label.starts_with("le=")).copied();
                let key = format!("{name}{}", others.collect::<String>());
                buckets.entry(key).or_default().push(value);
                assert!(labels.iter().any(|label| label.starts_with("le=")), "{line}");
            }
            ("histogram", "_count") => {
                counts.insert(format!("{name}{}", labels.concat()), value);
            }
            _ => panic!("a {kind} has no sample like {line}"),
        }
    }
    assert_eq!(buckets.len(), counts.len(), "each histogram has buckets and a count");
    for (key, counts_up_to) in buckets {
        assert!(counts_up_to.is_sorted(), "buckets count what is below: {key}");
        assert_eq!(counts_up_to.last(), counts.get(&key), "the last bucket holds all: {key}");
    }
}
