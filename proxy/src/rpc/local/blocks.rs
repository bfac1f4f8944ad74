//! Blocks, headers, uncles and counts.

use hypasis_chain::render;
use hypasis_chain::{Body, Header};

use super::{Hit, Moment, Stop, arguments, block_argument};
use crate::rpc::calibrate::{Facts, Form};
use crate::rpc::framing::ResultWriter;
use crate::rpc::methods::Local;
use crate::rpc::source::Miss;

/// JSON bytes of a transaction, roughly, to size buffers.
const TRANSACTION_BYTES: usize = 900;

// === impl Moment ===

impl Moment<'_> {
    /// `eth_getBlockBy{Number,Hash}`
    pub(super) fn block(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        let arguments = arguments(params, 2)?;
        let argument = block_argument(&arguments, method == Local::BlockByHash)?;
        let full = arguments.flag(1).map_err(Stop::Fault)?;
        let held = self.held(&self.resolve(argument)?)?;
        let parts = self.render(&held)?;
        let (form, facts) = match full {
            true => (Form::BlockFull, self.sound(Facts::of_block(&parts.header, &parts.body))?),
            false => (Form::Block, Facts::of_header(&parts.header)),
        };
        self.allowed(form, facts.and_beside(&parts.beside))?;
        let each = if full { TRANSACTION_BYTES } else { 70 };
        let room = parts.body.transaction_count().saturating_mul(each).saturating_add(2_048);
        let mut writer = ResultWriter::with_capacity(room);
        self.rendered(render::block(writer.buffer(), &parts, full))?;
        self.finish(writer, held.id)
    }

    /// `eth_getHeaderBy{Number,Hash}`
    pub(super) fn header(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        let arguments = arguments(params, 1)?;
        let block = self.resolve(block_argument(&arguments, method == Local::HeaderByHash)?)?;
        let bytes = self.header_bytes(&block)?;
        let header = self.sound(Header::parse(&bytes))?;
        self.allowed(Form::Header, Facts::of_header(&header))?;
        let mut writer = ResultWriter::with_capacity(2_048);
        self.rendered(render::header(writer.buffer(), &self.profile, &header, block.id.hash))?;
        self.finish(writer, block.id)
    }

    /// `eth_getBlockTransactionCountBy*` and `eth_getUncleCountBy*`
    pub(super) fn count(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        let by_hash = matches!(method, Local::TransactionCountByHash | Local::UncleCountByHash);
        let arguments = arguments(params, 1)?;
        let block = self.resolve(block_argument(&arguments, by_hash)?)?;
        let bytes = self.body_bytes(&block)?;
        let body = self.sound(Body::parse(&bytes))?;
        let count = match method {
            Local::TransactionCountByNumber | Local::TransactionCountByHash => {
                let beside = self.beside(&block)?.is_some();
                if beside && !self.is_bor() {
                    return Err(Stop::Miss(Miss::Form));
                }
                body.transaction_count().saturating_add(usize::from(beside))
            }
            _ => body.uncles().count(),
        };
        let mut writer = ResultWriter::with_capacity(16);
        writer.buffer().extend_from_slice(format!("\"{count:#x}\"").as_bytes());
        self.finish(writer, block.id)
    }

    /// `eth_getUncleByBlock{Number,Hash}AndIndex`
    pub(super) fn uncle(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        let arguments = arguments(params, 2)?;
        let argument = block_argument(&arguments, method == Local::UncleByHash)?;
        let index = arguments.index(1).map_err(Stop::Fault)?;
        let block = self.resolve(argument)?;
        let bytes = self.body_bytes(&block)?;
        let body = self.sound(Body::parse(&bytes))?;
        let mut writer = ResultWriter::with_capacity(2_048);
        let index = usize::try_from(index).map_err(|_| Stop::Miss(Miss::Params))?;
        match body.uncles().nth(index) {
            None => writer.buffer().extend_from_slice(b"null"),
            Some(uncle) => {
                let uncle = self.sound(Header::parse(self.sound(uncle)?.raw()))?;
                self.allowed(Form::Uncle, Facts::of_header(&uncle))?;
                self.rendered(render::uncle(writer.buffer(), &self.profile, &uncle))?;
            }
        }
        self.finish(writer, block.id)
    }
}
