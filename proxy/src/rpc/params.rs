//! Parameters in the plain valid forms that everybody reads alike. Whatever else came is left to the node; the
//! [`Fault`](RpcError) that Geth would answer stands by for when there is no node.

mod filter;

use alloy_primitives::B256;

use super::framing::text::unquote;
use super::framing::{RpcError, Scanner};

pub(crate) use filter::{Filter, Span};

/// Most positional parameters that a known method takes.
const ARGUMENTS_MAX: usize = 8;

/// The texts of the positional parameters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arguments<'a> {
    texts: [Option<&'a [u8]>; ARGUMENTS_MAX],
}

/// A block as a parameter names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockArgument {
    /// A height.
    Number(u64),
    /// A hash; whether it must be canonical (EIP-1898).
    Hash(B256, bool),
    /// A moving name.
    Tag(Tag),
}

/// Moving names of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of the protocol")]
pub(crate) enum Tag {
    Earliest,
    Latest,
    Safe,
    Finalized,
    Pending,
}

// === impl Arguments ===

impl<'a> Arguments<'a> {
    /// Splits `params` (valid JSON). Absent and `null` parameters are an empty list; an error is Geth's.
    pub(crate) fn split(params: &'a [u8], at_most: usize) -> Result<Self, RpcError> {
        let mut arguments = Self::default();
        let mut scanner = Scanner::new(params);
        if scanner.peek() == Some(b'n') {
            return Ok(arguments);
        }
        if !scanner.take(b'[') {
            return Err(RpcError::params("non-array args"));
        }
        let mut count = 0_usize;
        while !matches!(scanner.peek(), None | Some(b']')) {
            let text = scanner.value().map_err(|_| RpcError::params("non-array args"))?;
            if count >= at_most {
                return Err(RpcError::params(format!("too many arguments, want at most {at_most}")));
            }
            if let Some(slot) = arguments.texts.get_mut(count) {
                *slot = Some(text);
            }
            count += 1;
            scanner.take(b',');
        }
        Ok(arguments)
    }

    /// The text of a parameter; `null` counts as absent.
    pub(crate) fn text(&self, position: usize) -> Option<&'a [u8]> {
        self.texts.get(position).copied().flatten().filter(|text| *text != b"null")
    }

    /// A required parameter's text.
    pub(crate) fn required(&self, position: usize) -> Result<&'a [u8], RpcError> {
        self.text(position)
            .ok_or_else(|| RpcError::params(format!("missing value for required argument {position}")))
    }

    /// A required hash.
    pub(crate) fn hash(&self, position: usize) -> Result<B256, RpcError> {
        hash(self.required(position)?).map_err(|what| match what {
            Hex::NoPrefix | Hex::Malformed(_) => {
                let what = what.words();
                invalid(position, &format!("json: cannot unmarshal {what} into Go value of type common.Hash"))
            }
            Hex::Length(length) => {
                invalid(position, &format!("hex string has length {length}, want 64 for common.Hash"))
            }
        })
    }

    /// A required height or tag.
    pub(crate) fn number_or_tag(&self, position: usize) -> Result<BlockArgument, RpcError> {
        let text = self.required(position)?;
        number_or_tag(text).map_err(|what| invalid(position, what))
    }

    /// A required height, tag, hash, or EIP-1898 object.
    pub(crate) fn block(&self, position: usize) -> Result<BlockArgument, RpcError> {
        block(self.required(position)?).map_err(|what| invalid(position, what))
    }

    /// A required flag.
    pub(crate) fn flag(&self, position: usize) -> Result<bool, RpcError> {
        match self.required(position)? {
            b"true" => Ok(true),
            b"false" => Ok(false),
            _ => Err(invalid(position, "json: cannot unmarshal non-bool into Go value of type bool")),
        }
    }

    /// A required index.
    pub(crate) fn index(&self, position: usize) -> Result<u64, RpcError> {
        quantity(self.required(position)?).map_err(|what| {
            invalid(position, &format!("json: cannot unmarshal {what} into Go value of type hexutil.Uint"))
        })
    }
}

/// A height, tag, hash, or EIP-1898 object.
pub(crate) fn block(text: &[u8]) -> Result<BlockArgument, &'static str> {
    if text.first() == Some(&b'{') {
        return pinned(text).ok_or("invalid block number or hash");
    }
    match hash(text) {
        Ok(hash) => Ok(BlockArgument::Hash(hash, false)),
        Err(_) => number_or_tag(text),
    }
}

fn number_or_tag(text: &[u8]) -> Result<BlockArgument, &'static str> {
    let tag = match text {
        b"\"latest\"" => Tag::Latest,
        b"\"finalized\"" => Tag::Finalized,
        b"\"safe\"" => Tag::Safe,
        b"\"pending\"" => Tag::Pending,
        b"\"earliest\"" => Tag::Earliest,
        _ => {
            // Geth strips quotes before it looks, so that a bare number only lacks its prefix.
            let bare = text.first() != Some(&b'"');
            let number = quantity(text).map_err(|what| if bare { Hex::NoPrefix.words() } else { what })?;
            let largest = i64::MAX.unsigned_abs();
            return (number <= largest)
                .then_some(BlockArgument::Number(number))
                .ok_or("block number larger than int64");
        }
    };
    Ok(BlockArgument::Tag(tag))
}

/// EIP-1898: exactly one of `blockHash` and `blockNumber`, and perhaps `requireCanonical`.
fn pinned(text: &[u8]) -> Option<BlockArgument> {
    let (mut named, mut canonical) = (None, false);
    for_members(text, |key, value| {
        match key {
            b"\"blockHash\"" if named.is_none() => {
                named = Some(BlockArgument::Hash(hash(value).ok()?, false))
            }
            b"\"blockNumber\"" if named.is_none() => named = Some(number_or_tag(value).ok()?),
            b"\"requireCanonical\"" => {
                canonical = (value == b"true" || value == b"false").then_some(value == b"true")?
            }
            _ => return None,
        }
        Some(())
    })?;
    match named? {
        BlockArgument::Hash(hash, _) => Some(BlockArgument::Hash(hash, canonical)),
        other => Some(other),
    }
}

/// Walks over an object; `None` as soon as `member` says so, or if it is no object.
fn for_members<'a>(text: &'a [u8], mut member: impl FnMut(&'a [u8], &'a [u8]) -> Option<()>) -> Option<()> {
    let mut scanner = Scanner::new(text);
    if !scanner.take(b'{') {
        return None;
    }
    while !scanner.take(b'}') {
        let key = scanner.key().ok()?;
        member(key, scanner.value().ok()?)?;
        scanner.take(b',');
    }
    Some(())
}

/// What is wrong with hex digits.
enum Hex {
    NoPrefix,
    Malformed(&'static str),
    Length(usize),
}

// === impl Hex ===

impl Hex {
    fn words(&self) -> &'static str {
        match self {
            Self::NoPrefix => "hex string without 0x prefix",
            Self::Malformed(what) => what,
            Self::Length(_) => "hex string of wrong length",
        }
    }
}

fn hash(text: &[u8]) -> Result<B256, Hex> {
    fixed::<32>(text).map(B256::from)
}

/// Exactly `N` bytes as `"0x…"`.
fn fixed<const N: usize>(text: &[u8]) -> Result<[u8; N], Hex> {
    let digits = digits(text)?;
    if digits.len() != 2 * N {
        return Err(Hex::Length(digits.len()));
    }
    let mut bytes = [0; N];
    const_hex::decode_to_slice(digits, &mut bytes).map_err(|_| Hex::Malformed("invalid hex string"))?;
    Ok(bytes)
}

/// The digits of a plain `"0x…"`.
fn digits(text: &[u8]) -> Result<&[u8], Hex> {
    let Some(inner) = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) else {
        return Err(Hex::Malformed("non-string"));
    };
    match inner {
        [] => Err(Hex::Malformed("empty hex string")),
        [b'0', b'x' | b'X', digits @ ..] => Ok(digits),
        _ => Err(Hex::NoPrefix),
    }
}

/// A number in Geth's canonical form: `0x` and no leading zeros.
fn quantity(text: &[u8]) -> Result<u64, &'static str> {
    let digits = digits(text).map_err(|what| what.words())?;
    match digits {
        [] => return Err("hex string \"0x\""),
        [b'0', _, ..] => return Err("hex number with leading zero digits"),
        _ if !digits.iter().all(u8::is_ascii_hexdigit) => return Err("invalid hex string"),
        _ if digits.len() > 16 => return Err("hex number > 64 bits"),
        _ => {}
    }
    u64::from_str_radix(&unquote(text).get(2..).unwrap_or_default().to_ascii_lowercase(), 16)
        .map_err(|_| "invalid hex string")
}

fn invalid(position: usize, what: &str) -> RpcError {
    RpcError::params(format!("invalid argument {position}: {what}"))
}
