//! Somebody has sent a `NOTIFY` on a channel that the session listens to.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

/// A `NotificationResponse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationResponse<'a> {
    /// The session that has sent it, by the number that its server knows it by.
    pub process_id: u32,
    pub channel: &'a [u8],
    pub payload: &'a [u8],
}

impl<'a> NotificationResponse<'a> {
    /// # Errors
    /// A violation if it is cut short, or followed by anything.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a notification");
        let process_id = reader.u32_be()?;
        let (channel, payload) = (reader.until_nul()?, reader.until_nul()?);
        text::end(&reader).map(|()| Self { process_id, channel, payload })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        frame::write_with(out, tag::backend::NOTIFICATION_RESPONSE, |out| {
            out.put_u32(self.process_id);
            text::put(out, self.channel);
            text::put(out, self.payload);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;
    use crate::cuts;

    #[test]
    fn comes_back_as_it_was() {
        let bytes = b"\0\0\x04\xd2orders\0new\0";
        let notification = NotificationResponse::decode(bytes).unwrap();
        assert_eq!((notification.process_id, notification.channel), (1234, &b"orders"[..]));
        assert_eq!(payload(|out| notification.encode(out)), bytes);
        cuts::are_refused(bytes, NotificationResponse::decode);
    }
}
