//! The normal form of a statement: its tokens without literals, comments and repetition.
//!
//! - A literal, with its sign and however many strings it is made of, is `?`, as a placeholder is.
//! - In the list of `IN (…)`, literals that follow a literal are left out.
//! - In `VALUES (…), (…)`, and in `IN ((…), (…))`, a row that looks as the one before is left out.
//!   `NULL`, `TRUE` and `FALSE` are literals there, and words elsewhere.
//! - A semicolon counts only if something follows it.
//!
//! The rules look at one token after the other and answer what is to be written: as a hash and as a
//! text alike, so that these agree. They do not write themselves, so that a hash stays in a register.

use crate::chunk::key;
use crate::lexer::{Frequent, TokenKind};

const IN: u64 = key("in");
const VALUE: u64 = key("value");
const VALUES: u64 = key("values");

/// What is to be written for a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    Nothing,
    /// `?` in place of the token.
    Literal,
    /// The token as it is; a word in lower case.
    Token,
}

/// Where a token stands in rows that may repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    None,
    /// A row begins with this token. All rows but the `first` are separated by who writes.
    Starts {
        first: bool,
    },
    /// A row ends with this token. Unless it is the `first`, it is to be forgotten if it is as the
    /// one before.
    Ends {
        first: bool,
    },
}

/// What is to be written when a token was seen: the bytes held back (0 is none), then the token.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) separator: u8,
    pub(crate) sign: u8,
    pub(crate) write: Write,
    pub(crate) edge: Edge,
}

impl Step {
    fn just(write: Write) -> Self {
        Self { separator: 0, sign: 0, write, edge: Edge::None }
    }
}

/// What came before: decides what a sign, a parenthesis or a string means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Operator,
    Operand,
    String,
    Word(u64),
}

/// Rows under way.
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

/// The state of the rules between two tokens.
pub(crate) struct Normal {
    /// More than one statement was seen.
    multiple: bool,
    /// Nothing is held back and no list or row is under way: most tokens are written as they are.
    plain: bool,
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
    /// The list's parenthesis was the last token.
    list_opened: bool,
}

impl Normal {
    pub(crate) fn new() -> Self {
        Self {
            multiple: false,
            plain: true,
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

    /// Are tokens written as they are, until one comes that holds something back?
    #[inline(always)]
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Takes a frequent token while it is plain. False if it is a parenthesis to which a rule applies,
    /// so that [`Self::step`] must take it.
    #[inline(always)]
    pub(crate) fn plain_step(&mut self, token: &Frequent) -> bool {
        self.before = match token {
            Frequent::Word(word) => Before::Word(word.packed),
            Frequent::Literal => Before::Operand,
            Frequent::Operator(_) => Before::Operator,
            Frequent::Open if matches!(self.before, Before::Word(IN | VALUES | VALUE)) => {
                return false;
            }
            Frequent::Open => {
                self.depth += 1;
                Before::Operator
            }
            Frequent::Close => {
                self.depth = self.depth.saturating_sub(1);
                Before::Operand
            }
        };
        true
    }

    /// Would commas and numbers that follow be left out, without any change of state?
    #[inline(always)]
    pub(crate) fn drops_numbers(&self) -> bool {
        self.list_literal && self.separator == 0 && self.before == Before::Operand
    }

    /// Takes the end of the text, and tells whether there were several statements.
    pub(crate) fn finish(mut self) -> (Step, bool) {
        let edge = match self.rows {
            Rows::Within { first, .. } => Edge::Ends { first },
            Rows::None | Rows::Between { .. } => Edge::None,
        };
        let step = if self.sign == 0 && self.separator != b',' {
            Step::just(Write::Nothing)
        } else {
            self.settled(Write::Nothing)
        };
        (Step { edge, ..step }, self.multiple)
    }

    /// Takes any token; `packed` as in [`Lexeme`](crate::lexer::Lexeme).
    #[inline(never)]
    pub(crate) fn step(&mut self, kind: TokenKind, packed: u64) -> Step {
        let step = match kind {
            TokenKind::Comment => return Step::just(Write::Nothing),
            TokenKind::Word if self.is_within_list() && is_constant(packed) => {
                self.literal(Before::Operand)
            }
            TokenKind::Word => {
                self.before = Before::Word(packed);
                self.settled(Write::Token)
            }
            TokenKind::Punctuation => self.punctuation(packed.to_le_bytes()[0]),
            TokenKind::Number | TokenKind::Placeholder => self.literal(Before::Operand),
            TokenKind::String => self.literal(Before::String),
            _ => {
                self.before = Before::Operand;
                self.settled(Write::Token)
            }
        };
        let held = self.separator != 0 || self.sign != 0;
        self.plain = !held && self.list == 0 && self.rows == Rows::None;
        step
    }

    fn literal(&mut self, before: Before) -> Step {
        // Strings side by side are one.
        if before == Before::String && self.before == Before::String {
            return Step::just(Write::Nothing);
        }
        self.before = before;
        self.sign = 0;
        let listed = self.list != 0 && self.depth == self.list;
        if listed && self.list_literal && self.separator == b',' {
            self.separator = 0;
            return Step::just(Write::Nothing);
        }
        let step = self.settled(Write::Literal);
        self.list_literal = listed;
        step
    }

    fn punctuation(&mut self, byte: u8) -> Step {
        let step = match byte {
            b'(' => self.open(),
            b')' => self.close(),
            b',' => self.comma(),
            b';' => self.end_statement(),
            b'-' | b'+' if self.expects_operand() => self.hold_sign(byte),
            _ => self.settled(Write::Token),
        };
        self.before = after_punctuation(byte);
        step
    }

    fn open(&mut self) -> Step {
        let step = match (self.before, self.rows) {
            (_, Rows::Between { depth }) if self.separator == b',' && self.sign == 0 => {
                self.separator = 0;
                self.rows = Rows::Within { depth, first: false };
                Step { edge: Edge::Starts { first: false }, ..Step::just(Write::Token) }
            }
            (Before::Word(VALUES | VALUE), Rows::None) => self.open_rows(),
            (_, Rows::None) if self.list_opened => self.open_rows(),
            _ => self.settled(Write::Token),
        };
        self.depth += 1;
        if self.before == Before::Word(IN) {
            self.list = self.depth;
            self.list_opened = true;
        }
        step
    }

    fn open_rows(&mut self) -> Step {
        let step = self.settled(Write::Token);
        self.rows = Rows::Within { depth: self.depth, first: true };
        Step { edge: Edge::Starts { first: true }, ..step }
    }

    fn close(&mut self) -> Step {
        let step = self.settled(Write::Token);
        if self.list == self.depth {
            self.list = 0;
        }
        self.depth = self.depth.saturating_sub(1);
        match self.rows {
            Rows::Within { depth, first } if depth == self.depth => {
                self.rows = Rows::Between { depth };
                Step { edge: Edge::Ends { first }, ..step }
            }
            _ => step,
        }
    }

    fn comma(&mut self) -> Step {
        let listed = self.list_literal && self.depth == self.list;
        let between = matches!(self.rows, Rows::Between { .. });
        if self.separator != 0 || self.sign != 0 || !(listed || between) {
            return self.settled(Write::Token);
        }
        self.separator = b',';
        Step::just(Write::Nothing)
    }

    fn end_statement(&mut self) -> Step {
        let edge = match self.rows {
            Rows::Within { first, .. } => Edge::Ends { first },
            Rows::None | Rows::Between { .. } => Edge::None,
        };
        let step = self.settled(Write::Nothing);
        self.rows = Rows::None;
        self.depth = 0;
        self.list = 0;
        self.separator = b';';
        Step { edge, ..step }
    }

    fn hold_sign(&mut self, sign: u8) -> Step {
        let step = match self.sign {
            0 => Step::just(Write::Nothing),
            _ => self.settled(Write::Nothing),
        };
        self.sign = sign;
        step
    }

    /// Lets go of what was held back: something follows that it is not dropped for.
    fn settled(&mut self, write: Write) -> Step {
        let step = Step { separator: self.separator, sign: self.sign, write, edge: Edge::None };
        self.multiple |= self.separator == b';';
        (self.separator, self.sign) = (0, 0);
        self.list_opened = false;
        self.list_literal = false;
        if matches!(self.rows, Rows::Between { .. }) {
            self.rows = Rows::None;
        }
        step
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

fn after_punctuation(byte: u8) -> Before {
    if byte == b')' { Before::Operand } else { Before::Operator }
}

/// Words that may be literals.
fn is_constant(packed: u64) -> bool {
    const NULL: u64 = key("null");
    const TRUE: u64 = key("true");
    const FALSE: u64 = key("false");
    matches!(packed, NULL | TRUE | FALSE)
}

/// Reserved words that an expression follows.
fn expects_operand(word: u64) -> bool {
    const WORDS: [u64; 24] = [
        key("select"),
        key("and"),
        key("or"),
        key("xor"),
        key("not"),
        key("between"),
        key("then"),
        key("else"),
        key("when"),
        key("case"),
        key("by"),
        key("limit"),
        key("offset"),
        key("return"),
        key("where"),
        key("on"),
        key("having"),
        key("like"),
        key("regexp"),
        key("default"),
        key("div"),
        key("mod"),
        key("all"),
        key("in"),
    ];
    WORDS.contains(&word)
}
