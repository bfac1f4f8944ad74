//! What only Polygon's chains have: state syncs beside blocks, and Bor's own methods as far as headers and receipts
//! determine them (Bor `internal/ethapi/bor_api.go`, `consensus/bor/api.go`).

use std::ops::ControlFlow;

use bytes::Bytes;
use hypasis_cache::{BlockRef, Kind};
use hypasis_chain::bor::checkpoint::{self, Tree};
use hypasis_chain::bor::{producers, seal, state_sync};
use hypasis_chain::render::{self, Client, LogFilter};
use hypasis_chain::spec::Family;
use hypasis_chain::{Header, Receipts};

use super::{Hit, Mode, Moment, Stop, arguments};
use crate::rpc::calibrate::{Facts, Form};
use crate::rpc::framing::{ResultWriter, RpcError};
use crate::rpc::methods::Local;
use crate::rpc::params::{BlockArgument, Tag};
use crate::rpc::source::Miss;

/// Headers that are hashed without leaving the thread that serves.
const AT_ONCE: u64 = 32;

// === impl Moment ===

impl Moment<'_> {
    /// The methods that only Bor has.
    pub(super) fn bor(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        if self.shelf.spec.family != Family::Bor {
            return Err(Stop::Miss(Miss::UnknownMethod));
        }
        match method {
            Local::ReceiptsByBlock => self.receipts_of(params, Form::ReceiptsByBlock),
            Local::BorBlockReceipt => self.bor_block_receipt(params),
            Local::BorAuthor => self.author(params),
            Local::BorSigners | Local::BorSignersAtHash => self.signers(method, params),
            _ => self.root_hash(params),
        }
    }

    /// Why a tag names no block: Bor has words of its own, and a node's count for more.
    pub(super) fn untagged(&self, tag: Tag) -> Stop {
        let words = match tag {
            Tag::Safe => "safe block not found",
            Tag::Finalized => "finalized block not found",
            _ => return Stop::Miss(Miss::Head),
        };
        match self.shelf.spec.family {
            Family::Bor if !self.served.upstream || self.store_only() => {
                Stop::Fault(RpcError::upstream(words.into(), None))
            }
            _ => Stop::Miss(Miss::Head),
        }
    }

    /// The receipt of the state sync beside the block, if there is one. It is a miss where that is not known.
    pub(super) fn beside(&self, block: &BlockRef) -> Result<Option<Bytes>, Stop> {
        if !state_sync::may_stand_beside(&self.shelf.spec, block.id.number) {
            return Ok(None);
        }
        let extra = self.read(self.view.extra(block))?.ok_or(Stop::Miss(Miss::StateSync))?;
        Ok((extra.as_ref() != state_sync::NONE).then_some(extra))
    }

    /// Whether the place behind the block's last transaction is that of a state sync beside it.
    pub(super) fn is_beside(&self, block: &BlockRef, index: usize, count: usize) -> Result<bool, Stop> {
        Ok(self.beside(block)?.is_some() && index == count)
    }

    /// Whether the node behind is Bor itself, which shows what stands beside blocks in its JSON forms alone.
    pub(super) fn is_bor(&self) -> bool {
        self.profile.client == Client::Bor
    }

    /// The receipt beside the block, if `eth_getLogs` shows its logs and one of them is wanted.
    pub(super) fn logs_beside(&self, block: &BlockRef, wanted: &LogFilter) -> Result<Option<Bytes>, Stop> {
        if !state_sync::may_stand_beside(&self.shelf.spec, block.id.number)
            || self.shows_state_sync_logs() == Some(false)
        {
            return Ok(None);
        }
        let Some(extra) = self.beside(block)? else { return Ok(None) };
        let mut matches = false;
        if let Some(receipt) = self.sound(state_sync::receipt(&extra))? {
            for log in receipt.logs() {
                matches |= self.sound(log.and_then(|log| wanted.matches(&log)))?;
            }
        }
        if !matches {
            return Ok(None);
        }
        if self.shows_state_sync_logs().is_none() {
            return Err(Stop::Miss(Miss::Calibration));
        }
        self.allowed(Form::StateSyncLogs, Facts::ANY)?;
        Ok(Some(extra))
    }

    /// Whether `eth_getLogs` shows the logs of state syncs beside blocks, as far as that is known. Where there is no
    /// node to ask it is as Bor's default is: it does not.
    pub(super) fn shows_state_sync_logs(&self) -> Option<bool> {
        match self.asked.mode {
            Mode::Compare { state_sync_logs } => Some(state_sync_logs),
            mode => {
                let alone = mode != Mode::Serve || !self.served.upstream;
                self.shelf.verdicts.shows_state_sync_logs().or(alone.then_some(false))
            }
        }
    }

    /// `eth_getBorBlockReceipt`
    fn bor_block_receipt(&self, params: &[u8]) -> Result<Hit, Stop> {
        let hash = arguments(params, 1)?.hash(0).map_err(Stop::Fault)?;
        let block = self.resolve(BlockArgument::Hash(hash, false))?;
        let (held, bytes) = (self.held(&block)?, self.receipt_bytes(&block)?);
        let (parts, receipts) = (self.render(&held)?, self.sound(Receipts::parse(&bytes))?);
        let facts = Facts::of_header(&parts.header).and_beside(&parts.beside);
        self.allowed(Form::BorBlockReceipt, facts)?;
        let mut writer = ResultWriter::with_capacity(2_048);
        match self.rendered(render::bor_block_receipt(writer.buffer(), &parts, &receipts))? {
            true => self.finish(writer, held.id),
            // Bor says that it found none, in an error.
            false => Err(Stop::Fault(RpcError::upstream("not found".into(), None))),
        }
    }

    /// `bor_getAuthor`
    fn author(&self, params: &[u8]) -> Result<Hit, Stop> {
        let block = self.settled(params, |argument| {
            matches!(argument, BlockArgument::Number(1..) | BlockArgument::Hash(..))
        })?;
        let bytes = self.header_bytes(&block)?;
        let header = self.sound(Header::parse(&bytes))?;
        self.allowed(Form::Author, Facts::of_header(&header))?;
        let bor = self.shelf.spec.bor.as_ref().ok_or(Stop::Miss(Miss::Form))?;
        let author = seal::signer(bor, &header).map_err(|_| Stop::Miss(Miss::Form))?;
        let mut writer = ResultWriter::with_capacity(64);
        super::raw::hex(writer.buffer(), author.as_slice());
        self.finish(writer, block.id)
    }

    /// `bor_getSigners` and `bor_getSignersAtHash`: whom the end of the sprint before named
    fn signers(&self, method: Local, params: &[u8]) -> Result<Hit, Stop> {
        let block = self.settled(params, |argument| match method {
            Local::BorSigners => matches!(argument, BlockArgument::Number(_)),
            _ => matches!(argument, BlockArgument::Hash(..)),
        })?;
        let bor = self.shelf.spec.bor.as_ref().ok_or(Stop::Miss(Miss::Form))?;
        let ended = producers::signers_named_at(bor, block.id.number).ok_or(Stop::Miss(Miss::Form))?;
        let bytes = self.header_bytes(&block)?;
        self.allowed(Form::Signers, Facts::of_header(&self.sound(Header::parse(&bytes))?))?;
        let bytes = self.header_bytes(&self.at(ended)?)?;
        let ended = self.sound(Header::parse(&bytes))?;
        let signers = producers::signers(&self.shelf.spec, &ended).ok_or(Stop::Miss(Miss::Form))?;
        let mut writer = ResultWriter::with_capacity(signers.len().saturating_mul(48));
        for (place, signer) in signers.iter().enumerate() {
            writer.buffer().push(if place == 0 { b'[' } else { b',' });
            super::raw::hex(writer.buffer(), signer.as_slice());
        }
        writer.buffer().push(b']');
        self.finish(writer, block.id)
    }

    /// The block that the one parameter names in a form that `fits`. Without it Bor means the latest block: who asks so
    /// asks for what moves.
    fn settled(&self, params: &[u8], fits: impl Fn(&BlockArgument) -> bool) -> Result<BlockRef, Stop> {
        let arguments = arguments(params, 1)?;
        if arguments.text(0).is_none() {
            return Err(Stop::Miss(Miss::Head));
        }
        let argument = arguments.block(0).map_err(Stop::Fault)?;
        if !fits(&argument) {
            return Err(Stop::Miss(Miss::Params));
        }
        self.resolve(argument)
    }

    /// `eth_getRootHash` and `bor_getRootHash`: hex without a prefix
    fn root_hash(&self, params: &[u8]) -> Result<Hit, Stop> {
        let arguments = arguments(params, 2)?;
        let number = |position| {
            let text = arguments.required(position).map_err(Stop::Fault)?;
            let text = std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok());
            text.ok_or(Stop::Miss(Miss::Params))
        };
        let (from, to) = (number(0)?, number(1)?);
        let length = to.checked_sub(from).and_then(|length| length.checked_add(1));
        let length = length.filter(|length| *length <= checkpoint::BLOCKS_MAX);
        let length = length.ok_or(Stop::Miss(Miss::Params))?;
        self.allowed(Form::RootHash, Facts::ANY)?;
        // The hash of the last block commits to all before it.
        let last = self.at(to)?;
        if length > AT_ONCE && !self.asked.patient {
            return Err(Stop::Patience);
        }
        let mut tree = Tree::default();
        let visited = self.view.scan(Kind::Header, from..=to, &mut |_, bytes| {
            let pushed =
                Header::parse(bytes).is_ok_and(|header| tree.push(checkpoint::leaf(&header)).is_ok());
            if pushed && !self.asked.is_over() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if self.asked.is_over() {
            return Err(Stop::Refused(RpcError::TIMEOUT));
        }
        // A header that does not parse ends the walk as a gap does.
        if self.read(visited)? != length || tree.leaves() != length {
            return Err(Stop::Miss(Miss::Gap));
        }
        let root = tree.root().map_err(|_| Stop::Miss(Miss::Params))?;
        let mut writer = ResultWriter::with_capacity(80);
        writer.buffer().extend_from_slice(format!("\"{}\"", const_hex::encode(root)).as_bytes());
        self.finish(writer, last.id)
    }
}
