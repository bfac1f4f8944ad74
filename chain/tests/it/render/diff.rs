//! What calibration learns from two answers.

use hypasis_chain::render::diff::{DifferenceKind, QUOTE_CHARS_MAX, first_difference};

fn kind(ours: &str, theirs: &str) -> Option<(String, DifferenceKind)> {
    first_difference(ours, theirs).map(|difference| (difference.path, difference.kind))
}

#[test]
fn the_order_of_keys_and_blanks_do_not_count() {
    assert_eq!(
        kind(r#"{"a":"0x1","b":[{"c":null,"d":"0x2"}]}"#, r#"{ "b": [{"d":"0x2","c":null}], "a": "0x1" }"#),
        None
    );
}

#[test]
fn a_missing_or_added_field_is_a_form() {
    let (less, more) = (r#"{"hash":"0x1"}"#, r#"{"hash":"0x1","yParity":"0x0"}"#);
    assert_eq!(kind(less, more), Some(("yParity".to_owned(), DifferenceKind::Form)));
    assert_eq!(kind(more, less), Some(("yParity".to_owned(), DifferenceKind::Form)));
    let found = first_difference(less, more).unwrap();
    assert_eq!((found.ours, found.theirs.as_deref()), (None, Some("\"0x0\"")));
}

#[test]
fn another_value_of_what_a_root_covers_is_a_value() {
    for field in ["stateRoot", "value", "status", "cumulativeGasUsed", "data", "from"] {
        let object = |value: &str| format!(r#"[{{"{field}":"{value}"}}]"#);
        assert_eq!(
            kind(&object("0x1"), &object("0x2")),
            Some((format!("[0].{field}"), DifferenceKind::Value))
        );
    }
    let topics = |topic: &str| format!(r#"{{"logs":[{{"topics":["0xaa","{topic}"]}}]}}"#);
    assert_eq!(
        kind(&topics("0xbb"), &topics("0xcc")),
        Some(("logs[0].topics[1]".to_owned(), DifferenceKind::Value))
    );
}

#[test]
fn the_same_value_written_otherwise_is_a_form() {
    for (ours, theirs) in [
        (r#""0x1""#, "1"),
        (r#""0x0""#, r#""0x""#),
        (r#""0x1""#, r#""0x01""#),
        (r#""0xab""#, r#""0xAB""#),
        ("null", r#""0x""#),
    ] {
        let object = |value: &str| format!(r#"{{"value":{value}}}"#);
        assert_eq!(kind(&object(ours), &object(theirs)), Some(("value".to_owned(), DifferenceKind::Form)));
    }
}

#[test]
fn what_a_client_derives_by_itself_is_a_form() {
    for field in ["size", "totalDifficulty", "logIndex", "effectiveGasPrice", "blobGasPrice", "v"] {
        let object = |value: &str| format!(r#"{{"{field}":"{value}"}}"#);
        assert_eq!(kind(&object("0x1"), &object("0x2")), Some((field.to_owned(), DifferenceKind::Form)));
    }
}

#[test]
fn a_gas_price_is_a_value_only_where_it_was_signed() {
    let object = |kind: u8, price: &str| format!(r#"{{"type":"0x{kind}","gasPrice":"{price}"}}"#);
    let found = |kind_: u8| kind(&object(kind_, "0x1"), &object(kind_, "0x2")).unwrap().1;
    assert_eq!([found(0), found(1)], [DifferenceKind::Value; 2]);
    assert_eq!([found(2), found(3), found(4)], [DifferenceKind::Form; 3]);
}

#[test]
fn a_list_of_another_length_is_a_value() {
    assert_eq!(
        kind(r#"{"transactions":["0x1"]}"#, r#"{"transactions":["0x1","0x2"]}"#),
        Some(("transactions[1]".to_owned(), DifferenceKind::Value))
    );
}

#[test]
fn a_wrong_value_counts_before_a_form() {
    let (ours, theirs) = (r#"{"hash":"0x1","stateRoot":"0x1"}"#, r#"{"added":"0x1","stateRoot":"0x2"}"#);
    assert_eq!(kind(ours, theirs), Some(("stateRoot".to_owned(), DifferenceKind::Value)));
}

#[test]
fn quotes_are_cut_and_texts_that_are_no_json_differ() {
    let long = format!(r#"{{"input":"0x{}"}}"#, "a".repeat(1_000));
    let found = first_difference(&long, r#"{"input":"0x"}"#).unwrap();
    assert!(found.ours.unwrap().chars().count() <= QUOTE_CHARS_MAX + 1);
    assert_eq!(kind("[1]", "[1"), Some((String::new(), DifferenceKind::Form)));
}
