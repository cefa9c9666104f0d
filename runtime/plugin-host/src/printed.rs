//! What a plugin prints, cut into lines.

use crate::log_limit::MESSAGE_BYTES_MAX;

/// Where a plugin printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Error,
}

/// Collects the pieces of a line: the standard library prints a message in several writes.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    pending: Vec<u8>,
}

impl LineBuffer {
    /// Takes printed bytes in, and gives each line that is complete, or too long, to `line`.
    pub(crate) fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.pending.len() > MESSAGE_BYTES_MAX {
                self.flush(&mut line);
            }
        }
    }

    /// Gives what is left, complete or not.
    pub(crate) fn flush(&mut self, mut line: impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.pending);
        let text = text.trim_end();
        if !text.is_empty() {
            line(text);
        }
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines() {
        let mut buffer = LineBuffer::default();
        let mut lines = Vec::new();
        for piece in ["one", " line\ntwo\n", "\n", "three"] {
            buffer.push(piece.as_bytes(), |line| lines.push(line.to_owned()));
        }
        assert_eq!(lines, ["one line", "two"]);
        buffer.flush(|line| lines.push(line.to_owned()));
        assert_eq!(lines, ["one line", "two", "three"]);
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_for_ever() {
        let mut buffer = LineBuffer::default();
        let mut lines = 0;
        for _ in 0..100 {
            buffer.push(&[b'x'; 1000], |_| lines += 1);
        }
        assert_eq!(lines, 20);
    }
}
