//! Only headers that link to what is trusted get through.

use bytes::Bytes;
use hypasis_chain::dev::{DevChain, DevOptions};
use hypasis_chain::header::field;
use hypasis_chain::{Fault, Header, Level};
use hypasis_proxy::sync::links::{close_down, close_up};
use hypasis_proxy::sync::verify::Checks;

const HEIGHTS: u64 = 40;

fn chain() -> DevChain {
    DevChain::new(DevOptions { history: HEIGHTS, transactions: 0, period_ms: 1_000, seed: 1 }, 1_700_000_000)
}

fn checks(chain: &DevChain, level: Level) -> Checks {
    Checks::new(level, chain.spec().into())
}

fn headers(chain: &DevChain, range: std::ops::RangeInclusive<u64>) -> Vec<Bytes> {
    range.map(|number| chain.block(number).header).collect()
}

#[test]
fn linked_headers_close_from_either_end() {
    let chain = chain();
    let raw = headers(&chain, 10..=30);
    let down = close_down(chain.id_at(30), &raw, &checks(&chain, Level::Full)).unwrap();
    let up =
        close_up(chain.id_at(9), Some(&chain.block(9).header), &raw, &checks(&chain, Level::Full)).unwrap();
    assert_eq!(down, up);
    assert!(down.iter().zip(10..).all(|(header, number)| header.id == chain.id_at(number)));
    assert_eq!(down[0].parent, chain.id_at(9).hash);
}

#[test]
fn a_changed_byte_anywhere_breaks_the_chain_where_it_is() {
    let chain = chain();
    let good = headers(&chain, 10..=20);
    for victim in 0..good.len() {
        let mut raw = good.clone();
        let mut bytes = raw[victim].to_vec();
        let last = bytes.len() - 40;
        bytes[last] ^= 1;
        raw[victim] = bytes.into();
        let number = 10 + victim as u64;
        for level in [Level::None, Level::Full] {
            assert_eq!(close_down(chain.id_at(20), &raw, &checks(&chain, level)).unwrap_err().number, number);
            // Upward, a block is named by its own hash: the lie shows at its child, or at the agreed end.
            match close_up(chain.id_at(9), None, &raw, &checks(&chain, level)) {
                Err(broken) => assert!(broken.number == number || broken.number == number + 1),
                Ok(linked) => assert_ne!(linked.last().unwrap().id, chain.id_at(20)),
            }
        }
    }
}

#[test]
fn a_header_left_out_breaks_the_chain() {
    let chain = chain();
    let mut raw = headers(&chain, 10..=20);
    raw.remove(5);
    let broken = close_down(chain.id_at(20), &raw, &checks(&chain, Level::None)).unwrap_err();
    assert!(matches!(broken.fault, Fault::Number { field: "number", .. }), "{broken}");
    assert!(close_up(chain.id_at(9), None, &raw, &checks(&chain, Level::None)).is_err());
}

#[test]
fn a_header_that_links_but_breaks_a_rule_is_refused_from_level_header_on() {
    let chain = chain();
    let honest = chain.block(20).header;
    let fee = Header::parse(&honest).unwrap().field(field::BASE_FEE).unwrap();
    let last_digit = fee.as_ptr_range().end.addr() - honest.as_ptr().addr() - 1;
    let mut forged = honest.to_vec();
    forged[last_digit] ^= 1;
    let forged = [Bytes::from(forged)];
    let parent = chain.block(19).header;
    let close = |level| close_up(chain.id_at(19), Some(&parent), &forged, &checks(&chain, level));
    assert_eq!(close(Level::None).unwrap().len(), 1, "it links: its own hash is nobody's business yet");
    let broken = close(Level::Header).unwrap_err();
    assert!(matches!(broken.fault, Fault::Amount { field: "baseFeePerGas", .. }), "{broken}");
}
