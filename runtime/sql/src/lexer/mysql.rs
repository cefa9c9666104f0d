//! What is MySQL's own: variables, introducers of strings, code in comments, words that start with
//! digits.

use super::{Class, FrequentWord, Syntax, TokenKind, digits_end, follows, quoted_end};
use crate::chunk;

/// MySQL and MariaDB.
#[derive(Clone, Debug)]
pub(crate) struct Mysql;

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
            b'`' => Class::NameQuote,
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

impl Syntax for Mysql {
    const CLASSES: &'static [Class; 256] = &CLASSES;
    const SELECT_INTO_WRITES: bool = false;

    #[inline(always)]
    fn frequent_word(text: &[u8], start: usize, end: usize, byte: u8) -> FrequentWord {
        if byte == b'_' || (end == start + 1 && text.get(end) == Some(&b'\'')) {
            return FrequentWord::Rare;
        }
        FrequentWord::Word
    }

    #[inline(always)]
    fn other(text: &[u8], start: usize, class: Class, conditional: bool) -> (TokenKind, usize) {
        other(text, start, class, conditional)
    }
}

/// See [`Syntax::other`].
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
        Class::Quote => (TokenKind::String, string_end(text, start)),
        Class::NameQuote => (TokenKind::QuotedName, quoted_end(text, start, b'`')),
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
        return (text.get(end) == Some(&b'\'')).then(|| string_end(text, end));
    }
    let name = word.strip_prefix(b"_")?;
    CHARACTER_SETS.iter().find(|set| set.eq_ignore_ascii_case(name))?;
    let rest = text.get(end..)?;
    let quote = end + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match (text.get(quote)?, text.get(quote + 1)) {
        (b'\'' | b'"', _) => Some(string_end(text, quote)),
        (b'x' | b'X' | b'b' | b'B' | b'n' | b'N', Some(b'\'')) => Some(string_end(text, quote + 1)),
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
        Some(b'`') => quoted_end(text, name, b'`'),
        Some(b'\'' | b'"') => string_end(text, name),
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

/// One behind the quote, single or double, that closes the one at `quote`.
fn string_end(text: &[u8], quote: usize) -> usize {
    quoted_end(text, quote, b'\\')
}

/// May a name without quotes, or one in backquotes, end with this byte?
fn ends_name(byte: u8) -> bool {
    byte == b'`'
        || matches!(CLASSES[usize::from(byte)], Class::Word | Class::Introducer | Class::Digit)
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
