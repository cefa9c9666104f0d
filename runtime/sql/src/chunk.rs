//! Eight bytes at a time in one integer: the arithmetic under the lexer.
//!
//! A chunk holds its first byte in its lowest bits. Masks have the top bit of each byte set that has
//! the property. No sum carries from one byte into the next, because each byte is cut to seven bits
//! before anything is added to it.

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;
/// What sets a lower-case letter apart from its capital.
const LOWER: u64 = 0x2020_2020_2020_2020;

/// The bytes of a chunk.
pub(crate) const SIZE: usize = 8;

/// The eight bytes at `at`; beyond the end of the text they are zero.
#[inline(always)]
pub(crate) fn load(text: &[u8], at: usize) -> u64 {
    match text.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => load_tail(text, at),
    }
}

/// Fewer than eight bytes are left: the last eight, shifted, where the text is long enough.
#[inline(never)]
fn load_tail(text: &[u8], at: usize) -> u64 {
    let left = text.len().saturating_sub(at);
    if left == 0 {
        return 0;
    }
    match text.last_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk) >> (8 * (SIZE - left)),
        None => pack(text.get(at..).unwrap_or_default()),
    }
}

/// Up to eight bytes as one integer: what [`load`] would read before a zero.
pub(crate) const fn pack(bytes: &[u8]) -> u64 {
    let mut packed = 0;
    let mut index = 0;
    while index < bytes.len() && index < SIZE {
        packed |= (bytes[index] as u64) << (8 * index);
        index += 1;
    }
    packed
}

/// The top bits of a mask side by side in the lowest byte.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline(always)]
pub(crate) fn gather(mask: u64) -> u64 {
    (mask >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The word of `length` bytes at `at`, if it has fewer than eight and is ASCII: in one integer, in
/// lower case. Else 0.
///
/// One bit tells the cases apart. It is set in digits and in `$` anyway, and makes of `_` a byte that
/// is in no other word; beyond ASCII it would take one letter for another.
#[inline(always)]
pub(crate) fn packed(text: &[u8], at: usize, length: usize) -> u64 {
    if length >= SIZE {
        return 0;
    }
    let kept = (1 << (8 * length)) - 1;
    let folded = (load(text, at) | LOWER) & kept;
    if folded & TOPS == 0 { folded } else { 0 }
}

/// The same of a word that is known.
///
/// # Panics
/// When it is too long. At compile time, where all callers are.
pub(crate) const fn key(word: &str) -> u64 {
    assert!(word.len() < SIZE, "a longer word is not packed");
    let kept = (1 << (8 * word.len())) - 1;
    (pack(word.as_bytes()) | LOWER) & kept
}

/// Are the `length` bytes at `at` digits, and fewer than eight?
#[inline(always)]
pub(crate) fn are_digits(text: &[u8], at: usize, length: usize) -> bool {
    if length >= SIZE {
        return false;
    }
    let kept = (1 << (8 * length)) - 1;
    // What is left of a digit is below ten, which six more do not bring to sixteen.
    let digits = (load(text, at) ^ (ONES * 0x30)) & kept;
    (digits | ((digits & !TOPS) + ONES * 0x06)) & (ONES * 0xf0) == 0
}

/// What may stand in a word: letters, digits, `_`, `$` and every byte beyond ASCII (and 0x7f, which
/// stands nowhere).
#[inline(always)]
pub(crate) fn words(chunk: u64) -> u64 {
    let low = chunk & !TOPS;
    let lower = low | LOWER;
    // Of a byte that is not in the range, a sum of the pair turns no top bit or both of them turn it.
    // The ranges are apart, so that all of them can be told in one go.
    let letters = reach(lower, b'a') ^ reach(lower, b'z' + 1);
    let underscore = reach(lower, b'_' | 0x20);
    let digits = reach(low, b'0') ^ reach(low, b'9' + 1);
    let dollar = reach(low, b'$') ^ reach(low, b'$' + 1);
    (letters ^ underscore ^ digits ^ dollar | chunk) & TOPS
}

/// White space.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline(always)]
pub(crate) fn spaces(chunk: u64) -> u64 {
    let low = chunk & !TOPS;
    let controls = reach(low, b'\t') ^ reach(low, b'\r' + 1);
    let space = reach(low, b' ') ^ reach(low, b' ' + 1);
    (controls ^ space) & TOPS & !chunk
}

/// Top bits where a byte is `first` or beyond; both are below 0x80.
#[inline(always)]
fn reach(low: u64, first: u8) -> u64 {
    low + ONES * (0x80 - first as u64)
}

/// The chunk with its ASCII letters in lower case.
#[inline(always)]
pub(crate) fn fold(chunk: u64) -> u64 {
    // The difference between the cases is 0x20: the mask's bit, two places lower.
    chunk | (letters(chunk) >> 2)
}

/// ASCII letters.
#[inline(always)]
fn letters(chunk: u64) -> u64 {
    let lower = (chunk & !TOPS) | LOWER;
    (reach(lower, b'a') ^ reach(lower, b'z' + 1)) & TOPS & !chunk
}

/// Where the word that is under way at `at` ends.
pub(crate) fn word_end(text: &[u8], mut at: usize) -> usize {
    loop {
        let length = ((!words(load(text, at)) & TOPS).trailing_zeros() / 8) as usize;
        at += length;
        if length < SIZE {
            return at;
        }
    }
}

/// The position of the first `one` or `other` from `at` on; the text's length if there is none.
pub(crate) fn find(text: &[u8], mut at: usize, one: u8, other: u8) -> usize {
    let (ones, others) = (ONES * u64::from(one), ONES * u64::from(other));
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let chunk = u64::from_le_bytes(*chunk);
        let found = zeros(chunk ^ ones) | zeros(chunk ^ others);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += SIZE;
    }
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().position(|&byte| byte == one || byte == other).map_or(text.len(), |n| at + n)
}

/// Zero bytes. The lowest is exact; above it a 0x01 may be taken for one.
#[inline(always)]
fn zeros(chunk: u64) -> u64 {
    chunk.wrapping_sub(ONES) & !chunk & TOPS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_word(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x7f
    }

    #[test]
    fn every_byte_is_judged_alone_and_among_others() {
        for byte in 0..=255u8 {
            for place in 0..8 {
                for filler in [b'a', b'Z', 0xff, b'9'] {
                    let mut bytes = [filler; 8];
                    bytes[place] = byte;
                    let chunk = load(&bytes, 0);
                    let words: u64 = (0..8).map(|n| u64::from(is_word(bytes[n])) << n).sum();
                    assert_eq!(gather(super::words(chunk)), words, "{bytes:?}");
                    assert_eq!(fold(chunk), pack(&bytes.to_ascii_lowercase()), "{bytes:?}");
                    let digits = bytes[..=place.min(6)].iter().all(u8::is_ascii_digit);
                    assert_eq!(are_digits(&bytes, 0, place.min(6) + 1), digits, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn a_load_near_the_end_is_padded_with_zeros() {
        for length in 0..20usize {
            let text: Vec<u8> = (1..=20).take(length).collect();
            for at in 0..=length {
                assert_eq!(load(&text, at), pack(&text[at..]), "{length} {at}");
            }
        }
    }

    #[test]
    fn find_answers_as_a_plain_search_does() {
        let text: Vec<u8> =
            (0..200u32).map(|n| b"ab'\\\x01\x00\xff."[(n * n % 8) as usize]).collect();
        for at in 0..=text.len() {
            for (one, other) in [(b'\'', b'\\'), (0, 0), (0xff, b'x'), (b'x', b'y')] {
                let plain = text[at..].iter().position(|&b| b == one || b == other);
                assert_eq!(find(&text, at, one, other), plain.map_or(text.len(), |n| at + n));
            }
        }
    }

    #[test]
    fn a_word_ends_where_its_bytes_end() {
        assert_eq!(word_end(b"information_schema.tables", 0), 18);
        assert_eq!(word_end(b"12345678", 0), 8);
        assert_eq!(word_end(b"", 0), 0);
        assert_eq!(fold(pack(b"A_Z@[`{1")), pack(b"a_z@[`{1"));
    }
}
