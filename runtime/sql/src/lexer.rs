//! Cuts a text into tokens, as the server's lexer would. Any bytes will do: nothing is an error, and
//! what is not closed reaches to the end of the text.

use crate::Dialect;
use crate::block::{self, Block};
use crate::chunk;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in backquotes.
    QuotedName,
    /// A string with its introducer: `'a'`, `"a"`, `x'0f'`, `b'01'`, `n'a'`, `_utf8mb4 'a'`.
    String,
    /// `1`, `.5`, `1e-3`, `0x0f`, `0b01`; without a sign.
    Number,
    /// `?`
    Placeholder,
    /// `@name`, also with a quoted name.
    UserVariable,
    /// `@@name`, `@@global.name`
    SystemVariable,
    /// One byte of anything else. Operators of two bytes are two tokens.
    Punctuation,
    /// A comment of any form, optimizer hints (`/*+ … */`) included.
    Comment,
    /// `/*!50100` or `/*M!100100`: what follows is code for servers of at least that version.
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
pub fn tokens(text: &[u8], _dialect: Dialect) -> Tokens<'_> {
    Tokens(Lexer::new(text))
}

/// The iterator that [`tokens`] answers.
#[derive(Clone, Debug)]
pub struct Tokens<'a>(Lexer<'a>);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let lexeme = self.0.next()?;
        Some(Token { kind: lexeme.kind, bytes: self.0.bytes(&lexeme) })
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

/// The cursor over a text. Copying it is looking ahead.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
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
enum Class {
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
    Backquote,
    /// Something longer only together with what follows, or a sign, or the end of a statement.
    Special,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Operator; 256];
    let mut byte = 0u8;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Space,
            b'0'..=b'9' => Class::Digit,
            b'b' | b'B' | b'n' | b'N' | b'x' | b'X' | b'_' => Class::Introducer,
            b'a'..=b'z' | b'A'..=b'Z' | b'$' | 0x7f.. => Class::Word,
            b'(' => Class::Open,
            b')' => Class::Close,
            b'.' => Class::Dot,
            b'*' => Class::Star,
            b'?' => Class::Placeholder,
            b'\'' | b'"' => Class::Quote,
            b'`' => Class::Backquote,
            b'/' | b'-' | b'#' | b'@' | b'+' | b';' => Class::Special,
            _ => Class::Operator,
        };
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

/// Names that make `_name 'a'` a string of that character set.
const CHARACTER_SETS: [&[u8]; 42] = [
    b"armscii8",
    b"ascii",
    b"big5",
    b"binary",
    b"cp1250",
    b"cp1251",
    b"cp1256",
    b"cp1257",
    b"cp850",
    b"cp852",
    b"cp866",
    b"cp932",
    b"dec8",
    b"eucjpms",
    b"euckr",
    b"gb18030",
    b"gb2312",
    b"gbk",
    b"geostd8",
    b"greek",
    b"hebrew",
    b"hp8",
    b"keybcs2",
    b"koi8r",
    b"koi8u",
    b"latin1",
    b"latin2",
    b"latin5",
    b"latin7",
    b"macce",
    b"macroman",
    b"sjis",
    b"swe7",
    b"tis620",
    b"ucs2",
    b"ujis",
    b"utf16",
    b"utf16le",
    b"utf32",
    b"utf8",
    b"utf8mb3",
    b"utf8mb4",
];

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, block: Block::default(), next_block: 0, conditional: false }
    }

    pub(crate) fn bytes(&self, lexeme: &Lexeme) -> &'a [u8] {
        self.text.get(lexeme.start..lexeme.end).unwrap_or_default()
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
        let token = match CLASSES[usize::from(byte)] {
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
        if byte == b'_' || (end == start + 1 && self.text.get(end) == Some(&b'\'')) {
            return None;
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
        let (kind, end) = match CLASSES[usize::from(byte)] {
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
        let (kind, end) = other(self.text, start, class, self.conditional);
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

/// The token at `start` that is no ordinary word, and its end.
#[inline(never)]
fn other(text: &[u8], start: usize, class: Class, conditional: bool) -> (TokenKind, usize) {
    match class {
        Class::Space | Class::Word => (TokenKind::Word, chunk::word_end(text, start)),
        Class::Introducer => introduced(text, start),
        Class::Digit => match number(text, start) {
            Some(end) => (TokenKind::Number, end),
            None => (TokenKind::Word, chunk::word_end(text, start)),
        },
        Class::Operator | Class::Open | Class::Close => (TokenKind::Punctuation, start + 1),
        Class::Placeholder => (TokenKind::Placeholder, start + 1),
        Class::Quote => (TokenKind::String, quoted_end(text, start)),
        Class::Backquote => (TokenKind::QuotedName, quoted_end(text, start)),
        Class::Dot | Class::Star | Class::Special => special(text, start, conditional),
    }
}

/// A word, or the string or number that it introduces.
fn introduced(text: &[u8], start: usize) -> (TokenKind, usize) {
    let end = chunk::word_end(text, start);
    match introduced_end(text, start, end) {
        Some(end) => (TokenKind::String, end),
        None => (TokenKind::Word, end),
    }
}

/// The end of the string or number that the word from `start` to `end` introduces, if it does.
#[cold]
fn introduced_end(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let word = text.get(start..end)?;
    if let [b'x' | b'X' | b'b' | b'B' | b'n' | b'N'] = word {
        return (text.get(end) == Some(&b'\'')).then(|| quoted_end(text, end));
    }
    let name = word.strip_prefix(b"_")?;
    CHARACTER_SETS.iter().find(|set| set.eq_ignore_ascii_case(name))?;
    let rest = text.get(end..)?;
    let quote = end + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match (text.get(quote)?, text.get(quote + 1)) {
        (b'\'' | b'"', _) => Some(quoted_end(text, quote)),
        (b'x' | b'X' | b'b' | b'B' | b'n' | b'N', Some(b'\'')) => Some(quoted_end(text, quote + 1)),
        (b'0', Some(b'x' | b'b')) => Some(chunk::word_end(text, quote)),
        _ => None,
    }
}

/// The end of what starts with a digit; `None` if it is no number but a name.
fn number(text: &[u8], start: usize) -> Option<usize> {
    // After a dot behind a name comes a name, even of digits only.
    let name = follows(text, start, |byte| byte == b'.')
        && follows(text, start.saturating_sub(1), ends_name);
    if name { None } else { number_end(text, start) }
}

/// Is there a byte before `start`, and is it of that sort?
fn follows(text: &[u8], start: usize, sort: impl Fn(u8) -> bool) -> bool {
    start.checked_sub(1).and_then(|at| text.get(at)).is_some_and(|&byte| sort(byte))
}

fn special(text: &[u8], start: usize, conditional: bool) -> (TokenKind, usize) {
    let next = text.get(start + 1);
    match (text.get(start), next) {
        (Some(b'@'), _) => variable(text, start),
        (Some(b'#'), _) => (TokenKind::Comment, chunk::find(text, start, b'\n', b'\n')),
        (Some(b'-'), Some(b'-')) if text.get(start + 2).is_none_or(|&third| third <= b' ') => {
            (TokenKind::Comment, chunk::find(text, start, b'\n', b'\n'))
        }
        (Some(b'/'), Some(b'*')) => block_comment(text, start),
        (Some(b'*'), Some(b'/')) if conditional => (TokenKind::ConditionalEnd, start + 2),
        (Some(b'.'), Some(b'0'..=b'9')) if !follows(text, start, ends_name) => {
            (TokenKind::Number, number_end(text, start).unwrap_or(start + 1))
        }
        _ => (TokenKind::Punctuation, start + 1),
    }
}

fn variable(text: &[u8], start: usize) -> (TokenKind, usize) {
    let system = text.get(start + 1) == Some(&b'@');
    let name = start + 1 + usize::from(system);
    let end = match text.get(name) {
        Some(b'\'' | b'"' | b'`') => quoted_end(text, name),
        _ => dotted_end(text, name),
    };
    match (end == name, system) {
        (true, _) => (TokenKind::Punctuation, start + 1),
        (false, true) => (TokenKind::SystemVariable, end),
        (false, false) => (TokenKind::UserVariable, end),
    }
}

fn block_comment(text: &[u8], start: usize) -> (TokenKind, usize) {
    let inside = start + 2;
    let code = match (text.get(inside), text.get(inside + 1)) {
        (Some(b'!'), _) => inside + 1,
        (Some(b'M'), Some(b'!')) => inside + 2,
        _ => return (TokenKind::Comment, block_end(text, inside)),
    };
    let version = text.get(code..).unwrap_or_default().iter().take(6);
    let digits = version.take_while(|byte| byte.is_ascii_digit()).count();
    (TokenKind::ConditionalStart, code + digits)
}

/// May a name without quotes, or one in backquotes, end with this byte?
fn ends_name(byte: u8) -> bool {
    byte == b'`'
        || matches!(CLASSES[usize::from(byte)], Class::Word | Class::Introducer | Class::Digit)
}

/// One behind the quote that closes the one at `quote`, which may be of any kind.
fn quoted_end(text: &[u8], quote: usize) -> usize {
    let Some(&mark) = text.get(quote) else {
        return text.len();
    };
    let escape = if mark == b'`' { mark } else { b'\\' };
    let mut at = quote + 1;
    loop {
        at = chunk::find(text, at, mark, escape);
        let (found, next) = (text.get(at), text.get(at + 1));
        match found {
            None => return text.len(),
            Some(&byte) if byte == mark && next != Some(&mark) => return at + 1,
            // A doubled quote, or a backslash with what it escapes.
            Some(_) => at = (at + 2).min(text.len()),
        }
    }
}

/// One behind the `*/` that ends the comment whose content starts at `at`.
fn block_end(text: &[u8], mut at: usize) -> usize {
    loop {
        at = chunk::find(text, at, b'*', b'*') + 1;
        match text.get(at) {
            Some(b'/') => return at + 1,
            Some(_) => {}
            None => return text.len(),
        }
    }
}

/// The end of a variable's name, which may hold dots.
fn dotted_end(text: &[u8], mut at: usize) -> usize {
    loop {
        at = chunk::word_end(text, at);
        match text.get(at) {
            Some(b'.') => at += 1,
            _ => return at,
        }
    }
}

/// The end of the number that starts at `start`; `None` if it is the name of something, such as `1a`.
fn number_end(text: &[u8], start: usize) -> Option<usize> {
    if let Some((b"0x" | b"0b", rest)) = text.get(start..)?.split_at_checked(2) {
        let end = chunk::word_end(text, start);
        let digits = rest.get(..end - start - 2)?;
        return digits.iter().all(u8::is_ascii_hexdigit).then_some(end);
    }
    let whole = digits_end(text, start);
    let fraction = match text.get(whole) {
        Some(b'.') => digits_end(text, whole + 1),
        _ => whole,
    };
    let end = exponent_end(text, fraction);
    // Digits that run into letters are a name, unless a dot or an exponent has made them a number.
    (end > whole || chunk::word_end(text, end) == end).then_some(end)
}

fn digits_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn exponent_end(text: &[u8], start: usize) -> usize {
    let Some(b'e' | b'E') = text.get(start) else {
        return start;
    };
    let digits = match text.get(start + 1) {
        Some(b'+' | b'-') => start + 2,
        _ => start + 1,
    };
    let end = digits_end(text, digits);
    if end > digits { end } else { start }
}

#[cfg(test)]
mod tests;
