//! What there is to tell of: new blocks of the served chain, as messages.

use std::collections::VecDeque;

use alloy_primitives::U256;
use bytes::Bytes;
use hypasis_cache::{BlockRef, StoreError, View};
use hypasis_chain::{BlockId, Header, Level};
use hypasis_wire::eth::{EthMessage, MAX_MESSAGE_SIZE, NewBlock};

use super::STEP_MAX;

/// A block to tell of.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) id: BlockId,
    /// The message that carries all of it; `None` where its total difficulty is not known, or no message is so large.
    pub(super) whole: Option<Bytes>,
}

/// A block on the way down from the head.
#[derive(Debug)]
struct Step {
    block: BlockRef,
    header: Bytes,
    total_difficulty: Option<U256>,
}

/// The blocks above those that were `told` of, up to `head`, ascending; `head` alone, if those are too many or none was
/// told of yet. `None` while not all of it is held and verified.
pub(super) fn read(
    view: &View,
    head: BlockId,
    total_difficulty: Option<U256>,
    told: &VecDeque<BlockId>,
) -> Result<Option<Vec<News>>, StoreError> {
    let (mut steps, mut next, mut difficulty) = (Vec::new(), head, total_difficulty);
    while !told.contains(&next) && next.number > 0 {
        if steps.len() == STEP_MAX {
            steps.truncate(1);
            break;
        }
        let block = view.by_hash(&next.hash)?.filter(|block| view.level(&block.id) >= Level::Light);
        let Some((block, header)) = block.zip(block.map(|block| view.header(&block)).transpose()?.flatten())
        else {
            if steps.is_empty() {
                return Ok(None);
            }
            // What lies below is history that was not told of because it was filled.
            steps.truncate(1);
            break;
        };
        let Ok(parsed) = Header::parse(&header) else { return Ok(None) };
        let (parent, own) = (parsed.parent_hash(), parsed.difficulty());
        let total = difficulty;
        difficulty = difficulty.and_then(|total| total.checked_sub(own));
        next = BlockId { number: next.number - 1, hash: parent };
        steps.push(Step { block, header, total_difficulty: total });
        if told.is_empty() {
            break;
        }
    }
    let mut news = Vec::with_capacity(steps.len());
    for step in steps.into_iter().rev() {
        let Some(body) = view.body(&step.block)? else { return Ok(None) };
        news.push(News { id: step.block.id, whole: step.whole(&body) });
    }
    Ok(Some(news))
}

// === impl Step ===

impl Step {
    fn whole(&self, body: &[u8]) -> Option<Bytes> {
        let block = NewBlock::from_parts(&self.header, body, self.total_difficulty?).ok()?;
        let message = EthMessage::NewBlock(block).encoded();
        (message.len() <= MAX_MESSAGE_SIZE).then_some(message)
    }
}
