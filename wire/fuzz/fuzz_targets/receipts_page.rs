//! Any stored bytes, index and budget: a page is a valid answer that keeps to its budget.
#![no_main]

use hypasis_wire::eth::{Dialect, EthMessage, EthVersion, RawAnswer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u8, u16, Vec<u8>)| {
    let (first, budget, stored) = data;
    let mut answer = RawAnswer::new(1);
    let Ok(page) = answer.push_receipts(&stored, u64::from(first), usize::from(budget)) else { return };
    assert!(answer.len() <= usize::from(budget) + 9 || page.taken == 1);
    let payload = answer.finish_receipts70();
    // The walk of a page does not look at receipts that it leaves out, nor whether they are lists.
    let _ = EthMessage::decode(EthVersion::Eth70, Dialect::Ethereum, 0x10, payload);
});
