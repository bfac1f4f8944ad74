//! The filter of `eth_getLogs`.

use alloy_primitives::{Address, B256};
use hypasis_chain::render::LogFilter;

use super::{Arguments, BlockArgument, Tag, fixed, for_members, hash, invalid, number_or_tag};
use crate::rpc::framing::{RpcError, Scanner};

/// Most topic positions (`LOG4` has four), and most alternatives of one, as in Geth.
const TOPICS_MAX: usize = 4;
const ALTERNATIVES_MAX: usize = 1_000;

/// Which blocks are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// One block, on whatever fork.
    Block(B256),
    /// From one to the other, both included. Absent ends are `latest`, as in Geth.
    Range(BlockArgument, BlockArgument),
}

/// A filter in plain form.
#[derive(Clone, Debug)]
pub(crate) struct Filter<'a> {
    /// Where to search.
    pub(crate) span: Span,
    /// What to look for.
    pub(crate) wanted: LogFilter,
    /// `address` as it was written, for asking a node about parts of the range.
    pub(crate) address: Option<&'a [u8]>,
    /// `topics` as it was written.
    pub(crate) topics: Option<&'a [u8]>,
}

#[derive(Default)]
struct Members<'a> {
    hash: Option<&'a [u8]>,
    from: Option<&'a [u8]>,
    to: Option<&'a [u8]>,
    address: Option<&'a [u8]>,
    topics: Option<&'a [u8]>,
}

// === impl Filter ===

impl<'a> Filter<'a> {
    /// Reads the only parameter of `eth_getLogs`.
    pub(crate) fn read(arguments: &Arguments<'a>) -> Result<Self, RpcError> {
        let text = arguments.required(0)?;
        let members = Members::read(text).ok_or_else(|| invalid(0, "invalid filter"))?;
        let span = members.span()?;
        let mut wanted = LogFilter::default();
        if let Some(address) = members.address {
            wanted.addresses = addresses(address).ok_or_else(|| invalid(0, "invalid addresses in query"))?;
        }
        if let Some(text) = members.topics {
            wanted.topics = topics(text).ok_or_else(|| invalid(0, "invalid topic(s)"))?;
        }
        Ok(Self { span, wanted, address: members.address, topics: members.topics })
    }
}

// === impl Members ===

impl<'a> Members<'a> {
    /// `None` for members that mean nothing here or come twice: those are left to the node.
    fn read(text: &'a [u8]) -> Option<Self> {
        let mut members = Self::default();
        for_members(text, |key, value| {
            let slot = match key {
                b"\"blockHash\"" => &mut members.hash,
                b"\"fromBlock\"" => &mut members.from,
                b"\"toBlock\"" => &mut members.to,
                b"\"address\"" => &mut members.address,
                b"\"topics\"" => &mut members.topics,
                _ => return None,
            };
            (value == b"null" || slot.replace(value).is_none()).then_some(())
        })?;
        Some(members)
    }

    fn span(&self) -> Result<Span, RpcError> {
        let end = |text: Option<&[u8]>| match text {
            None => Ok(BlockArgument::Tag(Tag::Latest)),
            Some(text) => number_or_tag(text).map_err(|what| invalid(0, what)),
        };
        let Some(text) = self.hash else {
            return Ok(Span::Range(end(self.from)?, end(self.to)?));
        };
        if self.from.is_some() || self.to.is_some() {
            return Err(invalid(
                0,
                "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other",
            ));
        }
        hash(text).map(Span::Block).map_err(|what| invalid(0, what.words()))
    }
}

fn addresses(text: &[u8]) -> Option<Vec<Address>> {
    if text.first() == Some(&b'[') {
        return list(text, ALTERNATIVES_MAX, |text| fixed::<20>(text).ok().map(Address::from));
    }
    Some(vec![Address::from(fixed::<20>(text).ok()?)])
}

fn topics(text: &[u8]) -> Option<Vec<Vec<B256>>> {
    list(text, TOPICS_MAX, |position| match position.first()? {
        b'n' => Some(Vec::new()),
        b'[' => {
            // A `null` among the alternatives matches everything, as in Geth.
            let alternatives = list(position, ALTERNATIVES_MAX, |text| match text {
                b"null" => Some(None),
                text => hash(text).ok().map(Some),
            })?;
            Some(alternatives.into_iter().collect::<Option<Vec<_>>>().unwrap_or_default())
        }
        _ => Some(vec![hash(position).ok()?]),
    })
}

/// Reads an array of at most `most` items.
fn list<'a, T>(text: &'a [u8], most: usize, item: impl Fn(&'a [u8]) -> Option<T>) -> Option<Vec<T>> {
    let mut scanner = Scanner::new(text);
    if !scanner.take(b'[') {
        return None;
    }
    let mut items = Vec::new();
    while !scanner.take(b']') {
        if items.len() >= most {
            return None;
        }
        items.push(item(scanner.value().ok()?)?);
        scanner.take(b',');
    }
    Some(items)
}
