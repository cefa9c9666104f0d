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

/// What came before: decides what a sign, a parenthesis or a string means. A short word is told by
/// itself, packed; a long one is an operand as good as any.
///
/// One number, so that it is written and read back as one: see the crate's notes on the hot path.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Before(u64);

impl Before {
    const OPERATOR: Self = Self(0);
    const OPERAND: Self = Self(1);
    const STRING: Self = Self(2);

    /// No word is packed into so small a number as the three above, but the long ones are 0.
    #[inline(always)]
    fn word(packed: u64) -> Self {
        Self(packed.max(Self::OPERAND.0))
    }

    fn punctuation(byte: u8) -> Self {
        if matches!(byte, b')' | b']') { Self::OPERAND } else { Self::OPERATOR }
    }
}

/// Where rows that may repeat are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    None,
    Within,
    /// A row has ended. Only a comma and a parenthesis lead to another.
    Between,
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
    /// The depth outside of the rows.
    rows_depth: u32,
    /// The row is the first of its rows.
    row_is_first: bool,
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
            before: Before::OPERATOR,
            depth: 0,
            separator: 0,
            sign: 0,
            rows: Rows::None,
            rows_depth: 0,
            row_is_first: false,
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
            Frequent::Word(word) => Before::word(word.packed),
            Frequent::Literal => Before::OPERAND,
            Frequent::Operator(_) => Before::OPERATOR,
            Frequent::Open if self.opens_list() => return false,
            Frequent::Open => {
                self.depth += 1;
                Before::OPERATOR
            }
            Frequent::Close => {
                self.depth = self.depth.saturating_sub(1);
                Before::OPERAND
            }
        };
        true
    }

    /// Would commas and numbers that follow be left out, without any change of state?
    #[inline(always)]
    pub(crate) fn drops_numbers(&self) -> bool {
        self.list_literal && self.separator == 0 && self.before == Before::OPERAND
    }

    /// Takes the end of the text, and tells whether there were several statements.
    pub(crate) fn finish(mut self) -> (Step, bool) {
        let edge = self.end_of_row();
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
                self.literal(Before::OPERAND)
            }
            TokenKind::Word => {
                self.before = Before::word(packed);
                self.settled(Write::Token)
            }
            TokenKind::Punctuation => self.punctuation(packed.to_le_bytes()[0]),
            TokenKind::Number | TokenKind::Placeholder => self.literal(Before::OPERAND),
            TokenKind::String => self.literal(Before::STRING),
            _ => {
                self.before = Before::OPERAND;
                self.settled(Write::Token)
            }
        };
        let held = self.separator != 0 || self.sign != 0;
        self.plain = !held && self.list == 0 && self.rows == Rows::None;
        step
    }

    fn literal(&mut self, before: Before) -> Step {
        // Strings side by side are one.
        if before == Before::STRING && self.before == Before::STRING {
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
        self.before = Before::punctuation(byte);
        step
    }

    fn open(&mut self) -> Step {
        let step = match self.rows {
            Rows::Between if self.separator == b',' && self.sign == 0 => {
                self.separator = 0;
                self.rows = Rows::Within;
                self.row_is_first = false;
                Step { edge: Edge::Starts { first: false }, ..Step::just(Write::Token) }
            }
            Rows::None if self.list_opened || self.opens_rows() => self.open_rows(),
            _ => self.settled(Write::Token),
        };
        self.depth += 1;
        if self.before == Before(IN) {
            self.list = self.depth;
            self.list_opened = true;
        }
        step
    }

    fn open_rows(&mut self) -> Step {
        let step = self.settled(Write::Token);
        self.rows = Rows::Within;
        self.rows_depth = self.depth;
        self.row_is_first = true;
        Step { edge: Edge::Starts { first: true }, ..step }
    }

    fn close(&mut self) -> Step {
        let step = self.settled(Write::Token);
        if self.list == self.depth {
            self.list = 0;
        }
        self.depth = self.depth.saturating_sub(1);
        if self.rows == Rows::None || self.rows_depth != self.depth {
            return step;
        }
        let edge = self.end_of_row();
        self.rows = Rows::Between;
        Step { edge, ..step }
    }

    fn end_of_row(&self) -> Edge {
        match self.rows {
            Rows::Within => Edge::Ends { first: self.row_is_first },
            Rows::None | Rows::Between => Edge::None,
        }
    }

    fn comma(&mut self) -> Step {
        let listed = self.list_literal && self.depth == self.list;
        let between = self.rows == Rows::Between;
        if self.separator != 0 || self.sign != 0 || !(listed || between) {
            return self.settled(Write::Token);
        }
        self.separator = b',';
        Step::just(Write::Nothing)
    }

    fn end_statement(&mut self) -> Step {
        let edge = self.end_of_row();
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
        if self.rows == Rows::Between {
            self.rows = Rows::None;
        }
        step
    }

    fn is_within_list(&self) -> bool {
        self.list != 0 || self.rows == Rows::Within
    }

    /// Would a sign here belong to the number that follows?
    fn expects_operand(&self) -> bool {
        self.before == Before::OPERATOR || expects_operand(self.before.0)
    }

    #[inline(always)]
    fn opens_list(&self) -> bool {
        self.before == Before(IN) || self.opens_rows()
    }

    #[inline(always)]
    fn opens_rows(&self) -> bool {
        self.before == Before(VALUES) || self.before == Before(VALUE)
    }
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
