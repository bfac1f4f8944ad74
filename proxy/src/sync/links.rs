//! Closing header links.
//!
//! A header is taken only where an unbroken chain of parent hashes ties it to something trusted: downward from a
//! hash that is known already, or upward from a block that is held. What does not link never gets further than here.

use alloy_primitives::{B256, U256};
use bytes::Bytes;
use hypasis_chain::verify::check_id;
use hypasis_chain::{BlockId, Fault, Header, Level, header};

use super::verify::Checks;

/// A header that links to what is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Height and hash.
    pub id: BlockId,
    /// Hash of its parent.
    pub parent: B256,
    /// Its difficulty.
    pub difficulty: U256,
    /// Its RLP.
    pub raw: Bytes,
}

/// Where a chain of headers breaks. Whoever gave them is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {number}: {fault}")]
pub struct Broken {
    /// Height of the first header that does not fit, seen from the trusted end.
    pub number: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Closes `headers` (ascending, contiguous) downward: the last one must be the block `anchor`.
pub fn close_down(anchor: BlockId, headers: &[Bytes], checks: &Checks) -> Result<Vec<Linked>, Broken> {
    let mut linked: Vec<Linked> = Vec::with_capacity(headers.len());
    let mut expected = anchor;
    let mut child: Option<(Header<'_>, u64)> = None;
    for (raw, hash) in headers.iter().zip(hashes(headers)).rev() {
        let header = parse(raw, expected.number)?;
        let found = BlockId { number: header.number(), hash };
        check_id(found, expected).map_err(broken(expected.number))?;
        if let Some((child, number)) = &child
            && checks.level >= Level::Header
        {
            checks.link(&header, expected.hash, child).map_err(broken(*number))?;
        }
        let (parent, difficulty) = (header.parent_hash(), header.difficulty());
        linked.push(Linked { id: expected, parent, difficulty, raw: raw.clone() });
        child = Some((header, expected.number));
        expected = BlockId { number: expected.number.saturating_sub(1), hash: header.parent_hash() };
    }
    linked.reverse();
    Ok(linked)
}

/// Closes `headers` (ascending, contiguous) upward: the first one must be a child of `parent`, whose header is
/// given where it is at hand.
pub fn close_up(
    parent: BlockId,
    parent_header: Option<&[u8]>,
    headers: &[Bytes],
    checks: &Checks,
) -> Result<Vec<Linked>, Broken> {
    let mut linked = Vec::with_capacity(headers.len());
    let mut below = parent;
    let mut below_header = parent_header.map(|raw| parse(raw, parent.number)).transpose()?;
    for (raw, hash) in headers.iter().zip(hashes(headers)) {
        let number = below.number.saturating_add(1);
        let header = parse(raw, number)?;
        match &below_header {
            Some(parent) if checks.level >= Level::Header => {
                checks.link(parent, below.hash, &header).map_err(broken(number))?;
            }
            _ => check_parent(&header, below)?,
        }
        let id = BlockId { number, hash };
        linked.push(Linked { id, parent: below.hash, difficulty: header.difficulty(), raw: raw.clone() });
        below = id;
        below_header = Some(header);
    }
    Ok(linked)
}

/// The parent hash of a header's bytes, if they are a header at all.
pub fn parent_of(raw: &[u8]) -> Option<B256> {
    Header::parse(raw).ok().map(|header| header.parent_hash())
}

/// The difficulty in a header's bytes, zero if they are none.
pub fn difficulty_of(raw: &[u8]) -> U256 {
    Header::parse(raw).map_or(U256::ZERO, |header| header.difficulty())
}

fn hashes(headers: &[Bytes]) -> Vec<B256> {
    header::hashes(headers.iter().map(Bytes::as_ref))
}

fn check_parent(header: &Header<'_>, parent: BlockId) -> Result<(), Broken> {
    let number = parent.number.saturating_add(1);
    if header.number() != number {
        let fault = Fault::Number { field: "number", found: header.number(), expected: number };
        return Err(Broken { number, fault });
    }
    if header.parent_hash() != parent.hash {
        let fault =
            Fault::Mismatch { field: "parentHash", found: header.parent_hash(), expected: parent.hash };
        return Err(Broken { number, fault });
    }
    Ok(())
}

fn parse(raw: &[u8], number: u64) -> Result<Header<'_>, Broken> {
    Header::parse(raw).map_err(|error| Broken { number, fault: Fault::Malformed { part: "header", error } })
}

fn broken(number: u64) -> impl FnOnce(Fault) -> Broken {
    move |fault| Broken { number, fault }
}
