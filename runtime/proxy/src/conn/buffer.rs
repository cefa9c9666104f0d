//! Read buffers that exist only while there is something in them.
//!
//! An idle connection holds none: a worker lends one of its own for the time between the arrival
//! of bytes and their consumption.

use std::cell::RefCell;

/// What one read asks of the kernel at most, in bytes.
const BUFFER_LEN: usize = 32 << 10;
/// A worker keeps no more unused buffers than this.
const SPARE_MAX: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

fn acquire() -> Box<[u8]> {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| vec![0; BUFFER_LEN].into_boxed_slice())
}

fn release(buffer: Box<[u8]>) {
    if buffer.len() == BUFFER_LEN {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARE_MAX {
                spare.push(buffer);
            }
        });
    }
}

/// Bytes that were read and not consumed: `start <= end <= bytes.len()`.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Drops `count` bytes from the front, or all there are; an emptied buffer goes back.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.is_empty() {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
        if !self.bytes.is_empty() {
            release(std::mem::take(&mut self.bytes));
        }
    }

    /// Puts bytes back before those that are there.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        let all = [bytes, self.as_slice()].concat();
        self.clear();
        (self.start, self.end) = (0, all.len());
        self.bytes = all.into_boxed_slice();
    }

    /// Room to read into; makes some where there is none. The caller bounds how far that goes by
    /// consuming what it has.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = acquire();
        } else if self.end == self.bytes.len() {
            self.make_room();
        }
        &mut self.bytes[self.end..]
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end * 2 > self.bytes.len() {
            let mut larger = vec![0; self.bytes.len() * 2].into_boxed_slice();
            larger[..self.end].copy_from_slice(&self.bytes[..self.end]);
            release(std::mem::replace(&mut self.bytes, larger));
        }
    }

    /// Says that `count` bytes of [`Self::room`] were filled.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = self.bytes.len().min(self.end + count);
    }
}

#[cfg(test)]
impl Inbox {
    pub(super) fn holds_nothing(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(inbox: &mut Inbox, bytes: &[u8]) {
        for chunk in bytes.chunks(1000) {
            inbox.room()[..chunk.len().min(1)].copy_from_slice(&chunk[..1]);
            let room = inbox.room();
            let count = chunk.len().min(room.len());
            room[..count].copy_from_slice(&chunk[..count]);
            inbox.filled(count);
            if count < chunk.len() {
                put(inbox, &chunk[count..]);
            }
        }
    }

    #[test]
    fn what_goes_in_comes_out_in_order_at_any_size() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut inbox = Inbox::default();
        put(&mut inbox, &bytes[..100_000]);
        inbox.consume(70_000);
        put(&mut inbox, &bytes[100_000..]);
        assert_eq!(inbox.as_slice(), &bytes[70_000..]);
    }

    #[test]
    fn an_empty_inbox_holds_no_buffer() {
        let mut inbox = Inbox::default();
        put(&mut inbox, b"abc");
        inbox.consume(3);
        assert!(inbox.holds_nothing());
    }
}
