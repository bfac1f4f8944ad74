//! When which fork begins.

/// Forks whose rules this program knows, in order. Named as in Geth's `params/config.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "names of forks")]
pub enum Fork {
    Homestead,
    Dao,
    TangerineWhistle,
    SpuriousDragon,
    Byzantium,
    Constantinople,
    Petersburg,
    Istanbul,
    MuirGlacier,
    Berlin,
    London,
    ArrowGlacier,
    GrayGlacier,
    /// EIP-3675's `mergeNetsplitBlock`: a mark for fork ids, not the merge itself.
    Netsplit,
    Shanghai,
    Cancun,
    Prague,
    Osaka,
    Bpo1,
    Bpo2,
    Bpo3,
    Bpo4,
    Bpo5,
}

/// Where a fork begins: at a height or, since the merge, at a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Activation {
    /// First height with the fork's rules.
    Block(u64),
    /// First timestamp with the fork's rules.
    Time(u64),
}

/// The fork schedule of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forks {
    known: Vec<(Fork, Activation)>,
    unknown: Vec<Activation>,
}

// === impl Fork ===

impl Fork {
    /// The fork behind a name in a genesis file's `config`, less its `Block` or `Time`.
    pub fn from_config_name(name: &str) -> Option<Self> {
        Some(match name {
            "homestead" => Self::Homestead,
            "daoFork" => Self::Dao,
            "eip150" => Self::TangerineWhistle,
            "eip155" | "eip158" => Self::SpuriousDragon,
            "byzantium" => Self::Byzantium,
            "constantinople" => Self::Constantinople,
            "petersburg" | "constantinopleFix" => Self::Petersburg,
            "istanbul" => Self::Istanbul,
            "muirGlacier" => Self::MuirGlacier,
            "berlin" => Self::Berlin,
            "london" => Self::London,
            "arrowGlacier" => Self::ArrowGlacier,
            "grayGlacier" => Self::GrayGlacier,
            "mergeNetsplit" | "mergeFork" => Self::Netsplit,
            "shanghai" => Self::Shanghai,
            "cancun" => Self::Cancun,
            "prague" => Self::Prague,
            "osaka" => Self::Osaka,
            "bpo1" => Self::Bpo1,
            "bpo2" => Self::Bpo2,
            "bpo3" => Self::Bpo3,
            "bpo4" => Self::Bpo4,
            "bpo5" => Self::Bpo5,
            _ => return None,
        })
    }
}

// === impl Activation ===

impl Activation {
    /// Whether a block of that height and timestamp is at or behind this point.
    pub fn reached(self, number: u64, time: u64) -> bool {
        match self {
            Self::Block(block) => number >= block,
            Self::Time(start) => time >= start,
        }
    }
}

// === impl Forks ===

impl Forks {
    /// A schedule of known forks.
    pub fn new(known: impl IntoIterator<Item = (Fork, Activation)>) -> Self {
        Self { known: known.into_iter().collect(), unknown: Vec::new() }
    }

    /// Adds a fork whose rules are not known here; from there on fork-dependent questions have no answer.
    pub fn push_unknown(&mut self, activation: Activation) {
        self.unknown.push(activation);
    }

    /// Adds a known fork.
    pub fn push(&mut self, fork: Fork, activation: Activation) {
        self.known.push((fork, activation));
    }

    /// Where `fork` begins, if it is scheduled.
    pub fn activation(&self, fork: Fork) -> Option<Activation> {
        self.known.iter().find(|(known, _)| *known == fork).map(|(_, activation)| *activation)
    }

    /// Whether `fork`'s rules hold. As in Geth a fork by time also wants London to have come, which matters on
    /// test chains whose heights and times start at zero.
    pub fn is_active(&self, fork: Fork, number: u64, time: u64) -> bool {
        let Some(activation) = self.activation(fork) else { return false };
        let london = || self.activation(Fork::London).is_none_or(|london| london.reached(number, time));
        activation.reached(number, time) && (matches!(activation, Activation::Block(_)) || london())
    }

    /// Whether a fork is active whose rules are not known here.
    pub fn is_beyond_known(&self, number: u64, time: u64) -> bool {
        self.unknown.iter().any(|activation| activation.reached(number, time))
    }

    /// The heights and then the times that EIP-2124 and EIP-6122 count: ascending, each once, without what was
    /// already so at genesis. Forks with unknown rules count as well, since the nodes of the chain know them.
    pub fn points(&self, genesis_time: u64) -> (Vec<u64>, Vec<u64>) {
        let (mut blocks, mut times) = (Vec::new(), Vec::new());
        for activation in self.known.iter().map(|(_, activation)| activation).chain(&self.unknown) {
            match *activation {
                Activation::Block(block) if block > 0 => blocks.push(block),
                Activation::Time(time) if time > genesis_time => times.push(time),
                Activation::Block(_) | Activation::Time(_) => {}
            }
        }
        for points in [&mut blocks, &mut times] {
            points.sort_unstable();
            points.dedup();
        }
        (blocks, times)
    }
}
