//! Which rules hold at which height of a development chain.

use crate::spec::{Activation, BlobParams, Fork, Forks};

/// The height from which each fork holds. All zero by default: every fork is active from genesis; [`NEVER`] leaves
/// a fork out.
///
/// A fork brings those before it along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DevForks {
    /// EIP-658: receipts carry a status; before, a state root. Replay protection (EIP-155) comes with it here.
    pub byzantium: u64,
    /// EIP-2930: transactions of type 1.
    pub berlin: u64,
    /// EIP-1559: base fee, transactions of type 2.
    pub london: u64,
    /// EIP-3675: no more difficulty, nonce and uncles.
    pub paris: u64,
    /// EIP-4895: withdrawals.
    pub shanghai: u64,
    /// EIP-4844, EIP-4788: blob transactions of type 3, parent beacon root.
    pub cancun: u64,
    /// EIP-7702, EIP-7685, EIP-7691: transactions of type 4, requests hash, more blobs.
    pub prague: u64,
    /// EIP-7918: a floor under the price of blobs.
    pub osaka: u64,
}

/// A height that no chain reaches.
pub const NEVER: u64 = u64::MAX;

/// The rules of a block, in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DevFork {
    /// The beginning; the forks before Byzantium change nothing in a block's form.
    Frontier,
    /// Status in receipts.
    Byzantium,
    /// Access lists.
    Berlin,
    /// Base fee.
    London,
    /// The merge.
    Paris,
    /// Withdrawals.
    Shanghai,
    /// Blobs.
    Cancun,
    /// Set-code transactions, requests.
    Prague,
    /// Bounded blob price.
    Osaka,
}

// === impl DevForks ===

impl DevForks {
    /// A fork every `step` heights, from Frontier at genesis to Osaka at `8 * step`.
    pub fn staged(step: u64) -> Self {
        let at = |stage: u64| step.saturating_mul(stage);
        Self {
            byzantium: at(1),
            berlin: at(2),
            london: at(3),
            paris: at(4),
            shanghai: at(5),
            cancun: at(6),
            prague: at(7),
            osaka: at(8),
        }
    }

    /// The schedule as it comes to pass.
    pub(super) fn settle(self) -> Self {
        let osaka = self.osaka;
        let prague = self.prague.min(osaka);
        let cancun = self.cancun.min(prague);
        let shanghai = self.shanghai.min(cancun);
        let paris = self.paris.min(shanghai);
        let london = self.london.min(paris);
        let berlin = self.berlin.min(london);
        let byzantium = self.byzantium.min(berlin);
        Self { byzantium, berlin, london, paris, shanghai, cancun, prague, osaka }
    }

    /// The schedule as a spec has it, by time since Shanghai, given the time of a height.
    pub(super) fn to_spec(self, timestamp: impl Fn(u64) -> u64) -> Forks {
        let blocks = [
            (Fork::Homestead, 0),
            (Fork::TangerineWhistle, 0),
            (Fork::SpuriousDragon, self.byzantium),
            (Fork::Byzantium, self.byzantium),
            (Fork::Constantinople, self.byzantium),
            (Fork::Petersburg, self.byzantium),
            (Fork::Istanbul, self.byzantium),
            (Fork::MuirGlacier, self.byzantium),
            (Fork::Berlin, self.berlin),
            (Fork::London, self.london),
        ];
        let times = [
            (Fork::Shanghai, self.shanghai),
            (Fork::Cancun, self.cancun),
            (Fork::Prague, self.prague),
            (Fork::Osaka, self.osaka),
        ];
        let blocks = blocks.map(|(fork, height)| (fork, height, Activation::Block(height)));
        let times = times.map(|(fork, height)| {
            (fork, height, Activation::Time(if height == 0 { 0 } else { timestamp(height) }))
        });
        let scheduled = blocks.into_iter().chain(times).filter(|(_, height, _)| *height != NEVER);
        Forks::new(scheduled.map(|(fork, _, activation)| (fork, activation)))
    }

    /// The rules of the block at `number`.
    pub fn at(&self, number: u64) -> DevFork {
        let latest_first = [
            (self.osaka, DevFork::Osaka),
            (self.prague, DevFork::Prague),
            (self.cancun, DevFork::Cancun),
            (self.shanghai, DevFork::Shanghai),
            (self.paris, DevFork::Paris),
            (self.london, DevFork::London),
            (self.berlin, DevFork::Berlin),
            (self.byzantium, DevFork::Byzantium),
        ];
        let come = latest_first.into_iter().find(|(height, _)| number >= *height);
        come.map_or(DevFork::Frontier, |(_, fork)| fork)
    }
}

// === impl DevFork ===

impl DevFork {
    /// How blobs are counted and priced, from Cancun on.
    pub(super) fn blobs(self) -> Option<BlobParams> {
        match self {
            Self::Osaka => BlobParams::by_default(Fork::Osaka),
            Self::Prague => BlobParams::by_default(Fork::Prague),
            Self::Cancun => BlobParams::by_default(Fork::Cancun),
            _ => None,
        }
    }
}
