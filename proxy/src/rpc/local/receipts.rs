//! Receipts, of one transaction and of a block.

use hypasis_chain::{Receipts, render};

use super::{Hit, Moment, Stop, arguments};
use crate::rpc::calibrate::{Facts, Form};
use crate::rpc::framing::ResultWriter;
use crate::rpc::source::Miss;

// === impl Moment ===

impl Moment<'_> {
    /// `eth_getTransactionReceipt`
    pub(super) fn receipt(&self, params: &[u8]) -> Result<Hit, Stop> {
        let hash = arguments(params, 1)?.hash(0).map_err(Stop::Fault)?;
        let (block, index) = self.located(&hash)?;
        let (held, bytes) = (self.held(&block)?, self.receipt_bytes(&block)?);
        let (parts, receipts) = (self.render(&held)?, self.sound(Receipts::parse(&bytes))?);
        let index = usize::try_from(index).map_err(|_| Stop::Miss(Miss::Store))?;
        let facts = match parts.body.transaction(index) {
            Some(transaction) => Facts::of_transaction(&parts.header, self.sound(transaction)?.kind()),
            None => Facts::of_header(&parts.header).and_beside(&parts.beside),
        };
        self.allowed(Form::Receipt, facts)?;
        let mut writer = ResultWriter::with_capacity(2_048);
        if !self.rendered(render::receipt(writer.buffer(), &parts, &receipts, index))? {
            return Err(Stop::Miss(Miss::Store));
        }
        self.finish(writer, held.id)
    }

    /// `eth_getBlockReceipts`
    pub(super) fn block_receipts(&self, params: &[u8]) -> Result<Hit, Stop> {
        self.receipts_of(params, Form::BlockReceipts)
    }

    /// All receipts of the block that the parameter names, in the form of one method or another.
    pub(super) fn receipts_of(&self, params: &[u8], form: Form) -> Result<Hit, Stop> {
        let argument = arguments(params, 1)?.block(0).map_err(Stop::Fault)?;
        let block = self.resolve(argument)?;
        let (held, bytes) = (self.held(&block)?, self.receipt_bytes(&block)?);
        let (parts, receipts) = (self.render(&held)?, self.sound(Receipts::parse(&bytes))?);
        let facts = self.sound(Facts::of_block(&parts.header, &parts.body))?;
        self.allowed(form, facts.and_beside(&parts.beside))?;
        let mut writer = ResultWriter::with_capacity(bytes.len().saturating_mul(4));
        self.rendered(render::block_receipts(writer.buffer(), &parts, &receipts))?;
        self.finish(writer, held.id)
    }
}
