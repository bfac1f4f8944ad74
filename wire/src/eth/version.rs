//! Versions of the protocol.

use std::fmt;

/// A version of the `eth` protocol that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EthVersion {
    /// Announcements of transactions with type and size (EIP-5793). The last with total difficulty.
    Eth68 = 68,
    /// Block ranges instead of total difficulty, receipts without bloom (EIP-7642).
    Eth69 = 69,
    /// Receipts of a block in pages (EIP-7975).
    Eth70 = 70,
}

/// A version that we do not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("eth/{0} is not spoken here: 68, 69 and 70 are")]
pub struct UnknownVersion(pub usize);

// === impl EthVersion ===

impl EthVersion {
    /// The newest.
    pub const LATEST: Self = Self::Eth70;
    /// All, the preferred first.
    pub const ALL: &'static [Self] = &[Self::Eth70, Self::Eth69, Self::Eth68];
    /// The capability's name in Hello.
    pub const NAME: &'static str = "eth";

    /// How many message ids the version takes: it fixes where the next capability begins, so a wrong number
    /// breaks `snap` and `wit`, not `eth` (go-ethereum `protocolLengths`).
    pub const fn length(self) -> u8 {
        match self {
            Self::Eth68 => 17,
            Self::Eth69 | Self::Eth70 => 18,
        }
    }
}

impl fmt::Display for EthVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Self::NAME, u8::from(*self))
    }
}

impl From<EthVersion> for u8 {
    fn from(version: EthVersion) -> Self {
        version as Self
    }
}

impl From<EthVersion> for usize {
    fn from(version: EthVersion) -> Self {
        version as Self
    }
}

impl TryFrom<usize> for EthVersion {
    type Error = UnknownVersion;

    fn try_from(version: usize) -> Result<Self, UnknownVersion> {
        match version {
            68 => Ok(Self::Eth68),
            69 => Ok(Self::Eth69),
            70 => Ok(Self::Eth70),
            other => Err(UnknownVersion(other)),
        }
    }
}

impl TryFrom<u8> for EthVersion {
    type Error = UnknownVersion;

    fn try_from(version: u8) -> Result<Self, UnknownVersion> {
        Self::try_from(usize::from(version))
    }
}
