//! Writes the members of a JSON object. Each takes its key with the punctuation around it, ready to
//! be copied: a line has twenty, and a general serializer takes three times as long.

/// A string that needs no escape.
pub(super) fn verbatim(line: &mut Vec<u8>, key: &str, value: &[u8]) {
    line.extend_from_slice(key.as_bytes());
    line.push(b'"');
    line.extend_from_slice(value);
    line.push(b'"');
}

/// A string.
pub(super) fn text(line: &mut Vec<u8>, key: &str, value: &str) {
    // Looks at all bytes without a branch, which goes many at a time.
    let plain = value.bytes().fold(true, |plain, byte| plain & !must_be_escaped(byte));
    if plain {
        return verbatim(line, key, value.as_bytes());
    }
    line.extend_from_slice(key.as_bytes());
    line.push(b'"');
    value.bytes().for_each(|byte| escape(line, byte));
    line.push(b'"');
}

/// A string that is left out if there is none.
pub(super) fn optional(line: &mut Vec<u8>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        text(line, key, value);
    }
}

pub(super) fn number(line: &mut Vec<u8>, key: &str, mut value: u64) {
    line.extend_from_slice(key.as_bytes());
    // The largest number has 20 digits.
    let mut digits = [0; 20];
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = decimal(value % 10);
        value /= 10;
        start -= 1;
        if value == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[start..]);
}

/// An object of strings.
pub(super) fn map(line: &mut Vec<u8>, key: &str, entries: &[(String, String)]) {
    line.extend_from_slice(key.as_bytes());
    let mut before = "{";
    for (key, value) in entries {
        text(line, before, key);
        text(line, ":", value);
        before = ",";
    }
    line.push(b'}');
}

/// Sixteen digits.
pub(super) fn hexadecimal(number: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair.copy_from_slice(&[
            HEXADECIMAL[usize::from(byte >> 4)],
            HEXADECIMAL[usize::from(byte & 15)],
        ]);
    }
    text
}

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

fn decimal(digit: u64) -> u8 {
    // Always below ten.
    u8::try_from(digit).map_or(b'?', |digit| b'0' + digit)
}

fn must_be_escaped(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

fn escape(line: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
        b'\n' => line.extend_from_slice(b"\\n"),
        b'\t' => line.extend_from_slice(b"\\t"),
        ..b' ' => {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            line.extend_from_slice(b"\\u00");
            line.extend_from_slice(&[HEXADECIMAL[high], HEXADECIMAL[low]]);
        }
        _ => line.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(write: impl FnOnce(&mut Vec<u8>)) -> Value {
        let mut line = Vec::new();
        write(&mut line);
        line.push(b'}');
        serde_json::from_slice(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    #[test]
    fn every_character_survives() {
        let all: String =
            (0..0x300).filter_map(char::from_u32).chain("😀\u{2028}".chars()).collect();
        assert_eq!(read(|line| text(line, r#"{"t":"#, &all)), json!({ "t": all }));
    }

    #[test]
    fn numbers_of_all_lengths() {
        let mut numbers = vec![0, u64::MAX];
        numbers.extend((0..20).flat_map(|n| [10_u64.pow(n), 10_u64.pow(n) - 1]));
        for value in numbers {
            assert_eq!(read(|line| number(line, r#"{"n":"#, value)), json!({ "n": value }));
        }
    }

    #[test]
    fn digests_have_sixteen_digits() {
        assert_eq!(&hexadecimal(0x2a), b"000000000000002a");
        assert_eq!(&hexadecimal(0xfedc_ba98_7654_3210), b"fedcba9876543210");
    }

    #[test]
    fn maps_escape_keys_and_values() {
        let entries = [("a\"".to_owned(), "1".to_owned()), ("b".to_owned(), "\\\n".to_owned())];
        let object = read(|line| map(line, r#"{"m":"#, &entries));
        assert_eq!(object, json!({ "m": { "a\"": "1", "b": "\\\n" } }));
    }
}
