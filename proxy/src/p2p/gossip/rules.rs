//! What can be said of a transaction without state: by the chain's rules at the served head.
//!
//! Nonces and balances are not known here, and the base fee moves. What passes may still be worthless; what
//! does not pass is (go-ethereum `core/txpool/validation.go`, `ValidateTransaction`).

use alloy_primitives::{Address, U256, uint};
use hypasis_chain::rlp::{Item, RlpError};
use hypasis_chain::sender;
use hypasis_chain::spec::{ChainSpec, Family, Fork};
use hypasis_chain::transaction::{Fields, kind};

use super::gas;
use super::pooled::Pooled;
use super::sidecar::ProofKind;
use super::verdict::Rejection;

/// Half of the order of secp256k1's group: `s` may not be above it (EIP-2).
const HALF_ORDER: U256 =
    uint!(0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0_U256);
/// Longest init code (EIP-3860).
const MAX_INIT_CODE: usize = 2 * 24_576;
/// Most gas of a transaction (EIP-7825).
const MAX_TRANSACTION_GAS: u64 = 1 << 24;
/// Most blobs of a transaction (EIP-7594).
const MAX_TRANSACTION_BLOBS: u64 = 6;

/// The served head, as far as rules depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Height.
    pub number: u64,
    /// Seconds since the epoch.
    pub time: u64,
    /// Gas limit of the block.
    pub gas_limit: u64,
}

/// The rules at one head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) head: Head,
    chain_id: u64,
    /// The highest type that is valid.
    highest_kind: u8,
    /// Most blobs of a transaction; 0 where there are none.
    max_blobs: usize,
    istanbul: bool,
    homestead: bool,
    shanghai: bool,
    prague: bool,
    osaka: bool,
    /// EIP-3860's bound; Bor has raised its own since.
    bounds_init_code: bool,
    /// Whether all rules at the head are known here. If not, what they may have changed is not judged.
    known: bool,
}

/// A transaction that passed, and what the pool needs to know of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    pub(super) sender: Address,
    pub(super) nonce: u64,
    /// `maxFeePerGas`, or the gas price.
    pub(super) fee_cap: U256,
    /// `maxPriorityFeePerGas`, or the gas price.
    pub(super) tip: U256,
    /// `maxFeePerBlobGas`; zero without blobs.
    pub(super) blob_fee_cap: U256,
}

// === impl Rules ===

impl Rules {
    /// The rules of `spec` at `head`.
    pub(super) fn at(spec: &ChainSpec, head: Head) -> Self {
        let active = |fork| spec.is_active(fork, head.number, head.time);
        let osaka = active(Fork::Osaka);
        // Bor has Cancun's opcodes without its blobs.
        let blobs = spec.family == Family::Ethereum && active(Fork::Cancun);
        let scheduled =
            spec.blob_params(head.number, head.time).map_or(MAX_TRANSACTION_BLOBS, |blobs| blobs.max);
        let max_blobs = if osaka { scheduled.min(MAX_TRANSACTION_BLOBS) } else { scheduled };
        let highest_kind = match () {
            () if active(Fork::Prague) => kind::SET_CODE,
            () if blobs => kind::BLOB,
            () if active(Fork::London) => kind::DYNAMIC_FEE,
            () if active(Fork::Berlin) => kind::ACCESS_LIST,
            () => kind::LEGACY,
        };
        Self {
            head,
            chain_id: spec.chain_id,
            highest_kind,
            max_blobs: if blobs { usize::try_from(max_blobs).unwrap_or(usize::MAX) } else { 0 },
            istanbul: active(Fork::Istanbul),
            homestead: active(Fork::Homestead),
            shanghai: active(Fork::Shanghai),
            prague: active(Fork::Prague),
            osaka,
            bounds_init_code: spec.family == Family::Ethereum && active(Fork::Shanghai),
            known: spec.is_known_at(head.number, head.time),
        }
    }

    /// Whether a transaction of that type can be valid.
    pub(super) fn allows(&self, kind: u8) -> bool {
        kind <= self.highest_kind && (kind != kind::BLOB || self.max_blobs > 0)
    }

    /// What costs next to nothing and shows a liar: whether blobs are there and are those that the fields
    /// name.
    pub(super) fn check_form(&self, pooled: &Pooled<'_>) -> Result<(), Rejection> {
        if pooled.kind != kind::BLOB {
            return Ok(());
        }
        let transaction = pooled.transaction()?;
        let fields = transaction.fields()?.ok_or(Rejection::Kind(pooled.kind))?;
        let hashes = fields.blob_hashes.ok_or(RlpError::Missing("blobVersionedHashes"))?;
        let sidecar = pooled.sidecar.as_ref().ok_or(Rejection::NoSidecar)?;
        sidecar.check_hashes(hashes.items()?)
    }

    /// Everything but the proofs of blobs; 30 µs, nearly all of it for the signature.
    pub(super) fn check(&self, pooled: &Pooled<'_>) -> Result<Checked, Rejection> {
        if !self.allows(pooled.kind) {
            return Err(Rejection::Kind(pooled.kind));
        }
        let transaction = pooled.transaction()?;
        let fields = transaction.fields()?.ok_or(Rejection::Kind(pooled.kind))?;
        self.check_chain(&transaction)?;
        let checked = self.check_fees(&fields)?;
        if fields.nonce == u64::MAX {
            return Err(Rejection::NonceMax);
        }
        self.check_gas(&fields)?;
        match pooled.kind {
            kind::BLOB => self.check_blobs(pooled, &fields)?,
            kind::SET_CODE => check_authorizations(&fields)?,
            _ => {}
        }
        if U256::from_be_slice(fields.s) > HALF_ORDER {
            return Err(Rejection::Signature);
        }
        let sender = sender::recover(&transaction).ok_or(Rejection::Signature)?;
        Ok(Checked { sender, nonce: fields.nonce, ..checked })
    }

    fn check_chain(&self, transaction: &hypasis_chain::Transaction<'_>) -> Result<(), Rejection> {
        // Unbound legacy transactions (from before EIP-155) are valid on every chain.
        let signed = sender::chain_id(transaction).filter(|signed| *signed != U256::from(self.chain_id));
        match signed {
            Some(signed) => Err(Rejection::ChainId { signed: signed.to_string(), here: self.chain_id }),
            None => Ok(()),
        }
    }

    fn check_fees(&self, fields: &Fields<'_>) -> Result<Checked, Rejection> {
        let integer = |bytes: Option<&[u8]>| bytes.map(U256::from_be_slice);
        let price = integer(fields.gas_price).unwrap_or_default();
        let fee_cap = integer(fields.max_fee).unwrap_or(price);
        let tip = integer(fields.max_priority_fee).unwrap_or(price);
        if tip > fee_cap {
            return Err(Rejection::TipAboveCap);
        }
        if tip.is_zero() {
            return Err(Rejection::NoTip);
        }
        let blob_fee_cap = integer(fields.max_fee_per_blob_gas);
        if blob_fee_cap.is_some_and(|cap| cap.is_zero()) {
            return Err(Rejection::NoBlobFee);
        }
        let blob_fee_cap = blob_fee_cap.unwrap_or_default();
        Ok(Checked { sender: Address::ZERO, nonce: fields.nonce, fee_cap, tip, blob_fee_cap })
    }

    fn check_gas(&self, fields: &Fields<'_>) -> Result<(), Rejection> {
        let max = if self.osaka && self.known { MAX_TRANSACTION_GAS } else { u64::MAX };
        let max = max.min(self.head.gas_limit);
        if fields.gas > max {
            return Err(Rejection::TooMuchGas { gas: fields.gas, max });
        }
        let needed = gas::needed(fields, &self.prices())?;
        if !self.known {
            return Ok(());
        }
        if fields.gas < needed {
            return Err(Rejection::TooLittleGas { gas: fields.gas, needed });
        }
        if self.bounds_init_code && fields.to.is_none() && fields.input.len() > MAX_INIT_CODE {
            return Err(Rejection::InitCode { bytes: fields.input.len(), max: MAX_INIT_CODE });
        }
        Ok(())
    }

    fn prices(&self) -> gas::Prices {
        gas::Prices {
            homestead: self.homestead,
            istanbul: self.istanbul,
            shanghai: self.shanghai,
            prague: self.prague,
        }
    }

    fn check_blobs(&self, pooled: &Pooled<'_>, fields: &Fields<'_>) -> Result<(), Rejection> {
        if fields.to.is_none() {
            return Err(Rejection::NoRecipient(kind::BLOB));
        }
        let sidecar = pooled.sidecar.as_ref().ok_or(Rejection::NoSidecar)?;
        // Before Osaka both forms of proofs travel (go-ethereum keeps cell proofs only), from it on one.
        if self.osaka && sidecar.proof_kind == ProofKind::Blob {
            return Err(Rejection::ProofForm("they are not of cells (EIP-7594)"));
        }
        let blobs = fields.blob_hashes.map_or(Ok(0), |hashes| hashes.items().map(Iterator::count))?;
        match blobs {
            0 => Err(Rejection::Sidecar("no blobs")),
            blobs if blobs > self.max_blobs => Err(Rejection::TooManyBlobs { blobs, max: self.max_blobs }),
            _ => Ok(()),
        }
    }
}

/// At least one, each of the right form: `[chain id, address, nonce, y parity, r, s]`.
fn check_authorizations(fields: &Fields<'_>) -> Result<(), Rejection> {
    if fields.to.is_none() {
        return Err(Rejection::NoRecipient(kind::SET_CODE));
    }
    let mut any = false;
    for authorization in fields.authorizations.ok_or(Rejection::NoAuthorization)?.items()? {
        any = true;
        check_authorization(authorization?)?;
    }
    if any { Ok(()) } else { Err(Rejection::NoAuthorization) }
}

fn check_authorization(authorization: Item<'_>) -> Result<(), RlpError> {
    let mut items = authorization.items()?;
    items.field("chainId")?.uint256("chainId")?;
    items.field("address")?.fixed::<20>("address")?;
    items.field("nonce")?.uint("nonce")?;
    if items.field("yParity")?.uint("yParity")? > u64::from(u8::MAX) {
        return Err(RlpError::Field("yParity"));
    }
    items.field("r")?.uint256("r")?;
    items.field("s")?.uint256("s")?;
    if items.rest().is_empty() { Ok(()) } else { Err(RlpError::Trailing) }
}
