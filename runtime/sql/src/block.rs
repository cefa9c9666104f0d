//! 64 bytes at a time: which of them belong to words, and which to white space.

use crate::chunk;

/// The bytes of a block.
pub(crate) const SIZE: usize = 64;

/// The bytes that are judged by one instruction.
const LANE: usize = 16;

/// One bit for each byte of a block, the first one in the lowest bit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Block {
    /// Letters, digits, `_`, `$` and every byte beyond ASCII (and 0x7f, which stands nowhere).
    pub(crate) words: u64,
    /// What is not white space.
    pub(crate) solid: u64,
}

impl Block {
    /// The block from `at` on; beyond the end of the text it is solid.
    #[inline]
    pub(crate) fn new(text: &[u8], at: usize) -> Self {
        let mut block = Self { words: 0, solid: u64::MAX };
        let mut done = 0;
        while done < SIZE && at + done < text.len() {
            let (words, spaces) = judge(load(text, at + done));
            block.words |= words << done;
            block.solid &= !(spaces << done);
            done += LANE;
        }
        block
    }
}

/// The 16 bytes at `at`; beyond the end of the text they are zero.
#[inline(always)]
fn load(text: &[u8], at: usize) -> [u64; 2] {
    let lane = match text.get(at..).and_then(|rest| rest.first_chunk::<LANE>()) {
        Some(lane) => *lane,
        None => load_tail(text, at),
    };
    let (low, high) = lane.split_at(chunk::SIZE);
    [chunk::load(low, 0), chunk::load(high, 0)]
}

/// Fewer than 16 bytes are left: the last 16, shifted, where the text is long enough.
fn load_tail(text: &[u8], at: usize) -> [u8; LANE] {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(last) = text.last_chunk::<LANE>() {
        return (u128::from_le_bytes(*last) >> (8 * (LANE - rest.len()))).to_le_bytes();
    }
    let mut lane = [0; LANE];
    if let Some(room) = lane.get_mut(..rest.len()) {
        room.copy_from_slice(rest);
    }
    lane
}

/// Words and white space among 16 bytes.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn judge(lane: [u64; 2]) -> (u64, u64) {
    // SAFETY: every x86-64 processor has SSE2; it is all that is asked for.
    unsafe { judge_sse2(lane) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn judge_sse2(lane: [u64; 2]) -> (u64, u64) {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_sub_epi8,
    };
    let set = |byte: u8| _mm_set1_epi8(byte.cast_signed());
    let equal = |bytes, byte| _mm_cmpeq_epi8(bytes, set(byte));
    let between = |bytes, first: u8, last: u8| {
        let above = _mm_sub_epi8(bytes, set(first));
        _mm_cmpeq_epi8(_mm_min_epu8(above, set(last - first)), above)
    };
    let bits = |mask: __m128i| u64::from(_mm_movemask_epi8(mask).cast_unsigned());

    let bytes = _mm_set_epi64x(lane[1].cast_signed(), lane[0].cast_signed());
    let lower = _mm_or_si128(bytes, set(0x20));
    let letters = between(lower, b'a', b'z');
    let digits = between(bytes, b'0', b'9');
    // `_`, and 0x7f.
    let marks = _mm_or_si128(equal(lower, b'_' | 0x20), equal(bytes, b'$'));
    // The top bit of a byte beyond ASCII counts as it is.
    let words = _mm_or_si128(_mm_or_si128(letters, digits), _mm_or_si128(marks, bytes));
    let spaces = _mm_or_si128(equal(bytes, b' '), between(bytes, b'\t', b'\r'));
    (bits(words), bits(spaces))
}

/// Words and white space among 16 bytes.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn judge(lane: [u64; 2]) -> (u64, u64) {
    portable(lane)
}

/// The same where no instruction does it.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable(lane: [u64; 2]) -> (u64, u64) {
    let gather = |masks: [u64; 2]| chunk::gather(masks[0]) | (chunk::gather(masks[1]) << 8);
    (gather(lane.map(chunk::words)), gather(lane.map(chunk::spaces)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_word(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x7f
    }

    fn is_space(byte: u8) -> bool {
        byte == b' ' || (b'\t'..=b'\r').contains(&byte)
    }

    fn plain(bytes: &[u8], is: impl Fn(u8) -> bool) -> u64 {
        bytes.iter().enumerate().map(|(n, &byte)| u64::from(is(byte)) << n).sum()
    }

    #[test]
    fn every_byte_is_judged_alone_and_among_others() {
        for byte in 0..=255u8 {
            for place in 0..LANE {
                for filler in [b'a', b'Z', 0xff, b'9', b' ', 0] {
                    let mut bytes = [filler; LANE];
                    bytes[place] = byte;
                    let expected = (plain(&bytes, is_word), plain(&bytes, is_space));
                    assert_eq!(judge(load(&bytes, 0)), expected, "{bytes:?}");
                    assert_eq!(portable(load(&bytes, 0)), expected, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn a_block_is_solid_and_without_words_beyond_the_text() {
        for length in 0..150 {
            let text: Vec<u8> = b"ab c\0".iter().copied().cycle().take(length).collect();
            for at in (0..length).step_by(SIZE) {
                let rest = &text[at..length.min(at + SIZE)];
                let block = Block::new(&text, at);
                assert_eq!(block.words, plain(rest, is_word), "{length} {at}");
                assert_eq!(!block.solid, plain(rest, is_space), "{length} {at}");
            }
        }
    }
}
