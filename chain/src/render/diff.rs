//! Where an answer of ours and a node's part.
//!
//! Calibration renders what a node has also answered and compares: a differing *form* means that this program
//! does not write like that client, a differing *value* of something that a root covers means that one of both
//! holds wrong data. The order of keys does not count, everything else does.

use std::fmt;

use serde_json::{Map, Value};

/// The first place where two answers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, as in `transactions[3].gasPrice`; empty for the whole answer.
    pub path: String,
    /// Our JSON there, or `None` where we have nothing; long texts are cut.
    pub ours: Option<String>,
    /// The node's JSON there, or `None` where it has nothing; long texts are cut.
    pub theirs: Option<String>,
    /// What the difference says.
    pub kind: DifferenceKind,
}

/// What a difference says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DifferenceKind {
    /// Data that the block's hash or roots cover are not the same: somebody holds wrong data.
    Value,
    /// The same data are written otherwise, or a field is missing or added: a client's form.
    Form,
}

/// Most characters that a difference quotes of either side.
pub const QUOTE_CHARS_MAX: usize = 160;

/// Compares two results given as JSON text. A text that is no JSON differs as a whole.
pub fn first_difference(ours: &str, theirs: &str) -> Option<Difference> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (parse(ours), parse(theirs)) {
        (Some(ours), Some(theirs)) => Walk::default().compare(None, &ours, &theirs),
        _ if ours == theirs => None,
        _ => Some(Difference {
            path: String::new(),
            ours: Some(cut(ours.to_owned())),
            theirs: Some(cut(theirs.to_owned())),
            kind: DifferenceKind::Form,
        }),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "`{}` is {} here and {} there", self.path, side(&self.ours), side(&self.theirs))
    }
}

/// The way from the whole to the place that is being compared.
#[derive(Default)]
struct Walk {
    path: String,
}

/// An object's key with both objects, from which the meaning of the value follows.
type Field<'a> = (&'a str, &'a Map<String, Value>);

// === impl Walk ===

impl Walk {
    fn compare(&mut self, field: Option<Field<'_>>, ours: &Value, theirs: &Value) -> Option<Difference> {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => self.compare_objects(ours, theirs),
            (Value::Array(ours), Value::Array(theirs)) => self.compare_arrays(field, ours, theirs),
            _ if ours == theirs => None,
            _ => Some(self.difference(Some(ours), Some(theirs), kind_of(field, ours, theirs))),
        }
    }

    /// Wrong values count before a differing form: they blame somebody.
    fn compare_objects(
        &mut self,
        ours: &Map<String, Value>,
        theirs: &Map<String, Value>,
    ) -> Option<Difference> {
        let mut first = None;
        for (key, our) in ours {
            let Some(their) = theirs.get(key) else {
                first =
                    first.or_else(|| Some(self.at(key).difference(Some(our), None, DifferenceKind::Form)));
                continue;
            };
            let found = self.at(key).compare(Some((key, ours)), our, their);
            if found.as_ref().is_some_and(|found| found.kind == DifferenceKind::Value) {
                return found;
            }
            first = first.or(found);
        }
        let added = theirs.iter().find(|(key, _)| !ours.contains_key(*key));
        first.or_else(|| {
            added.map(|(key, their)| self.at(key).difference(None, Some(their), DifferenceKind::Form))
        })
    }

    fn compare_arrays(
        &mut self,
        field: Option<Field<'_>>,
        ours: &[Value],
        theirs: &[Value],
    ) -> Option<Difference> {
        let mut first = None;
        for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
            let found = Self { path: format!("{}[{index}]", self.path) }.compare(field, our, their);
            if found.as_ref().is_some_and(|found| found.kind == DifferenceKind::Value) {
                return found;
            }
            first = first.or(found);
        }
        if ours.len() == theirs.len() {
            return first;
        }
        // A list of another length has lost or gained entries of what a root covers.
        let shorter = ours.len().min(theirs.len());
        let mut at = Self { path: format!("{}[{shorter}]", self.path) };
        Some(at.difference(ours.get(shorter), theirs.get(shorter), DifferenceKind::Value))
    }

    fn at(&self, key: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{dot}{key}", self.path) }
    }

    fn difference(
        &mut self,
        ours: Option<&Value>,
        theirs: Option<&Value>,
        kind: DifferenceKind,
    ) -> Difference {
        let quote = |value: Option<&Value>| value.map(|value| cut(value.to_string()));
        Difference { path: self.path.clone(), ours: quote(ours), theirs: quote(theirs), kind }
    }
}

/// Whether two scalars differ in value or only in how they are written.
fn kind_of(field: Option<Field<'_>>, ours: &Value, theirs: &Value) -> DifferenceKind {
    let (Value::String(ours), Value::String(theirs)) = (ours, theirs) else { return DifferenceKind::Form };
    match (digits(ours), digits(theirs)) {
        (Some(ours), Some(theirs)) if !ours.eq_ignore_ascii_case(theirs) && is_covered(field) => {
            DifferenceKind::Value
        }
        _ => DifferenceKind::Form,
    }
}

/// Hex digits without their prefix and leading zeros.
fn digits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| digits.trim_start_matches('0'))
}

/// Whether a field is covered by the block's hash, one of its roots or a signature. What a client derives by
/// itself (`size`, `totalDifficulty`, prices, places of logs, `v` of typed transactions) is not.
fn is_covered(field: Option<Field<'_>>) -> bool {
    const COVERED: [&str; 56] = [
        "accessList",
        "address",
        "amount",
        "authorizationList",
        "baseFeePerGas",
        "blobGasUsed",
        "blobVersionedHashes",
        "blockHash",
        "blockNumber",
        "blockTimestamp",
        "chainId",
        "contractAddress",
        "cumulativeGasUsed",
        "data",
        "difficulty",
        "excessBlobGas",
        "extraData",
        "from",
        "gas",
        "gasLimit",
        "gasUsed",
        "hash",
        "index",
        "input",
        "logsBloom",
        "maxFeePerBlobGas",
        "maxFeePerGas",
        "maxPriorityFeePerGas",
        "miner",
        "mixHash",
        "nonce",
        "number",
        "parentBeaconBlockRoot",
        "parentHash",
        "r",
        "receiptsRoot",
        "requestsHash",
        "root",
        "s",
        "sha3Uncles",
        "stateRoot",
        "status",
        "storageKeys",
        "timestamp",
        "to",
        "topics",
        "transactionHash",
        "transactionIndex",
        "transactions",
        "transactionsRoot",
        "type",
        "uncles",
        "validatorIndex",
        "value",
        "withdrawals",
        "withdrawalsRoot",
    ];
    let Some((key, object)) = field else { return false };
    // Signed in legacy transactions and those of EIP-2930, derived in others.
    let signed_price = || {
        let kind = object.get("type").and_then(Value::as_str);
        key == "gasPrice" && matches!(kind, Some("0x0" | "0x1"))
    };
    COVERED.binary_search(&key).is_ok() || signed_price()
}

fn cut(text: String) -> String {
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
