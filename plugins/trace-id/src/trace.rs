//! What names a trace: a W3C `traceparent`, or an id of any other make.
//!
//! <https://www.w3.org/TR/trace-context/#traceparent-header>

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// The key whose value must be a `traceparent`.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// No id is longer, in bytes.
const PLAIN_MAX: usize = 128;
/// `00-` trace id `-` parent id `-` flags.
const VERSION_0_LEN: usize = 55;

/// The trace of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The key under which it was found.
    pub(crate) key: String,
    /// What was found there: a whole `traceparent`, or a plain id. Only characters that are harmless in
    /// a comment, once they are encoded.
    pub(crate) value: String,
}

impl Trace {
    /// What is valid under this key.
    pub(crate) fn new(key: &str, value: &str) -> Option<Self> {
        let valid = match key {
            TRACEPARENT => trace_id_of(value).is_some(),
            _ => is_plain(value),
        };
        valid.then(|| Self { key: key.to_owned(), value: value.to_owned() })
    }

    /// The id by which logs and tracing systems know it.
    pub(crate) fn id(&self) -> &str {
        trace_id_of(&self.value).unwrap_or(&self.value)
    }
}

/// The trace id in a valid `traceparent`.
fn trace_id_of(text: &str) -> Option<&str> {
    let mut fields = text.splitn(5, '-');
    let [version, trace, parent, flags] = [2, 32, 16, 2].map(|digits| {
        fields.next().filter(|field| field.len() == digits && field.bytes().all(is_hexadecimal))
    });
    let known_length = match version? {
        "ff" => false,
        "00" => text.len() == VERSION_0_LEN,
        // A later version may say more behind these.
        _ => text.len() <= PLAIN_MAX && is_plain(text),
    };
    let is_zero = |field: &str| field.bytes().all(|digit| digit == b'0');
    flags?;
    trace.filter(|trace| known_length && !is_zero(trace) && !parent.is_none_or(is_zero))
}

/// In lower case only.
fn is_hexadecimal(digit: u8) -> bool {
    matches!(digit, b'0'..=b'9' | b'a'..=b'f')
}

fn is_plain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@/+=".contains(&byte);
    (1..=PLAIN_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// Makes traces for statements that come without.
#[derive(Debug, Default)]
pub(crate) struct Generator {
    /// Random, and others in each instance.
    keys: RandomState,
    made: Cell<u64>,
}

impl Generator {
    /// A `traceparent` that says nothing of sampling.
    pub(crate) fn make(&self, session: u64) -> Trace {
        let number = self.made.get().wrapping_add(1);
        self.made.set(number);
        let random = |part: u8| self.keys.hash_one((number, session, part)).max(1);
        let (high, low, parent) = (random(0), random(1), random(2));
        let value = format!("00-{high:016x}{low:016x}-{parent:016x}-00");
        Trace { key: TRACEPARENT.to_owned(), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn id(key: &str, value: &str) -> Option<String> {
        Trace::new(key, value).map(|trace| trace.id().to_owned())
    }

    #[test]
    fn a_traceparent_holds_the_id() {
        let expected = Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned());
        assert_eq!(id(TRACEPARENT, VALID), expected);
        assert_eq!(id("trace_id", VALID), expected);
        assert_eq!(id(TRACEPARENT, &VALID.replacen("00", "cc", 1)), expected);
        assert_eq!(id(TRACEPARENT, &format!("cc{}-what.the-future", &VALID[2..])), expected);
    }

    #[test]
    fn a_traceparent_that_is_not_valid_is_none() {
        for wrong in [
            "",
            "00",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            &VALID[..54],
            &format!("{VALID}-more"),
            &VALID.replacen("00", "ff", 1),
            &VALID.replacen("00", "0", 1),
            &VALID.to_uppercase(),
            &VALID.replace('b', "g"),
            &VALID.replace('-', "_"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-011",
            &format!("cc{}-*/", &VALID[2..]),
            &format!("cc{}-{}", &VALID[2..], "x".repeat(100)),
        ] {
            assert_eq!(id(TRACEPARENT, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_plain_id_is_what_does_no_harm() {
        for plain in [
            "7",
            "req-42",
            "1-67891233-abcdef012345678912345678",
            "a.b:c@d/e+f==",
            &"x".repeat(128),
        ] {
            assert_eq!(id("trace_id", plain).as_deref(), Some(plain));
        }
        for wrong in ["", "a b", "a'b", "a*/b", "a\\b", "a%b", "ä", "a\n", "a;b", &"x".repeat(129)]
        {
            assert_eq!(id("trace_id", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_made_is_valid_and_never_the_same() {
        let (one, two) = (Generator::default(), Generator::default());
        let mut made = Vec::new();
        for session in 0..50 {
            for generator in [&one, &two] {
                let trace = generator.make(session);
                assert_eq!(Trace::new(&trace.key, &trace.value).as_ref(), Some(&trace));
                made.push(trace.id().to_owned());
            }
        }
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 100);
    }
}
