//! Any payload under any id in any session: what is read is canonical.
#![no_main]

use hypasis_wire::eth::{Dialect, EthMessage, EthVersion};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u8, bool, u8, Vec<u8>)| {
    let (version, bor, id, payload) = data;
    let version = EthVersion::ALL[usize::from(version) % EthVersion::ALL.len()];
    let dialect = if bor { Dialect::Bor } else { Dialect::Ethereum };
    if let Ok(message) = EthMessage::decode(version, dialect, id % 0x14, payload.clone().into()) {
        assert_eq!(message.encoded(), payload);
    }
});
