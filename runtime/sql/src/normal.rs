//! The normal form of a statement: its tokens without literals, comments and repetition.
//!
//! One set of rules writes both the hash and the text, through [`Output`], so that they agree:
//! - A literal, with its sign and however many strings it is made of, is `?`, as a placeholder is.
//! - In the list of `IN (…)`, literals that follow a literal are left out.
//! - In `VALUES (…), (…)`, and in `IN ((…), (…))`, a row that looks as the one before is left out.
//!   `NULL`, `TRUE` and `FALSE` are literals there, and words elsewhere.
//! - A semicolon counts only if something follows it.

use crate::chunk::pack;
use crate::lexer::{Lexeme, TokenKind};

const IN: u64 = pack(b"in");
const VALUE: u64 = pack(b"value");
const VALUES: u64 = pack(b"values");

/// Where the normal form is written to.
pub(crate) trait Output {
    /// `packed` as in [`Lexeme`]; where it is 0, `bytes` holds the word.
    fn word(&mut self, packed: u64, bytes: &[u8]);
    fn punctuation(&mut self, byte: u8);
    fn literal(&mut self);
    /// What is kept as it is: quoted names, variables, conditions on the server's version.
    fn verbatim(&mut self, bytes: &[u8]);
    /// A row begins. All but the `first` are separated by the output itself.
    fn row_starts(&mut self, first: bool);
    /// The row has ended; if it is not the `first` and as the one before, it is to be forgotten.
    fn row_ends(&mut self, first: bool);
}

/// What came before: decides what a sign, a parenthesis or a string means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Operator,
    Operand,
    String,
    Word(u64),
}

/// Rows of literals under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    None,
    /// Inside a row; `depth` is the one outside of it.
    Within {
        depth: u32,
        first: bool,
    },
    /// A row has ended. Only a comma and a parenthesis lead to another.
    Between {
        depth: u32,
    },
}

/// Turns tokens into their normal form.
pub(crate) struct Normal<O> {
    pub(crate) output: O,
    /// More than one statement was seen.
    pub(crate) multiple: bool,
    before: Before,
    depth: u32,
    /// `,` or `;` that may yet be dropped; else 0.
    separator: u8,
    /// `-` or `+` that may yet be part of a literal; else 0.
    sign: u8,
    rows: Rows,
    /// The depth inside the parentheses of `IN`; 0 outside of any.
    list: u32,
    /// The list's last token was a literal.
    list_literal: bool,
    /// The parenthesis that opened the list was the last token.
    list_opened: bool,
}

impl<O: Output> Normal<O> {
    pub(crate) fn new(output: O) -> Self {
        Self {
            output,
            multiple: false,
            before: Before::Operator,
            depth: 0,
            separator: 0,
            sign: 0,
            rows: Rows::None,
            list: 0,
            list_literal: false,
            list_opened: false,
        }
    }

    #[inline(always)]
    pub(crate) fn token(&mut self, lexeme: &Lexeme, bytes: &[u8]) {
        match lexeme.kind {
            TokenKind::Word => self.word(lexeme.packed, bytes),
            TokenKind::Punctuation => self.punctuation(bytes),
            TokenKind::Number | TokenKind::Placeholder => self.literal(Before::Operand),
            TokenKind::String => self.literal(Before::String),
            TokenKind::Comment => {}
            TokenKind::QuotedName
            | TokenKind::UserVariable
            | TokenKind::SystemVariable
            | TokenKind::ConditionalStart
            | TokenKind::ConditionalEnd => self.verbatim(bytes),
        }
    }

    /// To be called at the end of the text.
    pub(crate) fn finish(mut self) -> (O, bool) {
        if self.sign != 0 || self.separator == b',' {
            self.flush();
        }
        if let Rows::Within { first, .. } = self.rows {
            self.output.row_ends(first);
        }
        (self.output, self.multiple)
    }

    #[inline(always)]
    fn word(&mut self, packed: u64, bytes: &[u8]) {
        if self.is_within_list() && is_constant(packed) {
            return self.literal(Before::Operand);
        }
        self.settle();
        self.output.word(packed, bytes);
        self.before = Before::Word(packed);
    }

    fn verbatim(&mut self, bytes: &[u8]) {
        self.settle();
        self.output.verbatim(bytes);
        self.before = Before::Operand;
    }

    #[inline(always)]
    fn literal(&mut self, before: Before) {
        // Strings side by side are one.
        if before == Before::String && self.before == Before::String {
            return;
        }
        self.before = before;
        self.sign = 0;
        let listed = self.list != 0 && self.depth == self.list;
        if listed && self.list_literal && self.separator == b',' {
            self.separator = 0;
            return;
        }
        self.settle();
        self.output.literal();
        self.list_literal = listed;
    }

    #[inline(always)]
    fn punctuation(&mut self, bytes: &[u8]) {
        let byte = bytes.first().copied().unwrap_or_default();
        match byte {
            b'(' => self.open(),
            b')' => self.close(),
            b',' => self.comma(),
            b';' => self.end_statement(),
            b'-' | b'+' if self.expects_operand() => {
                if self.sign != 0 {
                    self.flush();
                }
                self.sign = byte;
            }
            _ => self.operator(byte),
        }
        self.before = if byte == b')' {
            Before::Operand
        } else {
            Before::Operator
        };
    }

    #[inline(always)]
    fn operator(&mut self, byte: u8) {
        self.settle();
        self.output.punctuation(byte);
    }

    fn open(&mut self) {
        let opened = self.list_opened;
        match (self.before, self.rows) {
            (_, Rows::Between { depth }) if self.separator == b',' && self.sign == 0 => {
                self.separator = 0;
                self.rows = Rows::Within {
                    depth,
                    first: false,
                };
                self.output.row_starts(false);
                self.output.punctuation(b'(');
            }
            (Before::Word(VALUES | VALUE), Rows::None) => self.open_rows(),
            (_, Rows::None) if opened => self.open_rows(),
            _ => self.operator(b'('),
        }
        self.depth += 1;
        if self.before == Before::Word(IN) {
            self.list = self.depth;
            self.list_literal = false;
            self.list_opened = true;
        }
    }

    fn open_rows(&mut self) {
        self.settle();
        self.rows = Rows::Within {
            depth: self.depth,
            first: true,
        };
        self.output.row_starts(true);
        self.output.punctuation(b'(');
    }

    fn close(&mut self) {
        self.operator(b')');
        if self.list == self.depth {
            self.list = 0;
        }
        self.depth = self.depth.saturating_sub(1);
        if let Rows::Within { depth, first } = self.rows
            && depth == self.depth
        {
            self.output.row_ends(first);
            self.rows = Rows::Between { depth };
        }
    }

    fn comma(&mut self) {
        let listed = self.list_literal && self.depth == self.list;
        if self.separator == 0 && self.sign == 0 && (listed || self.is_between_rows()) {
            self.separator = b',';
        } else {
            self.operator(b',');
        }
    }

    fn end_statement(&mut self) {
        self.settle();
        if let Rows::Within { first, .. } = self.rows {
            self.output.row_ends(first);
        }
        self.rows = Rows::None;
        self.depth = 0;
        self.list = 0;
        self.separator = b';';
    }

    /// Writes what was held back: something follows that it is not dropped for.
    #[inline(always)]
    fn settle(&mut self) {
        self.list_opened = false;
        self.list_literal = false;
        if (self.separator | self.sign) != 0 || self.is_between_rows() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.is_between_rows() {
            self.rows = Rows::None;
        }
        if self.separator != 0 {
            self.multiple |= self.separator == b';';
            self.output.punctuation(self.separator);
        }
        if self.sign != 0 {
            self.output.punctuation(self.sign);
        }
        (self.separator, self.sign) = (0, 0);
    }

    fn is_between_rows(&self) -> bool {
        matches!(self.rows, Rows::Between { .. })
    }

    fn is_within_list(&self) -> bool {
        self.list != 0 || matches!(self.rows, Rows::Within { .. })
    }

    /// Would a sign here belong to the number that follows?
    fn expects_operand(&self) -> bool {
        match self.before {
            Before::Operator => true,
            Before::Operand | Before::String => false,
            Before::Word(word) => expects_operand(word),
        }
    }
}

/// Words that may be literals.
fn is_constant(packed: u64) -> bool {
    const NULL: u64 = pack(b"null");
    const TRUE: u64 = pack(b"true");
    const FALSE: u64 = pack(b"false");
    matches!(packed, NULL | TRUE | FALSE)
}

/// Reserved words that an expression follows.
fn expects_operand(word: u64) -> bool {
    const WORDS: [u64; 24] = [
        pack(b"select"),
        pack(b"and"),
        pack(b"or"),
        pack(b"xor"),
        pack(b"not"),
        pack(b"between"),
        pack(b"then"),
        pack(b"else"),
        pack(b"when"),
        pack(b"case"),
        pack(b"by"),
        pack(b"limit"),
        pack(b"offset"),
        pack(b"return"),
        pack(b"where"),
        pack(b"on"),
        pack(b"having"),
        pack(b"like"),
        pack(b"regexp"),
        pack(b"default"),
        pack(b"div"),
        pack(b"mod"),
        pack(b"all"),
        pack(b"in"),
    ];
    WORDS.contains(&word)
}
