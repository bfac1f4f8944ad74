//! Transactions, rendered and raw.

use hypasis_cache::BlockRef;
use hypasis_chain::{Body, render};

use super::{Hit, Moment, Stop, arguments, block_argument};
use crate::rpc::calibrate::{Facts, Form};
use crate::rpc::framing::ResultWriter;
use crate::rpc::methods::Local;
use crate::rpc::source::Miss;

// === impl Moment ===

impl Moment<'_> {
    /// `eth_getTransactionByHash`
    pub(super) fn transaction_by_hash(&self, params: &[u8]) -> Result<Hit, Stop> {
        let hash = arguments(params, 1)?.hash(0).map_err(Stop::Fault)?;
        let (block, index) = self.located(&hash)?;
        self.transaction(&block, u64::from(index))
    }

    /// `eth_getTransactionByBlock{Number,Hash}AndIndex`
    pub(super) fn transaction_at(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        let arguments = arguments(params, 2)?;
        let argument = block_argument(&arguments, method == Local::TransactionByBlockHash)?;
        let index = arguments.index(1).map_err(Stop::Fault)?;
        self.transaction(&self.resolve(argument)?, index)
    }

    /// `eth_getRawTransactionByHash`, `debug_getRawTransaction`
    pub(super) fn raw_transaction(&self, params: &[u8]) -> Result<Hit, Stop> {
        let hash = arguments(params, 1)?.hash(0).map_err(Stop::Fault)?;
        let (block, index) = self.located(&hash)?;
        self.envelope(&block, u64::from(index))
    }

    /// `eth_getRawTransactionByBlock{Number,Hash}AndIndex`
    pub(super) fn raw_transaction_at(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        let arguments = arguments(params, 2)?;
        let argument = block_argument(&arguments, method == Local::RawTransactionByBlockHash)?;
        let index = arguments.index(1).map_err(Stop::Fault)?;
        self.envelope(&self.resolve(argument)?, index)
    }

    fn transaction(&self, block: &BlockRef, index: u64) -> Result<Hit, Stop> {
        let held = self.held(block)?;
        let parts = self.render(&held)?;
        let index = usize::try_from(index).map_err(|_| Stop::Miss(Miss::Params))?;
        let mut writer = ResultWriter::with_capacity(1_024);
        match parts.body.transaction(index) {
            None if self.is_beside(block, index, parts.body.transaction_count())? => {
                let facts = Facts::of_header(&parts.header).and_beside(&parts.beside);
                self.allowed(Form::Transaction, facts)?;
                self.rendered(render::transaction(writer.buffer(), &parts, index))?;
            }
            None => writer.buffer().extend_from_slice(b"null"),
            Some(transaction) => {
                let kind = self.sound(transaction)?.kind();
                self.allowed(Form::Transaction, Facts::of_transaction(&parts.header, kind))?;
                self.rendered(render::transaction(writer.buffer(), &parts, index))?;
            }
        }
        self.finish(writer, held.id)
    }

    fn envelope(&self, block: &BlockRef, index: u64) -> Result<Hit, Stop> {
        let bytes = self.body_bytes(block)?;
        let body = self.sound(Body::parse(&bytes))?;
        let index = usize::try_from(index).map_err(|_| Stop::Miss(Miss::Params))?;
        let envelope = match body.transaction(index) {
            Some(transaction) => self.sound(transaction)?.envelope(),
            // What stands beside a block has no bytes.
            None if self.is_bor() && self.is_beside(block, index, body.transaction_count())? => &[],
            // Beyond the last one Geth says "0x", others null: theirs to say.
            None => return Err(Stop::Miss(Miss::Params)),
        };
        let mut writer = ResultWriter::with_capacity(envelope.len().saturating_mul(2).saturating_add(4));
        super::raw::hex(writer.buffer(), envelope);
        self.finish(writer, block.id)
    }
}
