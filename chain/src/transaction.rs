//! A transaction as its EIP-2718 envelope, with the fields of the known types in place.
//!
//! Types nobody here knows (Optimism's 0x7e, Bor's 0x7f, Arbitrum's 0x64…) keep their bytes and their hash and
//! simply have no [`Fields`].

use alloy_primitives::{B256, keccak256};

use crate::rlp::{Item, Items, RlpError};

/// A transaction's envelope: for legacy ones the bare list, else `type ‖ payload`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction<'a> {
    envelope: &'a [u8],
    kind: u8,
}

/// The fields of a transaction of type 0 to 4. Integers are big-endian without leading zeros.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// Chain id; `None` in legacy transactions, whose `v` may tell it (EIP-155).
    pub chain_id: Option<&'a [u8]>,
    /// Sender's counter.
    pub nonce: u64,
    /// Gas price of types 0 and 1.
    pub gas_price: Option<&'a [u8]>,
    /// `maxPriorityFeePerGas` of types 2 and up.
    pub max_priority_fee: Option<&'a [u8]>,
    /// `maxFeePerGas` of types 2 and up.
    pub max_fee: Option<&'a [u8]>,
    /// Gas limit.
    pub gas: u64,
    /// Recipient; `None` creates a contract.
    pub to: Option<&'a [u8; 20]>,
    /// Wei moved.
    pub value: &'a [u8],
    /// Call data or init code.
    pub input: &'a [u8],
    /// `[[address, [key…]]…]` of types 1 and up (EIP-2930).
    pub access_list: Option<Item<'a>>,
    /// `maxFeePerBlobGas` of type 3.
    pub max_fee_per_blob_gas: Option<&'a [u8]>,
    /// Versioned hashes of type 3 (EIP-4844).
    pub blob_hashes: Option<Item<'a>>,
    /// `[[chainId, address, nonce, yParity, r, s]…]` of type 4 (EIP-7702).
    pub authorizations: Option<Item<'a>>,
    /// `v` of legacy transactions, the parity bit of all others.
    pub v: &'a [u8],
    /// Signature, first half.
    pub r: &'a [u8],
    /// Signature, second half.
    pub s: &'a [u8],
    /// The encoded fields before the signature: what the sender signed.
    pub unsigned: &'a [u8],
}

/// Transaction types of Ethereum.
pub mod kind {
    /// Before EIP-2718.
    pub const LEGACY: u8 = 0x00;
    /// EIP-2930.
    pub const ACCESS_LIST: u8 = 0x01;
    /// EIP-1559.
    pub const DYNAMIC_FEE: u8 = 0x02;
    /// EIP-4844.
    pub const BLOB: u8 = 0x03;
    /// EIP-7702.
    pub const SET_CODE: u8 = 0x04;
}

// === impl Transaction ===

impl<'a> Transaction<'a> {
    /// A transaction as it lies in a body: legacy ones as a list, others wrapped in a string. A legacy one in a
    /// string would have the same hash and root, so that two bodies would stand for one block; it is refused.
    pub fn from_item(item: Item<'a>) -> Result<Self, RlpError> {
        if item.is_list() {
            return Self::parse(item.raw());
        }
        Self::parse(item.payload())
            .and_then(|tx| if tx.is_typed() { Ok(tx) } else { Err(RlpError::Field("transaction type")) })
    }

    /// A transaction from its envelope, as hashed and as `eth_sendRawTransaction` takes it.
    pub fn parse(envelope: &'a [u8]) -> Result<Self, RlpError> {
        match envelope.first() {
            Some(0xc0..) => Item::parse(envelope)?.items().map(|_| Self { envelope, kind: kind::LEGACY }),
            Some(&kind) if kind <= 0x7f => Ok(Self { envelope, kind }),
            _ => Err(RlpError::Field("transaction type")),
        }
    }

    /// The bytes that are hashed.
    pub fn envelope(&self) -> &'a [u8] {
        self.envelope
    }

    /// EIP-2718 type; 0 for legacy transactions.
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// Whether the envelope begins with a type byte (EIP-2718).
    pub fn is_typed(&self) -> bool {
        self.envelope.first().is_some_and(|byte| *byte <= 0x7f)
    }

    /// Transaction hash.
    pub fn hash(&self) -> B256 {
        keccak256(self.envelope)
    }

    /// The fields, or `None` for a type that is not known here.
    pub fn fields(&self) -> Result<Option<Fields<'a>>, RlpError> {
        let list = match self.kind {
            kind::LEGACY => self.envelope,
            kind::ACCESS_LIST..=kind::SET_CODE => self.envelope.get(1..).unwrap_or_default(),
            _ => return Ok(None),
        };
        let list = Item::parse(list)?;
        let mut items = list.items()?;
        let typed = self.kind != kind::LEGACY;
        let chain_id = typed.then(|| integer(&mut items, "chainId")).transpose()?;
        let nonce = items.field("nonce")?.uint("nonce")?;
        let (gas_price, max_priority_fee, max_fee) = if self.kind >= kind::DYNAMIC_FEE {
            let tip = integer(&mut items, "maxPriorityFeePerGas")?;
            (None, Some(tip), Some(integer(&mut items, "maxFeePerGas")?))
        } else {
            (Some(integer(&mut items, "gasPrice")?), None, None)
        };
        let gas = items.field("gas")?.uint("gas")?;
        let to = items.field("to")?;
        let to = if to.string()?.is_empty() { None } else { Some(to.fixed::<20>("to")?) };
        let value = integer(&mut items, "value")?;
        let input = items.field("input")?.string()?;
        let access_list = typed.then(|| list_field(&mut items, "accessList")).transpose()?;
        let (mut max_fee_per_blob_gas, mut blob_hashes, mut authorizations) = (None, None, None);
        if self.kind == kind::BLOB {
            max_fee_per_blob_gas = Some(integer(&mut items, "maxFeePerBlobGas")?);
            blob_hashes = Some(list_field(&mut items, "blobVersionedHashes")?);
        } else if self.kind == kind::SET_CODE {
            authorizations = Some(list_field(&mut items, "authorizationList")?);
        }
        let unsigned_len = list.payload().len() - items.rest().len();
        let unsigned = list.payload().get(..unsigned_len).unwrap_or_default();
        let v = integer(&mut items, "v")?;
        let r = integer(&mut items, "r")?;
        let s = integer(&mut items, "s")?;
        if !items.rest().is_empty() {
            return Err(RlpError::Trailing);
        }
        Ok(Some(Fields {
            chain_id,
            nonce,
            gas_price,
            max_priority_fee,
            max_fee,
            gas,
            to,
            value,
            input,
            access_list,
            max_fee_per_blob_gas,
            blob_hashes,
            authorizations,
            v,
            r,
            s,
            unsigned,
        }))
    }
}

/// The bytes under the transactions root.
impl AsRef<[u8]> for Transaction<'_> {
    fn as_ref(&self) -> &[u8] {
        self.envelope
    }
}

fn integer<'a>(items: &mut Items<'a>, field: &'static str) -> Result<&'a [u8], RlpError> {
    let bytes = items.field(field)?.string()?;
    if bytes.len() > 32 || bytes.first() == Some(&0) {
        return Err(RlpError::Field(field));
    }
    Ok(bytes)
}

fn list_field<'a>(items: &mut Items<'a>, field: &'static str) -> Result<Item<'a>, RlpError> {
    let item = items.field(field)?;
    item.items()?;
    Ok(item)
}
