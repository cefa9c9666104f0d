//! The digest of a statement, as a number and as a text.

use crate::Dialect;
use crate::chunk;
use crate::kind::{self, Kind};
use crate::lexer::{Frequent, Lexer, Mysql, Postgres, Syntax, TokenKind};
use crate::normal::{Edge, Normal, Step, Write};

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
#[inline]
pub fn analyze(text: &[u8], dialect: Dialect) -> Analysis {
    match dialect {
        Dialect::Mysql => analyze_mysql(text),
        Dialect::Postgres => analyze_postgres(text),
    }
}

// Each has the registers to itself.

#[inline(never)]
fn analyze_mysql(text: &[u8]) -> Analysis {
    let (hash, seen) = normalise::<Mysql, _>(text, Hash::new());
    Analysis { kind: kind::classify(text), digest: hash.finish(), multiple: seen.multiple }
}

#[inline(never)]
fn analyze_postgres(text: &[u8]) -> Analysis {
    let (hash, seen) = normalise::<Postgres, _>(text, Hash::new());
    let kind = kind::postgres::classify(text, seen.into);
    Analysis { kind, digest: hash.finish(), multiple: seen.multiple }
}

/// The normal form that the digest stands for, made to be read: words in lower case, one space
/// between tokens where one belongs. Never longer than twice the text, give or take a word.
#[must_use]
pub fn digest_text(text: &[u8], dialect: Dialect) -> String {
    let (text, _) = match dialect {
        Dialect::Mysql => normalise::<Mysql, _>(text, Text::default()),
        Dialect::Postgres => normalise::<Postgres, _>(text, Text::default()),
    };
    text.finish()
}

/// What was seen on the way through a text.
struct Seen {
    multiple: bool,
    /// The word `INTO`, where the dialect makes it matter.
    into: bool,
}

const INTO: u64 = chunk::key("into");

/// Where the normal form is written to.
trait Output {
    /// `packed` as in [`Lexeme`]; where it is 0, `bytes` holds the word.
    fn word(&mut self, packed: u64, bytes: &[u8]);
    fn punctuation(&mut self, byte: u8);
    /// What is kept as it is: quoted names, variables, conditions on the server's version.
    fn verbatim(&mut self, bytes: &[u8]);
    fn row_starts(&mut self, first: bool);
    fn row_ends(&mut self, first: bool);
}

#[inline(always)]
fn normalise<S: Syntax, O: Output>(text: &[u8], mut output: O) -> (O, Seen) {
    let mut lexer = Lexer::<S>::new(text);
    let mut normal = Normal::new();
    let mut into = false;
    loop {
        if normal.is_plain() {
            into |= write_plain(&mut lexer, &mut normal, &mut output);
        }
        let Some(lexeme) = lexer.next() else { break };
        into |= S::SELECT_INTO_WRITES && lexeme.packed == INTO;
        write(&mut output, normal.step(lexeme.kind, lexeme.packed), |output| match lexeme.kind {
            TokenKind::Word => output.word(lexeme.packed, lexer.bytes(&lexeme)),
            TokenKind::Punctuation => output.punctuation(lexeme.byte()),
            _ => output.verbatim(lexer.bytes(&lexeme)),
        });
        if normal.drops_numbers() {
            lexer = lexer.behind_numbers();
        }
    }
    let (step, multiple) = normal.finish();
    write(&mut output, step, |_| {});
    (output, Seen { multiple, into })
}

/// Writes tokens as they are, until one comes that is not frequent or to which a rule may apply. Tells
/// of `INTO` as [`Seen`] does.
#[inline(always)]
fn write_plain<S: Syntax, O: Output>(
    lexer: &mut Lexer<'_, S>,
    normal: &mut Normal,
    output: &mut O,
) -> bool {
    let mut into = false;
    while let Some(token) = lexer.frequent() {
        if !normal.plain_step(&token) {
            lexer.unread_byte();
            break;
        }
        match token {
            Frequent::Word(word) => {
                into |= S::SELECT_INTO_WRITES && word.packed == INTO;
                output.word(word.packed, lexer.bytes(&word));
            }
            Frequent::Operator(byte) => output.punctuation(byte),
            Frequent::Literal => output.punctuation(b'?'),
            Frequent::Open => output.punctuation(b'('),
            Frequent::Close => output.punctuation(b')'),
        }
    }
    into
}

#[inline(always)]
fn write<O: Output>(output: &mut O, step: Step, token: impl FnOnce(&mut O)) {
    if step.separator != 0 {
        output.punctuation(step.separator);
    }
    if step.sign != 0 {
        output.punctuation(step.sign);
    }
    if let Edge::Starts { first } = step.edge {
        output.row_starts(first);
    }
    match step.write {
        Write::Nothing => {}
        Write::Literal => output.punctuation(b'?'),
        Write::Token => token(output),
    }
    if let Edge::Ends { first } = step.edge {
        output.row_ends(first);
    }
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

const START: u64 = 0x6a09_e667_f3bc_c908;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// No other token starts with this byte and has more behind it.
const VERBATIM: u64 = 0x01;

impl Hash {
    fn new() -> Self {
        Self { state: START, rows: 0, row: 0, kept: 0 }
    }

    fn finish(self) -> u64 {
        mix(mix(self.state, START), FACTOR)
    }
}

#[inline(always)]
fn mix(state: u64, chunk: u64) -> u64 {
    let (low, high) = (state ^ chunk).carrying_mul(FACTOR, 0);
    low ^ high
}

// The state goes in and out by value, so that it stays in a register around the calls.

#[inline(never)]
fn mix_word(mut state: u64, word: &[u8]) -> u64 {
    let mut at = 0;
    while at <= word.len() {
        state = mix(state, chunk::fold(chunk::load(word, at)));
        at += chunk::SIZE;
    }
    state
}

#[inline(never)]
fn mix_verbatim(state: u64, bytes: &[u8]) -> u64 {
    let state = mix(state, VERBATIM | ((bytes.len() as u64) << 8));
    let chunks = (0..bytes.len()).step_by(chunk::SIZE);
    chunks.fold(state, |state, at| mix(state, chunk::load(bytes, at)))
}

impl Output for Hash {
    #[inline(always)]
    fn word(&mut self, packed: u64, bytes: &[u8]) {
        self.state = match packed {
            0 => mix_word(self.state, bytes),
            _ => mix(self.state, packed),
        };
    }

    #[inline(always)]
    fn punctuation(&mut self, byte: u8) {
        self.state = mix(self.state, u64::from(byte));
    }

    #[inline(always)]
    fn verbatim(&mut self, bytes: &[u8]) {
        self.state = mix_verbatim(self.state, bytes);
    }

    #[inline(always)]
    fn row_starts(&mut self, first: bool) {
        if first {
            self.rows = self.state;
        } else {
            self.kept = self.state;
            self.state = self.rows;
        }
    }

    #[inline(always)]
    fn row_ends(&mut self, first: bool) {
        let row = self.state;
        if !first && row == self.row {
            self.state = self.kept;
        } else if !first {
            self.state = mix(mix(self.kept, u64::from(b',')), row);
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
        let tight = matches!(last, b' ' | b'(' | b'[' | b'.')
            || matches!(next, b')' | b'[' | b']' | b',' | b';' | b'.');
        let operator = matches!(
            (last, next),
            (b'<' | b'>' | b'!' | b':', b'=')
                | (b'<' | b'=' | b'-' | b'>', b'>')
                | (b'<', b'<')
                | (b'|', b'|')
                | (b'&', b'&')
                | (b':', b':')
                | (b'@' | b'#', b'>')
                | (b'<' | b'@', b'@')
                | (b'!' | b'~', b'~')
                | (b'~', b'*')
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
