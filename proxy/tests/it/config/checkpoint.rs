//! `[checkpoint]`: each source has what it needs, and nothing that another would need.

use alloy_primitives::U256;
use hypasis_proxy::config::{CheckpointSource, Config, show};

use super::{error_of, load_text};

const SIGNER: &str = "0x71562b71999873DB5b286dF957af199Ec94617F7";
const OTHER: &str = "0x703c4b2bd70c169f5717101caee543299fc946c7";
const CONTRACT: &str = "0x86E4Dc95c7FBdBf52e33D563BbDB00823894C287";

#[test]
fn every_source_loads_with_what_it_needs() {
    for (text, source) in [
        ("source = 'upstream'".to_owned(), CheckpointSource::Upstream),
        (
            format!(
                "source = 'static'\nnumber = 5\nhash = '0x{}'\ntotal_difficulty = '12345678901234567890123'",
                "11".repeat(32)
            ),
            CheckpointSource::Static,
        ),
        (
            format!("source = 'signed'\nfile = 'c.json'\nsigners = ['{SIGNER}', '{OTHER}']\nthreshold = 2"),
            CheckpointSource::Signed,
        ),
        (
            format!(
                "source = 'ethereum-l1'\nl1_urls = ['https://a', 'http://b:1/key']\nroot_chain = '{CONTRACT}'"
            ),
            CheckpointSource::EthereumL1,
        ),
        (
            "source = 'ethereum-l1'\nl1_urls = ['https://a']\nheimdall_urls = ['http://h']".to_owned(),
            CheckpointSource::EthereumL1,
        ),
    ] {
        let config = load_text(&format!("[checkpoint]\n{text}")).unwrap();
        assert_eq!(config.checkpoint.source, source);
        // What is shown can be loaded again.
        let shown = load_text(&show(&config)).unwrap();
        assert_eq!(shown.checkpoint.total_difficulty, config.checkpoint.total_difficulty);
        assert_eq!((shown.checkpoint.signers, shown.checkpoint.source), (config.checkpoint.signers, source));
    }
}

#[test]
fn a_total_difficulty_is_a_number_or_its_digits_however_many() {
    let hash = "11".repeat(32);
    for (written, expected) in [
        ("5", U256::from(5)),
        ("'5'", U256::from(5)),
        ("'0x10'", U256::from(16)),
        ("'58750003716598352816469'", "58750003716598352816469".parse().unwrap()),
    ] {
        let text = format!(
            "[checkpoint]\nsource = 'static'\nnumber = 5\nhash = '0x{hash}'\ntotal_difficulty = {written}"
        );
        assert_eq!(load_text(&text).unwrap().checkpoint.total_difficulty, Some(expected));
    }
    for wrong in ["'many'", "-1", "1.5", "''"] {
        let text = format!(
            "[checkpoint]\nsource = 'static'\nnumber = 5\nhash = '0x{hash}'\ntotal_difficulty = {wrong}"
        );
        assert!(error_of(&text).starts_with("hypasis.toml:5:20"), "{}", error_of(&text));
    }
}

#[test]
fn combinations_that_mean_nothing_are_refused_with_a_sentence() {
    for (text, expected) in [
        ("source = 'signed'", "needs `checkpoint.file` and `checkpoint.signers`"),
        ("source = 'signed'\nfile = 'c'", "needs `checkpoint.file` and `checkpoint.signers`"),
        ("source = 'ethereum-l1'", "needs `checkpoint.l1_urls`"),
        ("l1_urls = ['http://a']", "`checkpoint.l1_urls` is for `checkpoint.source = \"ethereum-l1\"`"),
        ("threshold = 1", "`checkpoint.threshold` is for `checkpoint.source = \"signed\"`"),
        ("total_difficulty = 1", "`checkpoint.total_difficulty` is for `checkpoint.source = \"static\"`"),
        ("source = 'ethereum-l1'\nl1_urls = ['ftp://a']", "URL 1 cannot be read"),
        ("source = 'ethereum-l1'\nl1_urls = ['http://a', 'http://a']", "URLs 1 and 2 are the same"),
        ("heimdall_urls = ['h']", "`checkpoint.heimdall_urls`: URL 1 cannot be read"),
        ("poll_interval = 0", "`checkpoint.poll_interval` is 0"),
        ("signers = ['0x12']", ""),
        ("source = 'nowhere'", "unknown variant"),
    ] {
        let error = error_of(&format!("[checkpoint]\n{text}"));
        assert!(error.starts_with("hypasis.toml:") && error.contains(expected), "{text}: {error}");
    }
    let signed = |more: &str| {
        error_of(&format!(
            "[checkpoint]\nsource = 'signed'\nfile = 'c'\nsigners = ['{SIGNER}', '{OTHER}']\n{more}"
        ))
    };
    assert!(signed("threshold = 3").contains("`checkpoint.threshold` is 3; it must be 1 to 2"));
    assert!(signed("threshold = 0").contains("it must be 1 to 2"));
    let twice = format!(
        "[checkpoint]\nsource = 'signed'\nfile = 'c'\nsigners = ['{SIGNER}', '{}']",
        SIGNER.to_lowercase()
    );
    assert!(error_of(&twice).contains("twice; remove one"), "the case of digits makes no other signer");
    let dev = "[chain]\nname = 'dev'\n[checkpoint]\nsource = 'ethereum-l1'\nl1_urls = ['http://a']";
    assert!(error_of(dev).contains("needs `checkpoint.root_chain` on this chain"), "{}", error_of(dev));
}

#[test]
fn more_than_half_of_the_signers_is_the_default() {
    for (count, expected) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
        let mut config = Config::default();
        config.checkpoint.signers = (0..count).map(|n| [n; 20].into()).collect();
        assert_eq!(config.checkpoint.signers().threshold, expected, "of {count}");
    }
}

#[test]
fn no_secret_of_an_endpoint_is_shown_or_named_in_an_error() {
    let url = "https://user:hunter2@node.example/v2/0123456789abcdefghijklmn?token=hunter3";
    let text =
        format!("[checkpoint]\nsource = 'ethereum-l1'\nl1_urls = ['{url}']\nheimdall_urls = ['{url}']");
    let shown = show(&load_text(&text).unwrap());
    for secret in ["hunter2", "hunter3", "0123456789abcdef"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(shown.matches("https://***@node.example/v2/***?***").count(), 2, "{shown}");
    let wrong = format!("[checkpoint]\nsource = 'ethereum-l1'\nl1_urls = ['{url}', '{url}']");
    assert!(!error_of(&wrong).contains("hunter"), "{}", error_of(&wrong));
}
