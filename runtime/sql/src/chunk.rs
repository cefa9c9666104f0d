//! Eight bytes at a time in one integer: the arithmetic under the lexer.
//!
//! A chunk holds its first byte in its lowest bits. Masks have the top bit of each byte set that has
//! the property. No sum carries from one byte into the next, because each byte is cut to seven bits
//! before anything is added to it.

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

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

/// The start of a word: how many of the eight bytes belong to it, and these bytes in lower case.
#[inline(always)]
pub(crate) fn word(chunk: u64) -> (usize, u64) {
    let letters = letters(chunk);
    let outside = !(letters | others(chunk)) & TOPS;
    let length = outside.trailing_zeros() / 8;
    let kept = if length == 8 {
        u64::MAX
    } else {
        (1 << (8 * length)) - 1
    };
    (length as usize, (chunk | (letters >> 2)) & kept)
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
    let lower = (chunk & !TOPS) | (ONES * 0x20);
    (between(lower, b'a', b'z')) & !chunk
}

/// What may stand in a word beside letters: digits, `_`, `$` and every byte beyond ASCII.
#[inline(always)]
fn others(chunk: u64) -> u64 {
    let low = chunk & !TOPS;
    ((between(low, b'0', b'9') | equal(low, b'_') | equal(low, b'$')) & !chunk) | (chunk & TOPS)
}

/// Bytes from `first` to `last`, both below 0x80, in a chunk without top bits.
#[inline(always)]
fn between(low: u64, first: u8, last: u8) -> u64 {
    let at_least = low + ONES * (0x80 - first as u64);
    let beyond = low + ONES * (0x7f - last as u64);
    (at_least ^ beyond) & TOPS
}

/// Bytes equal to `byte`, below 0x80, in a chunk without top bits.
#[inline(always)]
fn equal(low: u64, byte: u8) -> u64 {
    !((low ^ (ONES * byte as u64)) + !TOPS) & TOPS
}

/// Where the word that is under way at `at` ends.
pub(crate) fn word_end(text: &[u8], mut at: usize) -> usize {
    loop {
        let (length, _) = word(load(text, at));
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
    rest.iter()
        .position(|&byte| byte == one || byte == other)
        .map_or(text.len(), |n| at + n)
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
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
    }

    #[test]
    fn every_byte_is_judged_alone_and_among_others() {
        for byte in 0..=255u8 {
            for place in 0..8 {
                for filler in [b'a', b'Z', 0xff, b'9'] {
                    let mut bytes = [filler; 8];
                    bytes[place] = byte;
                    let expected = bytes.iter().take_while(|&&b| is_word(b)).count();
                    let (length, folded) = word(load(&bytes, 0));
                    assert_eq!(length, expected, "{bytes:?}");
                    let lower = bytes[..expected].to_ascii_lowercase();
                    assert_eq!(folded, pack(&lower), "{bytes:?}");
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
        let text: Vec<u8> = (0..200u32)
            .map(|n| b"ab'\\\x01\x00\xff."[(n * n % 8) as usize])
            .collect();
        for at in 0..=text.len() {
            for (one, other) in [(b'\'', b'\\'), (0, 0), (0xff, b'x'), (b'x', b'y')] {
                let plain = text[at..].iter().position(|&b| b == one || b == other);
                assert_eq!(
                    find(&text, at, one, other),
                    plain.map_or(text.len(), |n| at + n)
                );
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
