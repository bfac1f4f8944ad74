//! `enode://` records: what is read is written again as the same.
#![no_main]

use hypasis_wire::node::NodeRecord;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(record) = text.parse::<NodeRecord>() {
        assert_eq!(record.to_string().parse(), Ok(record));
    }
});
