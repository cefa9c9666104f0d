//! How much a plugin may write to the log.

/// Messages that may come at once.
const BURST: u64 = 200;
/// Messages a second, in the long run.
const PER_SECOND: u64 = 100;
/// Longer messages are cut.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4096;

/// A token bucket that counts what it refused. Time is passed in.
#[derive(Debug)]
pub(crate) struct LogLimit {
    /// In thousandths of a message.
    tokens: u64,
    filled_ms: u64,
    refused: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self { tokens: BURST * 1000, filled_ms: 0, refused: 0 }
    }
}

impl LogLimit {
    /// `Some` if a message may be written now, with how many were refused before it.
    pub(crate) fn admit(&mut self, now_ms: u64) -> Option<u64> {
        let passed = now_ms.saturating_sub(self.filled_ms);
        self.filled_ms = now_ms;
        self.tokens =
            self.tokens.saturating_add(passed.saturating_mul(PER_SECOND)).min(BURST * 1000);
        if self.tokens < 1000 {
            self.refused += 1;
            return None;
        }
        self.tokens -= 1000;
        Some(std::mem::take(&mut self.refused))
    }
}

/// As much of a message as is logged.
pub(crate) fn cut(message: &str) -> &str {
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    message.get(..end).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_refused_counted_and_let_in_again() {
        let mut limit = LogLimit::default();
        let written = (0..1000).filter(|_| limit.admit(1).is_some()).count();
        assert_eq!(written, 200);
        assert_eq!(limit.admit(11), Some(800), "ten milliseconds make one message");
        assert_eq!(limit.admit(11), None);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let long = "ü".repeat(MESSAGE_BYTES_MAX);
        assert_eq!(cut(&long).len(), MESSAGE_BYTES_MAX);
        assert_eq!(cut("short"), "short");
    }
}
