//! One block's body or receipts on its way into a message.

use hypasis_chain::receipt::consensus_list;
use hypasis_chain::rlp::{Item, write_list_prefix};
use hypasis_chain::verify::check_receipts;
use hypasis_chain::{Header, Level, Receipts};
use hypasis_wire::eth::RawAnswer;

use super::blocks::Form;

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It is in the message.
    Done,
    /// The message ends with it, or before it: it takes no more.
    Last,
    /// It cannot be served as it is.
    Unfit,
}

/// Appends what `form` wants of a block to the message. `bytes` are its body, or its slim receipts.
/// The message takes at most `limit` bytes.
pub(super) fn put(answer: &mut RawAnswer, form: Form, bytes: &[u8], limit: usize) -> Put {
    let room = limit.saturating_sub(answer.len());
    match form {
        Form::Bodies | Form::Receipts69 => push(answer, bytes, room),
        Form::Receipts68 => {
            let list = Receipts::parse(bytes).and_then(|slim| consensus_list(&slim, room));
            match list {
                Ok(Some(list)) => push(answer, &list, room),
                Ok(None) => Put::Last,
                Err(_) => Put::Unfit,
            }
        }
        Form::Receipts70 { first } => {
            let first = if answer.is_empty() { first } else { 0 };
            match answer.push_receipts(bytes, first, room.saturating_sub(LIST_PREFIX)) {
                Ok(page) if page.complete => Put::Done,
                Ok(_) => Put::Last,
                // An index beyond the block's end: there is no such page, here or elsewhere.
                Err(_) => Put::Last,
            }
        }
    }
}

/// The list with one more item behind its last; `None` if it is no list.
pub(super) fn with_last(list: &[u8], last: &[u8]) -> Option<Vec<u8>> {
    let items = Item::parse(list).ok().filter(Item::is_list)?.payload();
    let mut longer = Vec::with_capacity(LIST_PREFIX + items.len() + last.len());
    write_list_prefix(&mut longer, items.len().saturating_add(last.len()));
    longer.extend_from_slice(items);
    longer.extend_from_slice(last);
    Some(longer)
}

/// Whether receipts that were verified to `level` when they were stored are those of `header`.
pub(super) fn proven(level: Level, header: impl FnOnce() -> Option<bytes::Bytes>, receipts: &[u8]) -> bool {
    level >= Level::Full || {
        let header = header();
        let header = header.as_deref().and_then(|raw| Header::parse(raw).ok());
        let receipts = Receipts::parse(receipts).ok();
        header.zip(receipts).is_some_and(|(header, receipts)| check_receipts(&header, &receipts).is_ok())
    }
}

/// Most bytes of a list's prefix.
const LIST_PREFIX: usize = 9;

fn push(answer: &mut RawAnswer, item: &[u8], room: usize) -> Put {
    if item.len() > room {
        return Put::Last;
    }
    answer.push(item);
    Put::Done
}
