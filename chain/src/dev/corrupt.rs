//! Lies: blocks that claim an id and are something else.

use ::bytes::Bytes;

use crate::block::Block;
use crate::rlp::{Item, Items, RlpError, write_list, write_string};
use crate::verify::Level;

/// One way in which a source may lie about a block. Positions count the fields of an RLP list from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Corruption {
    /// A header field ([`crate::header::field`]) has another value.
    HeaderField(usize),
    /// The header has a field more.
    HeaderLonger,
    /// The header has a field less.
    HeaderShorter,
    /// A field of a transaction has another value: the first transaction that has so many fields.
    TransactionField(usize),
    /// A typed transaction claims another type.
    TransactionType,
    /// The first transaction is missing.
    TransactionMissing,
    /// The last transaction is there twice.
    TransactionTwice,
    /// Two transactions changed places.
    TransactionsSwapped,
    /// There is an uncle more.
    UncleInvented,
    /// There is an uncle less.
    UncleMissing,
    /// A field of the first withdrawal has another value: index, validator, address, amount.
    WithdrawalField(usize),
    /// There is a withdrawal more.
    WithdrawalInvented,
    /// The list of withdrawals is missing.
    WithdrawalsMissing,
    /// A field of the first receipt has another value: type, status or root, cumulative gas.
    ReceiptField(usize),
    /// The last receipt has another cumulative gas.
    ReceiptLastGas,
    /// The first receipt is missing.
    ReceiptMissing,
    /// The last receipt is there twice.
    ReceiptTwice,
    /// Two receipts changed places.
    ReceiptsSwapped,
    /// A field of the first log has another value: address, topics, data.
    LogField(usize),
    /// A topic of the first log that has one has another value.
    LogTopic,
    /// The first log is missing.
    LogMissing,
    /// The first log is there twice.
    LogTwice,
}

// === impl Corruption ===

impl Corruption {
    /// All lies there are.
    pub fn all() -> Vec<Self> {
        use Corruption::*;
        let mut all: Vec<Self> = (0..HEADER_FIELDS).map(HeaderField).collect();
        all.extend([HeaderLonger, HeaderShorter]);
        all.extend((0..TRANSACTION_FIELDS).map(TransactionField));
        all.extend([TransactionType, TransactionMissing, TransactionTwice, TransactionsSwapped]);
        all.extend([UncleInvented, UncleMissing]);
        all.extend((0..4).map(WithdrawalField));
        all.extend([WithdrawalInvented, WithdrawalsMissing]);
        all.extend((0..3).map(ReceiptField));
        all.extend([ReceiptLastGas, ReceiptMissing, ReceiptTwice, ReceiptsSwapped]);
        all.extend((0..3).map(LogField));
        all.extend([LogTopic, LogMissing, LogTwice]);
        all
    }

    /// The level from which on the lie is caught.
    pub fn caught_at(self) -> Level {
        use Corruption::*;
        match self {
            HeaderField(_) | HeaderLonger | HeaderShorter => Level::None,
            TransactionField(_) | TransactionType | TransactionMissing | TransactionTwice
            | TransactionsSwapped | UncleInvented | UncleMissing | WithdrawalField(_)
            | WithdrawalInvented | WithdrawalsMissing => Level::Light,
            ReceiptField(_) | ReceiptLastGas | ReceiptMissing | ReceiptTwice | ReceiptsSwapped
            | LogField(_) | LogTopic | LogMissing | LogTwice => Level::Full,
        }
    }
}

/// Fields of a header of Prague and Osaka.
const HEADER_FIELDS: usize = 21;
/// Fields of a transaction of type 3, which has the most.
const TRANSACTION_FIELDS: usize = 14;

/// The block with that lie in it, under the id it had. `None` if the block has nothing that the lie could be about.
pub fn corrupt(block: &Block, which: Corruption) -> Option<Block> {
    let mut lie = block.clone();
    match which.caught_at() {
        Level::None | Level::Header => lie.header = header(&block.header, which).ok().flatten()?,
        Level::Light => lie.body = body(&block.body, which).ok().flatten()?,
        Level::Full => lie.receipts = Some(receipts(block.receipts.as_ref()?, which).ok().flatten()?),
    }
    Some(lie)
}

/// A part with a lie in it, or nothing to lie about.
type Lie = Result<Option<Bytes>, RlpError>;

fn header(raw: &[u8], which: Corruption) -> Lie {
    let mut fields = List::read(raw)?;
    let done = match which {
        Corruption::HeaderField(position) => fields.twist(position),
        Corruption::HeaderLonger => fields.push(vec![0x01]),
        _ => fields.0.pop().is_some(),
    };
    Ok(done.then(|| fields.encode().into()))
}

fn body(raw: &[u8], which: Corruption) -> Lie {
    let mut parts = List::read(raw)?;
    let done = match which {
        Corruption::UncleInvented => parts.inside(1, |uncles| Ok(uncles.push(vec![0xc0])))?,
        Corruption::UncleMissing => parts.inside(1, |uncles| Ok(uncles.0.pop().is_some()))?,
        Corruption::WithdrawalField(position) => {
            parts.inside(2, |withdrawals| withdrawals.inside(0, |fields| Ok(fields.twist(position))))?
        }
        Corruption::WithdrawalInvented => parts.inside(2, |withdrawals| Ok(withdrawals.push(vec![0xc0])))?,
        Corruption::WithdrawalsMissing => parts.0.len() > 2 && parts.0.pop().is_some(),
        _ => parts.inside(0, |transactions| transaction(transactions, which))?,
    };
    Ok(done.then(|| parts.encode().into()))
}

fn transaction(transactions: &mut List, which: Corruption) -> Result<bool, RlpError> {
    let typed = |item: &Vec<u8>| Item::parse(item).is_ok_and(|item| !item.is_list());
    match which {
        Corruption::TransactionField(position) => {
            for item in &mut transactions.0 {
                let parsed = Item::parse(item)?;
                let (kind, list) = match parsed.payload().split_first() {
                    Some((kind, list)) if !parsed.is_list() => (Some(*kind), list),
                    _ => (None, parsed.raw()),
                };
                let mut fields = List::read(list)?;
                if fields.twist(position) {
                    let mut changed = Vec::with_capacity(item.len() + 8);
                    match kind {
                        None => changed = fields.encode(),
                        Some(kind) => write_string(&mut changed, &[vec![kind], fields.encode()].concat()),
                    }
                    *item = changed;
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Corruption::TransactionType => {
            let Some(item) = transactions.0.iter_mut().find(|item| typed(item)) else { return Ok(false) };
            let mut envelope = Item::parse(item)?.payload().to_vec();
            if let Some(kind) = envelope.first_mut() {
                *kind ^= 3;
            }
            item.clear();
            write_string(item, &envelope);
            Ok(true)
        }
        Corruption::TransactionMissing => Ok(transactions.drop_first()),
        Corruption::TransactionTwice => Ok(transactions.repeat_last()),
        _ => Ok(transactions.swap_ends()),
    }
}

fn receipts(raw: &[u8], which: Corruption) -> Lie {
    let mut receipts = List::read(raw)?;
    let last = receipts.0.len().saturating_sub(1);
    let done = match which {
        Corruption::ReceiptField(position) => receipts.inside(0, |fields| Ok(fields.twist(position)))?,
        Corruption::ReceiptLastGas => receipts.inside(last, |fields| Ok(fields.twist(CUMULATIVE_GAS)))?,
        Corruption::ReceiptMissing => receipts.drop_first(),
        Corruption::ReceiptTwice => receipts.repeat_last(),
        Corruption::ReceiptsSwapped => receipts.swap_ends(),
        _ => {
            let mut done = false;
            for position in 0..receipts.0.len() {
                done = receipts.inside(position, |fields| fields.inside(LOGS, |logs| log(logs, which)))?;
                if done {
                    break;
                }
            }
            done
        }
    };
    Ok(done.then(|| receipts.encode().into()))
}

/// Positions in a slim receipt.
const CUMULATIVE_GAS: usize = 2;
const LOGS: usize = 3;
/// Position in a log.
const TOPICS: usize = 1;

fn log(logs: &mut List, which: Corruption) -> Result<bool, RlpError> {
    match which {
        Corruption::LogField(position) => logs.inside(0, |fields| Ok(fields.twist(position))),
        Corruption::LogTopic => logs.inside(0, |fields| fields.inside(TOPICS, |topics| Ok(topics.twist(0)))),
        Corruption::LogMissing => Ok(logs.drop_first()),
        _ => Ok(logs.repeat_last()),
    }
}

/// A list taken apart into its encoded items. The methods tell whether there was something to change.
struct List(Vec<Vec<u8>>);

// === impl List ===

impl List {
    fn read(raw: &[u8]) -> Result<Self, RlpError> {
        Self::of(Item::parse(raw)?.items()?)
    }

    fn of(items: Items<'_>) -> Result<Self, RlpError> {
        items.map(|item| Ok(item?.raw().to_vec())).collect::<Result<_, _>>().map(Self)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_list(&mut out, &self.0.concat());
        out
    }

    /// Changes the list at `position`.
    fn inside(
        &mut self,
        position: usize,
        change: impl FnOnce(&mut Self) -> Result<bool, RlpError>,
    ) -> Result<bool, RlpError> {
        let Some(item) = self.0.get_mut(position) else { return Ok(false) };
        let mut list = Self::read(item)?;
        let done = change(&mut list)?;
        *item = list.encode();
        Ok(done)
    }

    /// Gives the item at `position` another value of the same form: numbers stay canonical, lists stay lists.
    fn twist(&mut self, position: usize) -> bool {
        let Some(item) = self.0.get_mut(position) else { return false };
        let Ok(parsed) = Item::parse(item) else { return false };
        let mut twisted = Vec::with_capacity(item.len() + 1);
        if parsed.is_list() {
            let Ok(mut list) = Self::read(item) else { return false };
            if !list.repeat_last() {
                list.push(vec![0x80]);
            }
            twisted = list.encode();
        } else {
            let mut value = parsed.payload().to_vec();
            match value.as_mut_slice() {
                [] => value.push(1),
                [only @ 1] => *only = 2,
                [.., last] => *last ^= 1,
            }
            write_string(&mut twisted, &value);
        }
        *item = twisted;
        true
    }

    fn push(&mut self, item: Vec<u8>) -> bool {
        self.0.push(item);
        true
    }

    fn drop_first(&mut self) -> bool {
        !self.0.is_empty() && !self.0.remove(0).is_empty()
    }

    fn repeat_last(&mut self) -> bool {
        self.0.last().cloned().is_some_and(|last| self.push(last))
    }

    fn swap_ends(&mut self) -> bool {
        let differ = self.0.first() != self.0.last();
        if let [first, .., last] = self.0.as_mut_slice() {
            std::mem::swap(first, last);
        }
        differ
    }
}
