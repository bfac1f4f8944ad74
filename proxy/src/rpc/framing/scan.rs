//! Finds where JSON values begin and end, without building any.
//!
//! The grammar is exactly that of Go's `encoding/json`, which decides what a Geth accepts: strict RFC 8259, except
//! that bytes inside strings need not be UTF-8 (such strings pass through as they came and match nothing here).

/// Deepest nesting of arrays and objects, as in Go's `encoding/json`.
pub(crate) const DEPTH_MAX: usize = 10_000;

/// The text is not JSON; the sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// Walks over JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth_max: usize,
}

// === impl Scanner ===

impl<'a> Scanner<'a> {
    /// Starts at the beginning of `text`.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, depth_max: DEPTH_MAX }
    }

    /// Starts at the beginning of an object, whose values are one level deeper.
    pub(crate) fn members(text: &'a [u8]) -> Self {
        Self { text, at: 0, depth_max: DEPTH_MAX - 1 }
    }

    /// The next byte that is not white space, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Takes `byte` if it comes next behind white space.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// What was taken so far, without white space around it.
    pub(crate) fn taken(&self) -> &'a [u8] {
        self.text.get(..self.at).unwrap_or_default().trim_ascii()
    }

    /// Takes the next value, whatever it is, and returns its text.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], Invalid> {
        self.peek();
        let start = self.at;
        let mut nest = Nest::default();
        loop {
            match self.peek().ok_or(Invalid)? {
                b'{' => {
                    self.at += 1;
                    nest.push(true, self.depth_max)?;
                    if !self.take(b'}') {
                        self.key()?;
                        continue;
                    }
                    nest.pop();
                }
                b'[' => {
                    self.at += 1;
                    nest.push(false, self.depth_max)?;
                    if !self.take(b']') {
                        continue;
                    }
                    nest.pop();
                }
                _ => self.scalar()?,
            }
            while let Some(object) = nest.innermost() {
                match (self.peek().ok_or(Invalid)?, object) {
                    (b',', true) => {
                        self.at += 1;
                        self.key()?;
                        break;
                    }
                    (b',', false) => {
                        self.at += 1;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.at += 1;
                        nest.pop();
                    }
                    _ => return Err(Invalid),
                }
            }
            if nest.innermost().is_none() {
                return self.text.get(start..self.at).ok_or(Invalid);
            }
        }
    }

    /// Takes a key and its colon; returns the key with its quotes.
    pub(crate) fn key(&mut self) -> Result<&'a [u8], Invalid> {
        if self.peek() != Some(b'"') {
            return Err(Invalid);
        }
        let start = self.at;
        self.string()?;
        let key = self.text.get(start..self.at).ok_or(Invalid)?;
        if self.take(b':') { Ok(key) } else { Err(Invalid) }
    }

    fn scalar(&mut self) -> Result<(), Invalid> {
        match self.text.get(self.at) {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(Invalid),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Invalid> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(Invalid);
        }
        self.at += word.len();
        Ok(())
    }

    fn string(&mut self) -> Result<(), Invalid> {
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = plain(rest).ok_or(Invalid)?;
            self.at += plain + 1;
            match rest.get(plain) {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.escape()?,
                _ => return Err(Invalid),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Invalid> {
        match self.text.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.text.get(self.at + 1..self.at + 5).ok_or(Invalid)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Invalid);
                }
                self.at += 5;
            }
            _ => return Err(Invalid),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Invalid> {
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        match self.text.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Invalid> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(Invalid) } else { Ok(()) }
    }
}

/// How many bytes of a string come before the first that ends it, begins an escape or has no place in it.
fn plain(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            return Some(index * 8 + special.trailing_zeros() as usize / 8);
        }
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    Some(words.len() * 8 + rest.iter().position(special)?)
}

/// Eight bytes at once: the lowest bit that is set lies in the first special one of them.
fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quotes = zeros(word ^ (ONES * b'"' as u64));
    let escapes = zeros(word ^ (ONES * b'\\' as u64));
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | escapes | controls) & TOPS
}

/// Which of the open brackets are objects: a bit each, 64 of them without allocation.
#[derive(Debug, Default)]
struct Nest {
    depth: usize,
    word: u64,
    deep: Vec<u64>,
}

// === impl Nest ===

impl Nest {
    fn push(&mut self, object: bool, depth_max: usize) -> Result<(), Invalid> {
        if self.depth >= depth_max {
            return Err(Invalid);
        }
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.deep.push(self.word);
            self.word = 0;
        }
        self.word = self.word << 1 | u64::from(object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.word >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.word = self.deep.pop().unwrap_or_default();
        }
    }

    fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.word & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_string_is_plain_up_to_where_a_reader_of_single_bytes_stops(
            text in vec(prop_oneof![8 => b'#'..=b'[', 1 => any::<u8>(), 1 => Just(0x1f), 1 => Just(b'\\')], 0..80),
        ) {
            let stop = text.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
            prop_assert_eq!(plain(&text), stop);
        }
    }
}
