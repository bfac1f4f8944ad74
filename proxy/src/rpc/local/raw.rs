//! `debug_getRaw{Header,Block,Receipts}`: consensus encodings as hex, the same for every client.

use hypasis_chain::Receipts;
use hypasis_chain::body::join_block;

use super::{Hit, Moment, Stop, arguments};
use crate::rpc::framing::ResultWriter;
use crate::rpc::methods::Local;
use crate::rpc::source::Miss;

// === impl Moment ===

impl Moment<'_> {
    pub(super) fn raw(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        let argument = arguments(params, 1)?.block(0).map_err(Stop::Fault)?;
        let block = self.resolve(argument)?;
        let mut writer = ResultWriter::with_capacity(2_048);
        match method {
            Local::RawHeader => hex(writer.buffer(), &self.header_bytes(&block)?),
            Local::RawBlock => {
                let (header, body) = (self.header_bytes(&block)?, self.body_bytes(&block)?);
                self.fits(body.len().saturating_mul(2))?;
                hex(writer.buffer(), &self.sound(join_block(&header, &body))?);
            }
            _ => {
                // Bor shows here what the root covers; of others that is not known.
                if !self.is_bor() && self.beside(&block)?.is_some() {
                    return Err(Stop::Miss(Miss::Form));
                }
                self.consensus_receipts(&mut writer, &self.receipt_bytes(&block)?)?;
            }
        }
        self.finish(writer, block.id)
    }

    fn consensus_receipts(&self, writer: &mut ResultWriter, slim: &[u8]) -> Result<(), Stop> {
        let receipts = self.sound(Receipts::parse(slim))?;
        writer.buffer().push(b'[');
        let mut consensus = Vec::new();
        for (index, receipt) in receipts.iter().enumerate() {
            let receipt = self.sound(receipt)?;
            let bloom = self.sound(receipt.bloom())?;
            consensus.clear();
            receipt.write_consensus(&bloom, &mut consensus);
            if index > 0 {
                writer.buffer().push(b',');
            }
            hex(writer.buffer(), &consensus);
            self.fits(writer.len())?;
        }
        writer.buffer().push(b']');
        Ok(())
    }
}

/// Appends `"0x…"`.
pub(super) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().saturating_mul(2).saturating_add(4));
    out.extend_from_slice(b"\"0x");
    let start = out.len();
    out.resize(start.saturating_add(bytes.len().saturating_mul(2)), 0);
    if let Some(room) = out.get_mut(start..) {
        // The room is exactly twice the input, the only thing that could be refused.
        let _ = const_hex::encode_to_slice(bytes, room);
    }
    out.push(b'"');
}
