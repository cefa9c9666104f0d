//! One file per message: what stands in it, how to read it, how to write it.
//!
//! Decoders are given the payload without its header; they borrow or copy what is there and trust no
//! length. Encoders write the whole message. Names, statements and values are bytes in whichever
//! encoding the client has chosen; what a login says is UTF-8.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

mod authentication;
mod bind;
mod command_complete;
mod data_row;
mod error_response;
mod execute;
mod negotiate_protocol_version;
mod notification_response;
mod parameter_status;
mod parse;
mod query;
mod ready_for_query;
mod row_description;
mod sasl_initial_response;
pub mod tag;
mod target;

pub use authentication::{Authentication, Mechanisms, write_response};
pub use bind::Bind;
pub use command_complete::CommandComplete;
pub use data_row::DataRow;
pub(crate) use error_response::sqlstate_of;
pub use error_response::{ErrorResponse, Field, Severity};
pub use execute::Execute;
pub use negotiate_protocol_version::NegotiateProtocolVersion;
pub use notification_response::NotificationResponse;
pub use parameter_status::ParameterStatus;
pub use parse::Parse;
pub use query::{fail_copy, query, read_query};
pub use ready_for_query::{ReadyForQuery, TransactionStatus};
pub use row_description::{Column, row_description};
pub use sasl_initial_response::SaslInitialResponse;
pub use target::Target;

/// What encoders have written.
#[cfg(test)]
mod written {
    use bytes::BytesMut;

    use crate::frame;

    /// The payload of the one message.
    pub(super) fn payload(encode: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
        let mut out = BytesMut::new();
        encode(&mut out);
        let message = frame::next_message(&mut out, usize::MAX).unwrap().unwrap();
        assert!(out.is_empty(), "one message");
        message.payload.to_vec()
    }
}
