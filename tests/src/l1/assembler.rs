//! A small assembler of EVM code: pushes, operations by number, and jumps to labels.

use std::collections::HashMap;

/// JUMPDEST, JUMPI and the first of the pushes (Yellow Paper, appendix H.2).
const JUMPDEST: u8 = 0x5b;
const JUMPI: u8 = 0x57;
const PUSH0: u8 = 0x5f;

/// Code in the making.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    code: Vec<u8>,
    labels: HashMap<&'static str, usize>,
    jumps: Vec<(usize, &'static str)>,
}

// === impl Assembler ===

impl Assembler {
    /// Pushes up to 32 bytes, big-endian.
    pub(super) fn push(&mut self, bytes: &[u8]) -> &mut Self {
        self.code.push(PUSH0 + u8::try_from(bytes.len()).expect("at most 32 bytes are pushed"));
        self.code.extend_from_slice(bytes);
        self
    }

    /// Pushes a small number.
    pub(super) fn number(&mut self, number: u8) -> &mut Self {
        self.push(&[number])
    }

    /// Operations without an argument.
    pub(super) fn ops(&mut self, ops: &[u8]) -> &mut Self {
        self.code.extend_from_slice(ops);
        self
    }

    /// A place that can be jumped to.
    pub(super) fn label(&mut self, name: &'static str) -> &mut Self {
        self.labels.insert(name, self.code.len());
        self.ops(&[JUMPDEST])
    }

    /// Jumps to `name` if the top of the stack is not zero.
    pub(super) fn jump_if(&mut self, name: &'static str) -> &mut Self {
        self.push(&[0, 0]);
        self.jumps.push((self.code.len() - 2, name));
        self.ops(&[JUMPI])
    }

    /// The code, every jump with its place.
    pub(super) fn code(&self) -> Vec<u8> {
        let mut code = self.code.clone();
        for (place, name) in &self.jumps {
            let target = u16::try_from(self.labels[name]).expect("the code is short");
            code[*place..place + 2].copy_from_slice(&target.to_be_bytes());
        }
        code
    }
}
