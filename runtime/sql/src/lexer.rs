//! Cuts a text into tokens, as the server's lexer would. Any bytes will do: nothing is an error, and
//! what is not closed reaches to the end of the text.

mod mysql;
mod postgres;

use std::marker::PhantomData;

use crate::Dialect;
use crate::block::{self, Block};
use crate::chunk;

pub(crate) use mysql::Mysql;
pub(crate) use postgres::Postgres;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in backquotes; in PostgreSQL in double quotes: `"a"`, `U&"a"`.
    QuotedName,
    /// A string with its introducer: `'a'`, `x'0f'`, `b'01'`, `n'a'`; in MySQL `"a"`, `_utf8mb4 'a'`;
    /// in PostgreSQL `E'a'`, `U&'a'`, `$$a$$`, `$tag$a$tag$`.
    String,
    /// `1`, `.5`, `1e-3`, `0x0f`, `0b01`; without a sign.
    Number,
    /// `?`; in PostgreSQL `$1`.
    Placeholder,
    /// `@name`, also with a quoted name (MySQL).
    UserVariable,
    /// `@@name`, `@@global.name` (MySQL).
    SystemVariable,
    /// One byte of anything else. Operators of two bytes are two tokens.
    Punctuation,
    /// A comment of any form, optimizer hints (`/*+ … */`) included.
    Comment,
    /// `/*!50100` or `/*M!100100`: what follows is code for servers of at least that version (MySQL).
    ConditionalStart,
    /// The `*/` that ends such code.
    ConditionalEnd,
}

/// A token and the bytes that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: TokenKind,
    pub bytes: &'a [u8],
}

/// The tokens of a text in order, comments included, white space not.
#[must_use]
pub fn tokens(text: &[u8], dialect: Dialect) -> Tokens<'_> {
    match dialect {
        Dialect::Mysql => Tokens(AnyLexer::Mysql(Lexer::new(text))),
        Dialect::Postgres => Tokens(AnyLexer::Postgres(Lexer::new(text))),
    }
}

/// The iterator that [`tokens`] answers.
#[derive(Clone, Debug)]
pub struct Tokens<'a>(AnyLexer<'a>);

#[derive(Clone, Debug)]
enum AnyLexer<'a> {
    Mysql(Lexer<'a, Mysql>),
    Postgres(Lexer<'a, Postgres>),
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        match &mut self.0 {
            AnyLexer::Mysql(lexer) => lexer.token(),
            AnyLexer::Postgres(lexer) => lexer.token(),
        }
    }
}

/// A token by its place, with what the lexer learned on the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexeme {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// A word of up to seven bytes, packed and in lower case; the byte itself for punctuation; else 0.
    pub(crate) packed: u64,
}

impl Lexeme {
    /// The byte of a punctuation.
    #[inline(always)]
    pub(crate) fn byte(&self) -> u8 {
        self.packed.to_le_bytes()[0]
    }
}

/// What one server's lexer does in its own way: what a byte may start, and what the rarer tokens are.
///
/// A type rather than a value, so that the lexer is compiled for each dialect and asks nothing about
/// it while it runs.
pub(crate) trait Syntax: Clone {
    const CLASSES: &'static [Class; 256];

    /// `SELECT … INTO` creates a table.
    const SELECT_INTO_WRITES: bool;

    /// What the word from `start` to `end`, which starts with `byte`, no digit, is.
    fn frequent_word(text: &[u8], start: usize, end: usize, byte: u8) -> FrequentWord;

    /// The token at `start` that is no ordinary word, and its end. `conditional` as in the lexer.
    fn other(text: &[u8], start: usize, class: Class, conditional: bool) -> (TokenKind, usize);
}

/// What the bytes of a word are, see [`Syntax::frequent_word`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrequentWord {
    Word,
    /// A placeholder.
    Literal,
    /// It takes a closer look.
    Rare,
}

/// The cursor over a text. Copying it is looking ahead.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a, S> {
    syntax: PhantomData<S>,
    text: &'a [u8],
    at: usize,
    /// The block that `at` is in.
    block: Block,
    /// Where the one after it begins.
    next_block: usize,
    /// Between `/*!` and its `*/`.
    conditional: bool,
}

/// A token of the sorts that most tokens are of, see [`Lexer::frequent`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Frequent {
    Word(Lexeme),
    /// Digits only, or a placeholder.
    Literal,
    Open,
    Close,
    /// Any other punctuation but a sign and a semicolon.
    Operator(u8),
}

/// What a token may be, by its first byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Space,
    Word,
    /// Of a word that may introduce a string.
    Introducer,
    Digit,
    Operator,
    Open,
    Close,
    Dot,
    Star,
    Placeholder,
    Quote,
    /// Of a name.
    NameQuote,
    /// Something longer only together with what follows, or a sign, or the end of a statement.
    Special,
}

impl<'a, S: Syntax> Lexer<'a, S> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            syntax: PhantomData,
            text,
            at: 0,
            block: Block::default(),
            next_block: 0,
            conditional: false,
        }
    }

    pub(crate) fn bytes(&self, lexeme: &Lexeme) -> &'a [u8] {
        self.text.get(lexeme.start..lexeme.end).unwrap_or_default()
    }

    fn token(&mut self) -> Option<Token<'a>> {
        let lexeme = self.next()?;
        Some(Token { kind: lexeme.kind, bytes: self.bytes(&lexeme) })
    }

    /// The next token that is not a comment.
    pub(crate) fn next_code(&mut self) -> Option<Lexeme> {
        loop {
            let lexeme = self.next()?;
            if lexeme.kind != TokenKind::Comment {
                return Some(lexeme);
            }
        }
    }

    /// The next token if it is of a frequent sort; else the cursor stays before it, or at the end.
    #[inline(always)]
    pub(crate) fn frequent(&mut self) -> Option<Frequent> {
        let start = self.skip_space();
        let byte = *self.text.get(start)?;
        if self.is_word(start) {
            return self.frequent_word(start, byte);
        }
        let token = match S::CLASSES[usize::from(byte)] {
            Class::Operator => Frequent::Operator(byte),
            Class::Open => Frequent::Open,
            Class::Close => Frequent::Close,
            Class::Dot if !self.text.get(start + 1).is_some_and(u8::is_ascii_digit) => {
                Frequent::Operator(byte)
            }
            Class::Star if !self.conditional => Frequent::Operator(byte),
            Class::Placeholder => Frequent::Literal,
            _ => return None,
        };
        self.at = start + 1;
        Some(token)
    }

    #[inline(always)]
    fn frequent_word(&mut self, start: usize, byte: u8) -> Option<Frequent> {
        let end = self.word_end(start);
        if byte.is_ascii_digit() {
            self.at = self.small_number_end(start)?;
            return Some(Frequent::Literal);
        }
        match S::frequent_word(self.text, start, end, byte) {
            FrequentWord::Word => {}
            FrequentWord::Literal => {
                self.at = end;
                return Some(Frequent::Literal);
            }
            FrequentWord::Rare => return None,
        }
        let packed = chunk::packed(self.text, start, end - start);
        self.at = end;
        Some(Frequent::Word(Lexeme { kind: TokenKind::Word, start, end, packed }))
    }

    /// The end of a number of a few digits and nothing else, which most numbers are.
    #[inline(always)]
    fn small_number_end(&self, start: usize) -> Option<usize> {
        let end = self.word_end(start);
        let dotted = self.text.get(end) == Some(&b'.') || follows(self.text, start, |b| b == b'.');
        (!dotted && chunk::are_digits(self.text, start, end - start)).then_some(end)
    }

    /// Before the token of one byte that was just read.
    #[inline(always)]
    pub(crate) fn unread_byte(&mut self) {
        self.at -= 1;
    }

    /// Behind any number of `, 1`: long lists are worth a loop of their own.
    #[inline(never)]
    pub(crate) fn behind_numbers(mut self) -> Self {
        loop {
            let start = self.at;
            let comma = matches!(self.frequent(), Some(Frequent::Operator(b',')));
            if !comma || !matches!(self.frequent(), Some(Frequent::Literal)) {
                // The block at hand may be a later one.
                (self.at, self.next_block) = (start, 0);
                return self;
            }
        }
    }

    /// The next token.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Lexeme> {
        let start = self.skip_space();
        let byte = *self.text.get(start)?;
        let (kind, end) = match S::CLASSES[usize::from(byte)] {
            Class::Word => (TokenKind::Word, self.word_end(start)),
            class @ Class::Digit => match self.small_number_end(start) {
                Some(end) => (TokenKind::Number, end),
                None => self.other(start, class),
            },
            class => self.other(start, class),
        };
        self.at = end;
        let packed = match kind {
            TokenKind::Word => chunk::packed(self.text, start, end - start),
            TokenKind::Punctuation => u64::from(byte),
            _ => 0,
        };
        Some(Lexeme { kind, start, end, packed })
    }

    /// Moves to the next token, or to the end of the text, and loads the block that it is in.
    #[inline(always)]
    fn skip_space(&mut self) -> usize {
        loop {
            if self.at >= self.next_block {
                let block = self.at - self.at % block::SIZE;
                self.block = Block::new(self.text, block);
                self.next_block = block + block::SIZE;
            }
            let solid = self.block.solid >> (self.at % block::SIZE);
            if solid != 0 {
                self.at += solid.trailing_zeros() as usize;
                return self.at;
            }
            self.at = self.next_block;
        }
    }

    /// Does the byte at `at`, in this block, belong to a word?
    #[inline(always)]
    fn is_word(&self, at: usize) -> bool {
        (self.block.words >> (at % block::SIZE)) & 1 != 0
    }

    /// The end of the word that starts at `start`, in this block.
    #[inline(always)]
    fn word_end(&self, start: usize) -> usize {
        let rest = self.block.words >> (start % block::SIZE);
        match start + (!rest).trailing_zeros() as usize {
            end if end == self.next_block => chunk::word_end(self.text, end),
            end => end,
        }
    }

    #[inline(always)]
    fn other(&mut self, start: usize, class: Class) -> (TokenKind, usize) {
        let (kind, end) = S::other(self.text, start, class, self.conditional);
        match kind {
            TokenKind::ConditionalStart => self.conditional = true,
            TokenKind::ConditionalEnd => self.conditional = false,
            _ => {}
        }
        (kind, end)
    }
}

// The cursor never leaves its registers: what is not inlined gets the text and a place, and answers
// the place where a token ends.

/// Is there a byte before `start`, and is it of that sort?
fn follows(text: &[u8], start: usize, sort: impl Fn(u8) -> bool) -> bool {
    start.checked_sub(1).and_then(|at| text.get(at)).is_some_and(|&byte| sort(byte))
}

/// One behind the quote that closes the one at `quote`. `escape` takes the byte behind it out of the
/// search, as a doubled quote does; it is the quote itself where nothing else does.
fn quoted_end(text: &[u8], quote: usize, escape: u8) -> usize {
    let Some(&mark) = text.get(quote) else {
        return text.len();
    };
    let mut at = quote + 1;
    loop {
        at = chunk::find(text, at, mark, escape);
        let (found, next) = (text.get(at), text.get(at + 1));
        match found {
            None => return text.len(),
            Some(&byte) if byte == mark && next != Some(&mark) => return at + 1,
            // A doubled quote, or an escape with what it escapes.
            Some(_) => at = (at + 2).min(text.len()),
        }
    }
}

fn digits_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests;
