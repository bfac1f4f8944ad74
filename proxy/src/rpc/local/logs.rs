//! `eth_getLogs`: the bloom of each header first, then its receipts.
//!
//! A range of which only parts are held is handed back in contiguous chunks; what the nodes say about the others is
//! merged in order, all or nothing.

use std::ops::RangeInclusive;

use hypasis_cache::{Kind, Ranges};
use hypasis_chain::render::{self, LogFilter};
use hypasis_chain::{BlockId, Header, Receipts};

use super::{Held, Hit, Moment, Stop, arguments};
use crate::rpc::calibrate::{Facts, Form};
use crate::rpc::framing::{ResultWriter, RpcError};
use crate::rpc::params::{BlockArgument, Filter, Span, Tag};
use crate::rpc::source::Miss;

/// Most chunks that a range is split into; beyond, the call passes through whole.
const CHUNKS_MAX: usize = 16;
/// Heights that are searched without leaving the thread that serves.
const AT_ONCE: u64 = 8;
/// Heights between two looks at the clock and at whether the caller is still there.
const CLOCK_EVERY: u64 = 16;

/// A search whose parts are held here and there.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// Ascending and contiguous.
    pub(crate) chunks: Vec<Chunk>,
    /// What to look for.
    pub(crate) wanted: LogFilter,
    /// `"address":…,"topics":…` as the caller wrote them, each with a comma before it.
    pub(crate) criteria: Vec<u8>,
}

/// Part of a range.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// Heights.
    pub(crate) heights: RangeInclusive<u64>,
    /// Whether the store can answer it.
    pub(crate) held: bool,
}

// === impl Moment ===

impl Moment<'_> {
    /// `eth_getLogs`
    pub(super) fn logs(&self, params: &[u8]) -> Result<Hit, Stop> {
        let arguments = arguments(params, 1)?;
        let filter = Filter::read(&arguments).map_err(Stop::Fault)?;
        let (from, to) = match filter.span {
            Span::Block(hash) => {
                let block = self.resolve(BlockArgument::Hash(hash, true))?;
                return self.search(block.id.number..=block.id.number, &filter.wanted, block.id);
            }
            Span::Range(from, to) => (self.end(from)?, self.end(to)?),
        };
        if from > to {
            return Err(Stop::Fault(RpcError::params("invalid block range params")));
        }
        self.within_head(to)?;
        let limit = self.shelf.logs_range_max;
        if limit > 0 && to - from >= limit {
            return Err(Stop::Miss(Miss::Range));
        }
        let chunks = self.chunks(from..=to);
        match chunks.as_slice() {
            [Chunk { held: true, .. }] if !self.asked.patient && to - from >= AT_ONCE => Err(Stop::Patience),
            [Chunk { held: true, .. }] => {
                // The hash of the last block commits to all before it.
                let last = self.at(to)?;
                self.search(from..=to, &filter.wanted, last.id)
            }
            [Chunk { held: false, .. }] => Err(Stop::Miss(Miss::Gap)),
            chunks if chunks.len() > CHUNKS_MAX => Err(Stop::Miss(Miss::Gap)),
            _ => Err(Stop::Partly(Search { chunks, criteria: criteria(&filter), wanted: filter.wanted })),
        }
    }

    /// The array of matching logs in `heights`, all of which are held.
    pub(crate) fn search(
        &self,
        heights: RangeInclusive<u64>,
        wanted: &LogFilter,
        bound: BlockId,
    ) -> Result<Hit, Stop> {
        let mut writer = ResultWriter::with_capacity(1_024);
        writer.buffer().push(b'[');
        let mut count = 0;
        for number in heights {
            if number.is_multiple_of(CLOCK_EVERY) && self.asked.is_over() {
                return Err(Stop::Refused(RpcError::TIMEOUT));
            }
            self.search_block(number, wanted, &mut writer, &mut count)?;
            self.fits(writer.len())?;
        }
        writer.buffer().push(b']');
        self.finish(writer, bound)
    }

    fn search_block(
        &self,
        number: u64,
        wanted: &LogFilter,
        writer: &mut ResultWriter,
        count: &mut usize,
    ) -> Result<(), Stop> {
        let block = self.read(self.view.by_number(number))?.ok_or(Stop::Miss(Miss::Gap))?;
        let beside = self.logs_beside(&block, wanted)?;
        let header = self.header_bytes(&block)?;
        let header = self.sound(Header::parse(&header))?;
        // The bloom does not cover what stands beside the block.
        if beside.is_none() && !wanted.may_match(&header) {
            return Ok(());
        }
        let bytes = self.receipt_bytes(&block)?;
        let receipts = self.sound(Receipts::parse(&bytes))?;
        let held = Held { beside, ..self.inside(&block)? };
        let parts = self.render(&held)?;
        let before = *count;
        self.rendered(render::logs(writer.buffer(), &parts, &receipts, wanted, count))?;
        if *count > before { self.allowed(Form::Logs, Facts::of_header(&header)) } else { Ok(()) }
    }

    fn end(&self, argument: BlockArgument) -> Result<u64, Stop> {
        match argument {
            BlockArgument::Number(number) => Ok(number),
            BlockArgument::Tag(Tag::Earliest) => Ok(0),
            BlockArgument::Tag(Tag::Pending) | BlockArgument::Hash(..) => Err(Stop::Miss(Miss::Pending)),
            BlockArgument::Tag(tag) => Ok(self.resolve(BlockArgument::Tag(tag))?.id.number),
        }
    }

    /// Beyond the head it is the node's word that counts; without one, Geth's.
    fn within_head(&self, to: u64) -> Result<(), Stop> {
        match self.served.latest {
            Some(latest) if to <= latest.number => Ok(()),
            _ if self.store_only() && self.view.head().is_some_and(|head| to <= head.number) => Ok(()),
            Some(_) if !self.served.upstream => {
                Err(Stop::Fault(RpcError::params("block range extends beyond current head block")))
            }
            _ => Err(Stop::Miss(Miss::AboveHead)),
        }
    }

    fn chunks(&self, heights: RangeInclusive<u64>) -> Vec<Chunk> {
        let mut kinds = vec![Kind::Header, Kind::Body, Kind::Receipts];
        if self.shelf.store.keeps_extra() && self.shows_state_sync_logs() == Some(true) {
            kinds.push(Kind::Extra);
        }
        if kinds.iter().all(|kind| self.view.ranges(*kind).contains_all(&heights)) {
            return vec![Chunk { heights, held: true }];
        }
        let held = kinds.iter().map(|kind| self.view.ranges(*kind));
        split(&held.reduce(|all, kind| all.intersection(&kind)).unwrap_or_default(), heights)
    }
}

/// Cuts `heights` where what is held begins and ends; one chunk more than allowed is enough to see that.
fn split(held: &Ranges, heights: RangeInclusive<u64>) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut next = *heights.start();
    for gap in held.gaps(heights.clone()) {
        if *gap.start() > next {
            chunks.push(Chunk { heights: next..=*gap.start() - 1, held: true });
        }
        next = gap.end().saturating_add(1);
        chunks.push(Chunk { heights: gap, held: false });
        if chunks.len() > CHUNKS_MAX {
            return chunks;
        }
    }
    if next <= *heights.end() {
        chunks.push(Chunk { heights: next..=*heights.end(), held: true });
    }
    chunks
}

fn criteria(filter: &Filter<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, text) in [(",\"address\":", filter.address), (",\"topics\":", filter.topics)] {
        if let Some(text) = text {
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(text);
        }
    }
    out
}
