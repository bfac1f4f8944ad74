//! Whether a header was sealed by somebody whose turn it was.
//!
//! Until Rio the producers of a span take turns by sprints: one is first in a sprint, and each that is `k` places
//! behind it seals with difficulty `n - k`, `k` backup delays later. Who is first follows from powers and history
//! that headers do not carry; but whoever seals and with which difficulty tells it, so all headers of a sprint must
//! tell the same. From Rio on a span has one producer. Source: Bor `consensus/bor/{bor,snapshot}.go`.
//!
//! Spans come from Heimdall. Without them the validator bytes at the end of a sprint tell the producers of the next.

use alloy_primitives::{Address, U256};

use super::extra::{Extra, validator_bytes};
use super::span::{Producer, SPAN_0_END, Span, Spans};
use super::{BorConfig, BorFork, rules};
use crate::header::Header;
use crate::spec::{ChainSpec, Fork};
use crate::verify::{Fault, OTHER_VALIDATORS};

/// A header and who sealed it.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'h, 'a> {
    /// The header.
    pub header: &'h Header<'a>,
    /// Whose key made the seal; of a parent it may be zero where it was not recovered, and then tells nothing.
    pub signer: Address,
}

/// Those who may seal a block, by address, and the place of the first among them where it is known.
#[derive(Clone, Debug)]
struct Producers {
    list: Vec<Producer>,
    first: Option<usize>,
}

/// Checks who sealed `child`, with which difficulty and how soon after `parent`, and the validator bytes that it
/// carries, as far as `spans` and `parent` tell.
pub fn check_producer(
    spec: &ChainSpec,
    spans: &Spans,
    parent: &Sealed<'_, '_>,
    child: &Sealed<'_, '_>,
) -> Result<(), Fault> {
    let number = child.header.number();
    let Some(bor) = spec.bor.as_ref().filter(|_| number > 0) else { return Ok(()) };
    if !bor.is_known_at(number) || bor.may_seal_anyway(number, child.signer) {
        return Ok(());
    }
    check_validator_bytes(spec, bor, spans, child.header)?;
    let Some(producers) = producers(spec, bor, spans, parent.header, number) else {
        return check_alone(bor, spans, parent, child);
    };
    let place = producers.place(child.signer).ok_or(Fault::Signer(child.signer))?;
    let first = match producers.first {
        Some(first) => first,
        None => producers.first_by(bor, parent, number, place, child.header)?,
    };
    let succession = producers.behind(first, place);
    let expected = (producers.list.len() as u64).saturating_sub(succession);
    if child.header.difficulty() != U256::from(expected) {
        return amount(child.header.difficulty(), expected);
    }
    rules::check_time(bor, parent.header, child.header, succession)
}

/// The height whose header names the signers of the block at `number`: the last one of a sprint before it. `None` in
/// the first sprint, and since Rio, where spans alone tell.
pub fn signers_named_at(bor: &BorConfig, number: u64) -> Option<u64> {
    let ended = bor.sprint_start(number).checked_sub(1).filter(|ended| *ended > 0)?;
    (bor.is_sprint_end(ended) && !bor.is_active(BorFork::Rio, number)).then_some(ended)
}

/// Who may sign the blocks of the sprint behind `ended`, by address (Bor `Snapshot.signers`); `None` if it names
/// nobody.
pub fn signers(spec: &ChainSpec, ended: &Header<'_>) -> Option<Vec<Address>> {
    named_by(spec, ended).map(|list| list.iter().map(|producer| producer.signer).collect())
}

/// Whether the signer of the parent of the block at `number` tells anything.
pub fn is_told_by_parent(bor: &BorConfig, number: u64) -> bool {
    !bor.is_active(BorFork::Rio, number) && !bor.is_sprint_start(number)
}

// === impl Producers ===

impl Producers {
    fn place(&self, signer: Address) -> Option<usize> {
        self.list.binary_search_by_key(&signer, |producer| producer.signer).ok()
    }

    /// How many places `place` is behind `first`, around the end.
    fn behind(&self, first: usize, place: usize) -> u64 {
        let count = self.list.len().max(1);
        ((place + count - first % count) % count) as u64
    }

    /// The place that is first if the one at `place` seals with `difficulty`.
    fn implied(&self, place: usize, difficulty: U256) -> Option<usize> {
        let count = self.list.len();
        let difficulty = usize::try_from(difficulty).ok().filter(|d| (1..=count).contains(d))?;
        Some((place + difficulty) % count)
    }

    /// Who is first as the parent tells, if it is of the same sprint, or as the header itself does.
    fn first_by(
        &self,
        bor: &BorConfig,
        parent: &Sealed<'_, '_>,
        number: u64,
        place: usize,
        header: &Header<'_>,
    ) -> Result<usize, Fault> {
        let before = parent.header;
        let same = before.number() > 0 && !bor.is_sprint_end(before.number());
        let told = self.place(parent.signer).filter(|_| same && before.number() < number);
        if let Some(first) = told.and_then(|place| self.implied(place, before.difficulty())) {
            return Ok(first);
        }
        let highest = self.list.len() as u64;
        self.implied(place, header.difficulty()).map_or_else(|| amount(header.difficulty(), highest), Ok)
    }
}

/// Who may seal the block at `number`; `None` where nothing tells.
fn producers(
    spec: &ChainSpec,
    bor: &BorConfig,
    spans: &Spans,
    parent: &Header<'_>,
    number: u64,
) -> Option<Producers> {
    if bor.is_active(BorFork::Rio, number) {
        let list = spans.at(number)?.selected_producers.clone();
        // Turns start anew with each span: the one with the highest power is first.
        let first = list.iter().enumerate().max_by_key(|(place, one)| (one.power, usize::MAX - place));
        let first = first.map(|(place, _)| place);
        return Some(Producers { list, first });
    }
    let sprint = bor.sprint_start(number);
    if let Some(span) = spans.at(sprint) {
        let list = if sprint <= SPAN_0_END { undisputed(span)? } else { span.selected_producers.clone() };
        return Some(Producers { list, first: None });
    }
    let list = bor.is_sprint_end(parent.number()).then(|| named_by(spec, parent)).flatten()?;
    Some(Producers { list, first: None })
}

/// Those whom the last header of a sprint names for the next, by address; `None` if it names nobody.
fn named_by(spec: &ChainSpec, ended: &Header<'_>) -> Option<Vec<Producer>> {
    let mut list = extra_of(spec, ended)?.producers();
    list.sort_unstable_by_key(|producer| producer.signer);
    (!list.is_empty()).then_some(list)
}

/// In span 0 the genesis contract has a say beside Heimdall: its producers count where both can only say the same.
fn undisputed(span: &Span) -> Option<Vec<Producer>> {
    let signers = |list: &[Producer]| list.iter().map(|one| one.signer).collect::<Vec<_>>();
    let same = signers(&span.validators) == signers(&span.selected_producers);
    same.then(|| span.selected_producers.clone())
}

/// What is left where the producers are not known: a validator of the span at least, and within a sprint each has its
/// own difficulty.
fn check_alone(
    bor: &BorConfig,
    spans: &Spans,
    parent: &Sealed<'_, '_>,
    child: &Sealed<'_, '_>,
) -> Result<(), Fault> {
    let number = child.header.number();
    if bor.is_active(BorFork::Rio, number) {
        return Ok(());
    }
    if let Some(span) = spans.at(bor.sprint_start(number)) {
        let mut known = span.validators.iter().chain(&span.selected_producers);
        if !known.any(|producer| producer.signer == child.signer) {
            return Err(Fault::Signer(child.signer));
        }
    }
    let unknown = parent.signer.is_zero() || parent.header.number() == 0;
    if unknown || bor.is_sprint_end(parent.header.number()) {
        return Ok(());
    }
    let (before, found) = (parent.header.difficulty(), child.header.difficulty());
    match (parent.signer == child.signer, before == found) {
        (true, false) => Err(Fault::Amount { field: "difficulty", found, expected: before }),
        (false, true) => Err(Fault::Rule { field: "difficulty", rule: "is that of another signer's turn" }),
        _ => Ok(()),
    }
}

/// At a sprint's end the header names the producers of the next sprint's span.
fn check_validator_bytes(
    spec: &ChainSpec,
    bor: &BorConfig,
    spans: &Spans,
    header: &Header<'_>,
) -> Result<(), Fault> {
    let number = header.number();
    let named = bor.is_sprint_end(number) && number > SPAN_0_END && !bor.is_active(BorFork::Rio, number);
    if !named || bor.skips_validator_bytes(number) {
        return Ok(());
    }
    let Some(span) = spans.at(number.saturating_add(1)) else { return Ok(()) };
    let found = extra_of(spec, header).map(|extra| extra.validators);
    if found != Some(validator_bytes(&span.selected_producers).as_slice()) {
        return Err(Fault::Rule { field: "extraData", rule: OTHER_VALIDATORS });
    }
    Ok(())
}

fn extra_of<'a>(spec: &ChainSpec, header: &Header<'a>) -> Option<Extra<'a>> {
    let list = spec.is_active(Fork::Cancun, header.number(), header.timestamp());
    Extra::parse(header.extra_data(), list).ok()
}

fn amount<T>(found: U256, expected: u64) -> Result<T, Fault> {
    Err(Fault::Amount { field: "difficulty", found, expected: U256::from(expected) })
}
