//! The digest of a statement, as a number and as a text.

use crate::Dialect;
use crate::chunk;
use crate::kind::{Kind, classify};
use crate::lexer::Lexer;
use crate::normal::{Normal, Output};

/// What one pass over a statement tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// Of the first statement, where there are several.
    pub kind: Kind,
    /// Equal for texts that differ only in literals, in how many of them a list of `IN` or rows of
    /// `VALUES` hold, in white space, comments and the case of words without quotes, names among
    /// them. The same in every process of one version of this crate.
    ///
    /// It tells statements apart; it does not resist someone who looks for two with one digest.
    pub digest: u64,
    /// The text holds more than one statement, or code with semicolons in it.
    pub multiple: bool,
}

/// Classifies and digests a text. Nothing in it is an error.
#[must_use]
pub fn analyze(text: &[u8], _dialect: Dialect) -> Analysis {
    let (hash, multiple) = normalise(text, Hash::new());
    Analysis {
        kind: classify(text),
        digest: hash.finish(),
        multiple,
    }
}

/// The normal form that the digest stands for, made to be read: words in lower case, one space
/// between tokens where one belongs. Never longer than twice the text, give or take a word.
#[must_use]
pub fn digest_text(text: &[u8], _dialect: Dialect) -> String {
    normalise(text, Text::default()).0.finish()
}

#[inline(always)]
fn normalise<O: Output>(text: &[u8], output: O) -> (O, bool) {
    let mut lexer = Lexer::new(text);
    let mut normal = Normal::new(output);
    while let Some(lexeme) = lexer.next() {
        normal.token(&lexeme, lexer.bytes(&lexeme));
    }
    normal.finish()
}

/// Folds tokens into 64 bits. Of the chunks of a token the last one, and only that, is less than
/// full, or the first one tells how many there are: no two sequences of tokens feed the same chunks.
struct Hash {
    state: u64,
    /// Before the first row: where each row starts from.
    rows: u64,
    /// The row before, hashed from `rows`.
    row: u64,
    /// Everything up to the end of the last row that was kept.
    kept: u64,
}

impl Hash {
    const START: u64 = 0x6a09_e667_f3bc_c908;
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    /// No token starts with this byte and has others behind it.
    const VERBATIM: u64 = 0x01;

    fn new() -> Self {
        Self {
            state: Self::START,
            rows: 0,
            row: 0,
            kept: 0,
        }
    }

    #[inline(always)]
    fn mix(&mut self, chunk: u64) {
        let (low, high) = (self.state ^ chunk).carrying_mul(Self::FACTOR, 0);
        self.state = low ^ high;
    }

    fn finish(mut self) -> u64 {
        self.mix(Self::START);
        self.mix(Self::FACTOR);
        self.state
    }

    #[inline(never)]
    fn long_word(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at <= bytes.len() {
            self.mix(chunk::fold(chunk::load(bytes, at)));
            at += chunk::SIZE;
        }
    }
}

impl Output for Hash {
    #[inline(always)]
    fn word(&mut self, packed: u64, bytes: &[u8]) {
        match packed {
            0 => self.long_word(bytes),
            _ => self.mix(packed),
        }
    }

    #[inline(always)]
    fn punctuation(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }

    #[inline(always)]
    fn literal(&mut self) {
        self.mix(u64::from(b'?'));
    }

    fn verbatim(&mut self, bytes: &[u8]) {
        self.mix(Self::VERBATIM | ((bytes.len() as u64) << 8));
        for at in (0..bytes.len()).step_by(chunk::SIZE) {
            self.mix(chunk::load(bytes, at));
        }
    }

    fn row_starts(&mut self, first: bool) {
        if first {
            self.rows = self.state;
        } else {
            self.kept = self.state;
            self.state = self.rows;
        }
    }

    fn row_ends(&mut self, first: bool) {
        let row = self.state;
        if !first {
            self.state = self.kept;
            if row != self.row {
                self.mix(u64::from(b','));
                self.mix(row);
            }
        }
        self.row = row;
    }
}

/// Writes tokens down.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    /// Where the row before begins, and where this one does.
    rows: (usize, usize),
}

impl Text {
    fn finish(self) -> String {
        String::from_utf8(self.bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Makes room before a token that starts with `next`.
    fn space(&mut self, next: u8) {
        let Some(&last) = self.bytes.last() else {
            return;
        };
        let tight = matches!(last, b' ' | b'(' | b'.') || matches!(next, b')' | b',' | b';' | b'.');
        let operator = matches!(
            (last, next),
            (b'<' | b'>' | b'!' | b':', b'=')
                | (b'<' | b'=' | b'-' | b'>', b'>')
                | (b'<', b'<')
                | (b'|', b'|')
                | (b'&', b'&')
        );
        if !tight && !operator {
            self.bytes.push(b' ');
        }
    }
}

impl Output for Text {
    fn word(&mut self, _packed: u64, bytes: &[u8]) {
        self.space(b'a');
        self.bytes.extend(bytes.iter().map(u8::to_ascii_lowercase));
    }

    fn punctuation(&mut self, byte: u8) {
        self.space(byte);
        self.bytes.push(byte);
    }

    fn literal(&mut self) {
        self.punctuation(b'?');
    }

    fn verbatim(&mut self, bytes: &[u8]) {
        self.space(b'a');
        self.bytes.extend_from_slice(bytes);
    }

    fn row_starts(&mut self, first: bool) {
        if first {
            self.space(b'(');
        } else {
            self.bytes.extend_from_slice(b", ");
        }
        self.rows.1 = self.bytes.len();
    }

    fn row_ends(&mut self, first: bool) {
        let (before, this) = self.rows;
        let repeated =
            !first && self.bytes.get(this..) == self.bytes.get(before..this.saturating_sub(2));
        if repeated {
            self.bytes.truncate(this - 2);
        } else {
            self.rows.0 = this;
        }
    }
}

#[cfg(test)]
mod tests;
