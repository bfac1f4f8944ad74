//! From the checkpoint to the head and along it.
//!
//! Far from the head, header links are closed upward section by section and workers fill them; near it, the tip
//! window follows. Each round looks at what sources say now, does what that asks for, and publishes the served head.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::U256;
use hypasis_cache::StoreError;
use hypasis_chain::{BlockId, Fault};

use super::agreement::{self, Opinion, Verdict};
use super::checkpoint::{hashes_at, split};
use super::difficulty;
use super::gaps::{self, section_of};
use super::headers::{link_up, write};
use super::links::Linked;
use super::metrics::level_of;
use super::shared::{Halt, Shared, Way};
use super::sources::Lease;
use super::tip::{Tip, TipError};
use super::tree::Choice;

/// Blocks between what is held and what is settled that are linked as history rather than walked through the window.
const FAR_BLOCKS: u64 = 1_024;
/// Rest before what failed is tried again.
const REST: Duration = Duration::from_millis(500);
/// Longest that one head is followed before the others have their turn.
const FOLLOW: Duration = Duration::from_secs(60);

/// Follows the head until everything must end.
pub(crate) async fn run(shared: Arc<Shared>, mut tip: Tip) {
    let mut watch = shared.sources.watch();
    let mut heimdall = shared.heimdall().subscribe();
    loop {
        shared.publish(false);
        let again = match round(&shared, &mut tip).await {
            Ok(again) => again,
            Err(error) => {
                tracing::error!(%error, "Following the head failed in the store");
                true
            }
        };
        shared.metrics.tip_blocks.set(level_of(tip.tree.len() as u64));
        let news = async {
            tokio::select! {
                () = watch.changed() => {}
                // The sender lives as long as this task.
                Ok(()) = heimdall.changed() => {}
            }
        };
        if again {
            let _ = tokio::time::timeout(REST, news).await;
        } else {
            news.await;
        }
    }
}

/// One look at the sources; says whether something is left to be tried again.
async fn round(shared: &Arc<Shared>, tip: &mut Tip) -> Result<bool, StoreError> {
    let mut again = false;
    loop {
        let opinions = shared.sources.opinions();
        let Some(settled) = settled_height(shared, &opinions) else {
            return Ok(again);
        };
        let far = FAR_BLOCKS.min(shared.store_config.tip_blocks_max as u64 / 4);
        if settled <= tip.tree.head().number.saturating_add(far) {
            break;
        }
        if !approach(shared, tip, settled).await? {
            return Ok(true);
        }
        shared.publish(false);
    }
    let opinions = shared.sources.opinions();
    again |= reach_all(shared, tip, &opinions).await?;
    again |= choose(shared, tip, &opinions).await?;
    difficulty::learn(shared, &tip.tree, &opinions);
    settle(shared, tip, &opinions).await?;
    shared.publish(false);
    Ok(again)
}

/// Links one more section of settled history upward. Says whether that went well.
async fn approach(shared: &Arc<Shared>, tip: &mut Tip, settled: u64) -> Result<bool, StoreError> {
    if !tip.tree.is_empty() {
        return leave_window(shared, tip).await;
    }
    let root = tip.tree.root();
    let Some(range) = gaps::next_headers_up(root.number, settled) else { return Ok(true) };
    let Some((linked, lease)) = link_up(shared, root, range).await? else { return Ok(false) };
    let Some(last) = linked.last().map(|header| header.id) else { return Ok(false) };
    if !confirmed(shared, last, &lease).await {
        return Ok(false);
    }
    if contradicts(shared, &linked) {
        return Ok(false);
    }
    let difficulty = linked.iter().fold(U256::ZERO, |sum, header| sum.saturating_add(header.difficulty));
    write(shared, linked, vec![lease.id().clone()], Way::Forward).await?;
    tip.stand_on(last, difficulty).await;
    Ok(true)
}

/// After a long stop: what the window holds is settled by now. The next block that sources agree on decides which of
/// it is canonical; all up to it becomes history.
async fn leave_window(shared: &Arc<Shared>, tip: &mut Tip) -> Result<bool, StoreError> {
    let number = tip.tree.head().number.saturating_add(1);
    let answers = hashes_at(shared, number).await;
    let Some(next) = agreed(shared, number, &answers, None) else { return Ok(false) };
    let Some((id, _)) = answers.iter().find(|(_, hash)| *hash == next.hash) else { return Ok(false) };
    let Some(source) = shared.sources.by_id(id) else { return Ok(false) };
    if let Err(error) = tip.reach(next, &source).await {
        tell(shared, id, error)?;
        return Ok(false);
    }
    let branch = tip.tree.branch(next).unwrap_or_default();
    if crosses_finality(shared, tip, &branch) {
        return Ok(false);
    }
    switch(shared, tip, branch).await?;
    tip.promote(next.number).await?;
    Ok(true)
}

/// Walks each head that is not known yet into the window.
async fn reach_all(shared: &Arc<Shared>, tip: &mut Tip, opinions: &[Opinion]) -> Result<bool, StoreError> {
    let mut again = false;
    let (mut refused, mut window) = (Vec::new(), None);
    for opinion in opinions {
        let (Some(head), Some(source)) = (opinion.heads.latest, shared.sources.by_id(&opinion.source)) else {
            continue;
        };
        let reached = tokio::time::timeout(FOLLOW, tip.reach(head, &source)).await;
        match reached {
            Ok(Ok(())) => {}
            Ok(Err(TipError::Crosses { .. })) => refused.push(head),
            Ok(Err(error @ TipError::Window { .. })) => window = Some(error.to_string()),
            Ok(Err(TipError::Store(StoreError::Refused(reason)))) => window = Some(reason),
            Ok(Err(error)) => {
                again = true;
                tell(shared, &opinion.source, error)?;
            }
            Err(_) => again = true,
        }
    }
    shared.halt(Halt::Window, window);
    refuse(shared, tip, &refused, opinions.len());
    Ok(again)
}

/// Heads on branches that leave the settled history. If most sources are there, the operator must decide.
fn refuse(shared: &Shared, tip: &Tip, refused: &[BlockId], opinions: usize) {
    let root = tip.tree.root().number;
    if let Some(head) = refused.first() {
        shared.metrics.reorgs_refused.inc();
        tracing::error!(number = head.number, hash = %head.hash, root, "Refused a head that leaves settled history");
    }
    let most = refused.len().saturating_mul(2) > opinions;
    let reason = refused.first().filter(|_| most).map(|head| {
        format!(
            "the chain of head {} at {} leaves the settled history below {root}: a reorg beyond the tip window is \
             refused. If the upstreams are right, start with an empty data directory",
            head.hash, head.number
        )
    });
    shared.halt(Halt::Reorg, reason);
}

/// Switches to the branch that sources agree on, or, on Polygon, to the one that its fork choice takes.
async fn choose(shared: &Arc<Shared>, tip: &mut Tip, opinions: &[Opinion]) -> Result<bool, StoreError> {
    if let Some(last) = settled_otherwise(shared, tip)? {
        shared.halt(Halt::Finality, Some(contradiction(last)));
        return Ok(true);
    }
    let heads: Vec<BlockId> = opinions.iter().filter_map(|opinion| opinion.heads.latest).collect();
    let by_difficulty = difficulty::matters(shared);
    let choice = match by_difficulty {
        true => tip.tree.choose_heaviest(shared.last_final(opinions)),
        false => tip.tree.choose(&heads),
    };
    match choice {
        Choice::Stay => {
            shared.halt(Halt::Agreement, None);
            shared.halt(Halt::Finality, None);
        }
        Choice::Wait(number) => {
            let said: Vec<_> = opinions
                .iter()
                .filter_map(|opinion| opinion.heads.latest.map(|id| (opinion.source.clone(), id.hash)))
                .collect();
            shared.halt(Halt::Agreement, Some(split(number.saturating_add(1), &said)));
            // Heads move on by themselves; a source that was shut out comes back only by the clock.
            return Ok(true);
        }
        Choice::Contradicts(last) => {
            shared.halt(Halt::Finality, Some(contradiction(last)));
            return Ok(true);
        }
        Choice::Switch(branch) => {
            if crosses_finality(shared, tip, &branch) {
                return Ok(false);
            }
            switch(shared, tip, branch).await?;
            shared.halt(Halt::Agreement, None);
            if by_difficulty {
                shared.halt(Halt::Finality, None);
            }
        }
    }
    Ok(false)
}

async fn switch(shared: &Arc<Shared>, tip: &mut Tip, branch: Vec<BlockId>) -> Result<(), StoreError> {
    let depth = tip.switch(branch).await?;
    if depth > 0 {
        let head = tip.tree.head();
        tracing::info!(depth, number = head.number, hash = %head.hash, "Reorg");
        shared.metrics.reorgs.inc();
        shared.metrics.reorg_depth_blocks.set(level_of(depth));
    }
    shared.publish(depth > 0);
    Ok(())
}

/// A branch inside the window that would take back a block which was final is refused as well.
fn crosses_finality(shared: &Shared, tip: &Tip, branch: &[BlockId]) -> bool {
    let finalized = shared.store.view().finalized().map_or(0, |id| id.number);
    let Some(first) =
        branch.first().filter(|first| first.number <= finalized && first.number <= tip.tree.head().number)
    else {
        return false;
    };
    shared.metrics.reorgs_refused.inc();
    let reason =
        format!("a reorg from block {} on would take back block {finalized}, which was final", first.number);
    shared.halt(Halt::Finality, Some(reason));
    true
}

/// The latest milestone, if settled history has another block there.
fn settled_otherwise(shared: &Shared, tip: &Tip) -> Result<Option<BlockId>, StoreError> {
    let milestone = shared.heimdall().borrow().milestone.map(|milestone| milestone.end);
    let Some(last) = milestone.filter(|last| last.number <= tip.tree.root().number) else { return Ok(None) };
    let held = shared.store.view().by_number(last.number)?;
    Ok(held.filter(|held| held.id != last).map(|_| last))
}

/// Whether headers that are about to be settled have another block where a milestone ends.
fn contradicts(shared: &Shared, linked: &[Linked]) -> bool {
    let Some(milestone) = shared.heimdall().borrow().milestone else { return false };
    let there = linked.iter().find(|header| header.id.number == milestone.end.number);
    let other = there.is_some_and(|header| header.id != milestone.end);
    shared.halt(Halt::Finality, other.then(|| contradiction(milestone.end)));
    other
}

fn contradiction(last: BlockId) -> String {
    format!(
        "the chain that is held or that the upstreams give has another block at {} than {}, which is a milestone's \
         and final. It is not followed until some upstream has that block; if it is settled already, start with an \
         empty data directory",
        last.number, last.hash
    )
}

/// The height up to which blocks may become history: a milestone's end, or what the sources say.
fn settled_height(shared: &Shared, opinions: &[Opinion]) -> Option<u64> {
    let milestone = shared.heimdall().borrow().milestone.map(|milestone| milestone.end.number);
    let head = agreement::head_height(opinions)?;
    match milestone {
        Some(milestone) => Some(milestone.min(head)),
        None => agreement::settled_height(opinions, shared.store_config.finality_depth),
    }
}

/// Records finality and moves settled blocks into history.
async fn settle(shared: &Arc<Shared>, tip: &mut Tip, opinions: &[Opinion]) -> Result<(), StoreError> {
    let milestone = shared.heimdall().borrow().milestone.map(|milestone| milestone.end);
    if let Some(finalized) = milestone.or_else(|| agreement::finalized_block(opinions))
        && tip.tree.canonical(finalized.number) == Some(finalized)
        && shared.store.view().finalized().is_none_or(|held| held.number < finalized.number)
    {
        let shared = shared.clone();
        super::shared::blocking(move || shared.store.set_finalized(finalized)).await?;
    }
    let Some(settled) = settled_height(shared, opinions) else {
        return Ok(());
    };
    let (root, head) = (tip.tree.root().number, tip.tree.head().number);
    let room = shared.store_config.tip_blocks_max;
    match promotion(root, settled.min(head), tip.tree.len(), room) {
        Some(number) => tip.promote(number).await,
        None => Ok(()),
    }
}

/// Up to where the window should become history now: whole sections, or what is settled if the window gets full.
pub fn promotion(root: u64, settled: u64, blocks: usize, room: usize) -> Option<u64> {
    let below_next = settled.checked_add(1).map(|next| *section_of(next).start());
    let whole = below_next.and_then(|start| start.checked_sub(1)).filter(|end| *end > root);
    let crowded = blocks.saturating_mul(4) > room.saturating_mul(3);
    whole.or_else(|| (crowded && settled > root).then_some(settled))
}

/// Whether the other sources name the same block at the end of the section that `lease` brought.
async fn confirmed(shared: &Arc<Shared>, last: BlockId, lease: &Lease) -> bool {
    let mut answers = hashes_at(shared, last.number).await;
    answers.retain(|(id, _)| id != lease.id());
    answers.push((lease.id().clone(), last.hash));
    agreed(shared, last.number, &answers, Some(lease)).is_some_and(|id| id == last)
}

/// The block at a settled height that more than half of the answers name; the others are blamed. What came by `lease`
/// is blamed on whoever gave it then.
fn agreed(
    shared: &Shared,
    number: u64,
    answers: &[(Arc<str>, alloy_primitives::B256)],
    lease: Option<&Lease>,
) -> Option<BlockId> {
    match agreement::weigh(answers) {
        Verdict::Agreed(hash, others) => {
            for (id, found) in answers.iter().filter(|(id, _)| others.contains(id)) {
                let fault = Fault::Mismatch { field: "hash", found: *found, expected: hash };
                match lease.filter(|lease| lease.id() == id) {
                    Some(lease) => lease.blame(number, &fault),
                    None => shared.sources.blame(id, number, &fault),
                }
            }
            shared.halt(Halt::Agreement, None);
            Some(BlockId { number, hash })
        }
        Verdict::Split(said) => {
            shared.halt(Halt::Agreement, Some(split(number, &said)));
            None
        }
        Verdict::Silent => None,
    }
}

/// Passes on what went wrong with a source; only the store's own failure is ours.
fn tell(shared: &Shared, source: &Arc<str>, error: TipError) -> Result<(), StoreError> {
    match error {
        TipError::Lie { number, fault } => shared.sources.blame(source, number, &fault),
        TipError::Store(error) => return Err(error),
        error => tracing::debug!(%source, %error, "A head could not be reached yet"),
    }
    Ok(())
}
