//! Cuts a text into tokens, as the server's lexer would. Any bytes will do: nothing is an error, and
//! what is not closed reaches to the end of the text.

use crate::Dialect;
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
        Some(Token {
            kind: lexeme.kind,
            bytes: self.0.bytes(&lexeme),
        })
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

/// The cursor over a text. Copying it is looking ahead.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// Between `/*!` and its `*/`.
    conditional: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Word,
    Digit,
    Quote,
    Backquote,
    /// Starts something longer only together with what follows.
    Special,
    Other,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Other; 256];
    let mut byte = 0u8;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Space,
            b'0'..=b'9' => Class::Digit,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => Class::Word,
            b'\'' | b'"' => Class::Quote,
            b'`' => Class::Backquote,
            b'/' | b'*' | b'-' | b'#' | b'.' | b'@' | b'?' => Class::Special,
            _ => Class::Other,
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
        Self {
            text,
            at: 0,
            conditional: false,
        }
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

    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Lexeme> {
        loop {
            let start = self.at;
            let byte = *self.text.get(start)?;
            match CLASSES[usize::from(byte)] {
                Class::Space => self.at = start + 1,
                Class::Word => return Some(self.word(start)),
                Class::Other => return Some(self.punctuation(start, byte)),
                Class::Digit => return Some(self.number(start)),
                Class::Quote => return Some(self.string(start, start)),
                Class::Backquote => return Some(self.quoted_name(start)),
                Class::Special => return Some(self.special(start, byte)),
            }
        }
    }

    #[inline(always)]
    fn word(&mut self, start: usize) -> Lexeme {
        let (length, folded) = chunk::word(chunk::load(self.text, start));
        let (end, packed) = match length {
            chunk::SIZE => (chunk::word_end(self.text, start + length), 0),
            _ => (start + length, folded),
        };
        let quote = matches!(self.text.get(end), Some(b'\'' | b'"'));
        if (quote || folded & 0xff == u64::from(b'_'))
            && let Some(string) = self.introduced(start, end)
        {
            return string;
        }
        self.token(TokenKind::Word, start, end, packed)
    }

    #[inline(always)]
    fn punctuation(&mut self, start: usize, byte: u8) -> Lexeme {
        self.token(TokenKind::Punctuation, start, start + 1, u64::from(byte))
    }

    #[inline(always)]
    fn token(&mut self, kind: TokenKind, start: usize, end: usize, packed: u64) -> Lexeme {
        self.at = end;
        Lexeme {
            kind,
            start,
            end,
            packed,
        }
    }

    /// The string that the word from `start` to `end` introduces, if it does.
    #[cold]
    fn introduced(&mut self, start: usize, end: usize) -> Option<Lexeme> {
        let word = self.text.get(start..end)?;
        if let [b'x' | b'X' | b'b' | b'B' | b'n' | b'N'] = word {
            return (self.byte(end) == Some(b'\'')).then(|| self.string(start, end));
        }
        let name = word.strip_prefix(b"_")?;
        CHARACTER_SETS
            .iter()
            .find(|set| set.eq_ignore_ascii_case(name))?;
        let rest = self.text.get(end..)?;
        let quote = end
            + rest
                .iter()
                .take_while(|byte| byte.is_ascii_whitespace())
                .count();
        match (self.byte(quote)?, self.byte(quote + 1)) {
            (b'\'' | b'"', _) => Some(self.string(start, quote)),
            (b'x' | b'X' | b'b' | b'B' | b'n' | b'N', Some(b'\'')) => {
                Some(self.string(start, quote + 1))
            }
            (b'0', Some(b'x' | b'b')) => {
                let end = chunk::word_end(self.text, quote);
                Some(self.token(TokenKind::String, start, end, 0))
            }
            _ => None,
        }
    }

    fn string(&mut self, start: usize, quote: usize) -> Lexeme {
        let end = quoted_end(self.text, quote);
        self.token(TokenKind::String, start, end, 0)
    }

    fn quoted_name(&mut self, start: usize) -> Lexeme {
        let end = quoted_end(self.text, start);
        self.token(TokenKind::QuotedName, start, end, 0)
    }

    fn number(&mut self, start: usize) -> Lexeme {
        // After a dot behind a name comes a name, even of digits only.
        let name = start.checked_sub(2).is_some_and(|at| {
            self.byte(at + 1) == Some(b'.') && self.byte(at).is_some_and(ends_name)
        });
        match number_end(self.text, start) {
            Some(end) if !name => self.token(TokenKind::Number, start, end, 0),
            _ => self.word(start),
        }
    }

    fn special(&mut self, start: usize, byte: u8) -> Lexeme {
        match (byte, self.byte(start + 1)) {
            (b'?', _) => self.token(TokenKind::Placeholder, start, start + 1, 0),
            (b'@', _) => self.variable(start),
            (b'#', _) => self.line_comment(start),
            (b'-', Some(b'-')) if self.byte(start + 2).is_none_or(|next| next <= b' ') => {
                self.line_comment(start)
            }
            (b'/', Some(b'*')) => self.block_comment(start),
            (b'*', Some(b'/')) if self.conditional => {
                self.conditional = false;
                self.token(TokenKind::ConditionalEnd, start, start + 2, 0)
            }
            (b'.', Some(b'0'..=b'9')) if !self.follows_name(start) => {
                let end = number_end(self.text, start).unwrap_or(start + 1);
                self.token(TokenKind::Number, start, end, 0)
            }
            _ => self.punctuation(start, byte),
        }
    }

    fn follows_name(&self, start: usize) -> bool {
        start
            .checked_sub(1)
            .and_then(|at| self.byte(at))
            .is_some_and(ends_name)
    }

    fn variable(&mut self, start: usize) -> Lexeme {
        let system = self.byte(start + 1) == Some(b'@');
        let name = start + 1 + usize::from(system);
        let end = match self.byte(name) {
            Some(b'\'' | b'"' | b'`') => quoted_end(self.text, name),
            _ => dotted_end(self.text, name),
        };
        match (end == name, system) {
            (true, _) => self.punctuation(start, b'@'),
            (false, true) => self.token(TokenKind::SystemVariable, start, end, 0),
            (false, false) => self.token(TokenKind::UserVariable, start, end, 0),
        }
    }

    fn line_comment(&mut self, start: usize) -> Lexeme {
        let end = chunk::find(self.text, start, b'\n', b'\n');
        self.token(TokenKind::Comment, start, end, 0)
    }

    fn block_comment(&mut self, start: usize) -> Lexeme {
        let inside = start + 2;
        let code = match (self.byte(inside), self.byte(inside + 1)) {
            (Some(b'!'), _) => inside + 1,
            (Some(b'M'), Some(b'!')) => inside + 2,
            _ => {
                let end = block_end(self.text, inside);
                return self.token(TokenKind::Comment, start, end, 0);
            }
        };
        self.conditional = true;
        let version = self.text.get(code..).unwrap_or_default().iter().take(6);
        let end = code + version.take_while(|byte| byte.is_ascii_digit()).count();
        self.token(TokenKind::ConditionalStart, start, end, 0)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }
}

/// May a name without quotes, or one in backquotes, end with this byte?
fn ends_name(byte: u8) -> bool {
    byte == b'`' || matches!(CLASSES[usize::from(byte)], Class::Word | Class::Digit)
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
