//! Which units the held blocks have, each with a call that would settle it.
//!
//! Every height is looked at once, newly held ones first come first; of many, evenly spread ones, so that all eras
//! are seen at once. Blocks above finality are looked at again when a reorg replaces them. Types that a sampled
//! history hides are learned from the first caller who asks for one.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::{BlockRef, Kind, Ranges, View};
use hypasis_chain::bor::{producers, state_sync};
use hypasis_chain::render::Beside;
use hypasis_chain::spec::Family;
use hypasis_chain::{BlockId, Body, ChainSpec, Header};

use super::{Facts, Form, Verdicts};
use crate::rpc::methods::Local;

/// Heights looked at in a round.
const ROUND: u64 = 512;
/// Heights looked at in all before the rest is believed to be like them.
const LOOKS_MAX: u64 = 65_536;
/// Blocks above finality that are remembered by hash.
const YOUNG_MAX: u64 = 128;
/// Open questions at once.
const OPEN_MAX: usize = 512;
/// Blocks asked about in vain before a question is left to callers.
const TRIES_MAX: u8 = 4;

/// What was seen of the held blocks.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Heights looked at.
    looked: Ranges,
    /// Those of them above finality, with the block that was there.
    young: BTreeMap<u64, B256>,
    /// How many were looked at.
    looks: u64,
    /// What is not settled.
    open: BTreeMap<(Form, Facts), Question>,
    /// Questions given up.
    unanswered: u64,
}

/// A call whose answer would settle a form.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// Method.
    pub(super) method: &'static str,
    /// Parameters.
    pub(super) params: String,
    /// How often it was asked.
    tries: u8,
}

// === impl Survey ===

impl Survey {
    /// Heights to look at now.
    pub(super) fn next(&mut self, view: &View) -> Vec<u64> {
        self.forget_replaced(view);
        let fresh = held(view).difference(&self.looked);
        let total = fresh.len();
        if total <= ROUND {
            return fresh.iter().flatten().collect();
        }
        if self.looks >= LOOKS_MAX {
            for range in fresh.iter() {
                self.looked.insert(range);
            }
            return Vec::new();
        }
        let last = total.saturating_sub(1);
        let places = (0..ROUND).map(|place| spread(place, last));
        let mut heights = Vec::new();
        let (mut places, mut before) = (places.peekable(), 0_u64);
        for range in fresh.iter() {
            let length = range.end().saturating_sub(*range.start()).saturating_add(1);
            while let Some(place) = places.next_if(|place| *place < before.saturating_add(length)) {
                heights.push(range.start().saturating_add(place.saturating_sub(before)));
            }
            before = before.saturating_add(length);
        }
        heights
    }

    /// Notes what is open in the block at `number`.
    pub(super) fn looked_at(&mut self, view: &View, number: u64, found: Found) {
        self.looked.insert(number..=number);
        self.looks = self.looks.saturating_add(1);
        if view.finalized().is_none_or(|finalized| number > finalized.number)
            && let Some(hash) = found.hash
        {
            self.young.insert(number, hash);
            while self.young.len() as u64 > YOUNG_MAX {
                self.young.pop_first();
            }
        }
        for (form, facts, method, params) in found.open {
            if self.open.len() < OPEN_MAX {
                self.open.entry((form, facts)).or_insert(Question { method, params, tries: 0 });
            }
        }
    }

    /// What to ask, without what was settled meanwhile; each counts as asked.
    pub(super) fn questions(&mut self, verdicts: &Verdicts, at_most: usize) -> Vec<Question> {
        self.open.retain(|(form, facts), _| !verdicts.settled(*form, *facts));
        let before = self.open.len();
        self.open.retain(|_, question| question.tries < TRIES_MAX);
        self.unanswered = self.unanswered.saturating_add(before.saturating_sub(self.open.len()) as u64);
        let mut questions: Vec<&mut Question> = self.open.values_mut().collect();
        questions.sort_by_key(|question| question.tries);
        let asked = questions.into_iter().take(at_most).map(|question| {
            question.tries = question.tries.saturating_add(1);
            question.clone()
        });
        asked.collect()
    }

    /// Drops what was settled.
    pub(super) fn settle(&mut self, verdicts: &Verdicts) {
        self.open.retain(|(form, facts), _| !verdicts.settled(*form, *facts));
    }

    /// Whether there is something to ask.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Heights not looked at, open questions, questions given up.
    pub(super) fn progress(&mut self, view: &View) -> (u64, usize, u64) {
        self.forget_replaced(view);
        (held(view).difference(&self.looked).len(), self.open.len(), self.unanswered)
    }

    fn forget_replaced(&mut self, view: &View) {
        let looked = &mut self.looked;
        self.young.retain(|number, hash| {
            let same = matches!(view.by_number(*number), Ok(Some(block)) if block.id.hash == *hash);
            if !same {
                looked.remove(*number..=*number);
            }
            same
        });
    }
}

/// What a block has.
#[derive(Debug, Default)]
pub(super) struct Found {
    hash: Option<B256>,
    open: Vec<(Form, Facts, &'static str, String)>,
}

/// Looks at the block at `number` for forms that are still open. One that cannot be read shows nothing.
pub(super) fn look(spec: &ChainSpec, view: &View, verdicts: &Verdicts, number: u64) -> Found {
    let mut found = Found::default();
    let Ok(Some(block)) = view.by_number(number) else { return found };
    found.hash = Some(block.id.hash);
    let (Ok(Some(header)), Ok(Some(body))) = (view.header(&block), view.body(&block)) else { return found };
    let (Ok(header), Ok(body)) = (Header::parse(&header), Body::parse(&body)) else { return found };
    let Some(extra) = extra_of(spec, view, &block) else { return found };
    let beside = match state_sync::receipt(&extra) {
        Ok(Some(receipt)) => Beside::Receipt(receipt),
        Ok(None) => Beside::Nothing,
        Err(_) => return found,
    };
    let facts = Facts::of_header(&header);
    let Ok(all) = Facts::of_block(&header, &body).map(|all| all.and_beside(&beside)) else { return found };
    let mut open = |form, facts, name, params: &dyn Fn() -> String| {
        if !verdicts.settled(form, facts) {
            found.open.push((form, facts, name, params()));
        }
    };
    let height = || format!("[\"{number:#x}\"]");
    open(Form::Block, facts.and_beside(&beside), "eth_getBlockByNumber", &|| {
        format!("[\"{number:#x}\",false]")
    });
    open(Form::BlockFull, all, "eth_getBlockByNumber", &|| format!("[\"{number:#x}\",true]"));
    open(Form::BlockReceipts, all, "eth_getBlockReceipts", &height);
    if !verdicts.lacks(Local::HeaderByNumber) {
        open(Form::Header, facts, "eth_getHeaderByNumber", &height);
    }
    if let Some(Ok(uncle)) = body.uncles().next()
        && let Ok(uncle) = Header::parse(uncle.raw())
    {
        let params = || format!("[\"{number:#x}\",\"0x0\"]");
        open(Form::Uncle, Facts::of_header(&uncle), "eth_getUncleByBlockNumberAndIndex", &params);
    }
    let mut seen = [false; 256];
    for transaction in body.transactions().filter_map(Result::ok) {
        let kind = transaction.kind();
        let Some(seen) = seen.get_mut(usize::from(kind)).filter(|seen| !**seen) else { continue };
        *seen = true;
        let (facts, params) =
            (Facts::of_transaction(&header, kind), || format!("[\"{}\"]", transaction.hash()));
        open(Form::Transaction, facts, "eth_getTransactionByHash", &params);
        open(Form::Receipt, facts, "eth_getTransactionReceipt", &params);
    }
    if header.logs_bloom().iter().any(|byte| *byte != 0) {
        let params = || format!("[{{\"fromBlock\":\"{number:#x}\",\"toBlock\":\"{number:#x}\"}}]");
        open(Form::Logs, facts, "eth_getLogs", &params);
    }
    if spec.family == Family::Bor {
        look_at_bor(&mut open, spec, verdicts, &header, block.id, all);
    }
    if let Beside::Receipt(_) = beside {
        let hash = state_sync::derived_hash(number, block.id.hash);
        let (facts, params) = (facts.and_beside(&beside), || format!("[\"{hash}\"]"));
        open(Form::Transaction, facts, "eth_getTransactionByHash", &params);
        open(Form::Receipt, facts, "eth_getTransactionReceipt", &params);
        if !verdicts.lacks(Local::BorBlockReceipt) {
            let params = || format!("[\"{}\"]", block.id.hash);
            open(Form::BorBlockReceipt, facts, "eth_getBorBlockReceipt", &params);
        }
        let params = || format!("[{{\"fromBlock\":\"{number:#x}\",\"toBlock\":\"{number:#x}\"}}]");
        open(Form::StateSyncLogs, Facts::ANY, "eth_getLogs", &params);
    }
    found
}

/// What only Bor's chains have.
fn look_at_bor(
    open: &mut impl FnMut(Form, Facts, &'static str, &dyn Fn() -> String),
    spec: &ChainSpec,
    verdicts: &Verdicts,
    header: &Header<'_>,
    id: BlockId,
    all: Facts,
) {
    let number = id.number;
    let height = || format!("[\"{number:#x}\"]");
    if !verdicts.lacks(Local::ReceiptsByBlock) {
        open(Form::ReceiptsByBlock, all, "eth_getTransactionReceiptsByBlock", &height);
    }
    if number > 0 && !verdicts.lacks(Local::BorAuthor) {
        open(Form::Author, Facts::of_header(header), "bor_getAuthor", &height);
    }
    let named = spec.bor.as_ref().and_then(|bor| producers::signers_named_at(bor, number));
    if named.is_some() && !verdicts.lacks(Local::BorSigners) {
        open(Form::Signers, Facts::of_header(header), "bor_getSigners", &height);
    }
    let name = if verdicts.lacks(Local::BorRootHash) { "eth_getRootHash" } else { "bor_getRootHash" };
    if !verdicts.lacks(Local::RootHash) || !verdicts.lacks(Local::BorRootHash) {
        open(Form::RootHash, Facts::ANY, name, &|| format!("[{number},{number}]"));
    }
}

/// What stands beside the block; `None` where that is not known.
fn extra_of(spec: &ChainSpec, view: &View, block: &BlockRef) -> Option<Bytes> {
    match state_sync::may_stand_beside(spec, block.id.number) {
        true => view.extra(block).ok().flatten(),
        false => Some(Bytes::from_static(state_sync::NONE)),
    }
}

/// Heights of which everything is held that answers show.
fn held(view: &View) -> Ranges {
    let [headers, bodies, receipts] =
        [Kind::Header, Kind::Body, Kind::Receipts].map(|kind| view.ranges(kind));
    headers.intersection(&bodies).intersection(&receipts)
}

/// The `place`-th of [`ROUND`] places spread evenly over `0..=last`.
fn spread(place: u64, last: u64) -> u64 {
    let share = u128::from(place) * u128::from(last) / u128::from(ROUND - 1);
    u64::try_from(share).unwrap_or(last)
}
