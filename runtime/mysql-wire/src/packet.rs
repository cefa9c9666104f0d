//! One file per packet: what stands in it, how to read it, how to write it.
//!
//! Decoders are given the payload without its header, and the capabilities where these change the
//! layout. They borrow or copy what is there and trust no length.

mod auth_more_data;
mod auth_switch_request;
mod binary_value;
mod bulk_execute;
mod change_user;
mod column_definition;
mod eof;
mod err;
mod execute;
mod greeting;
mod handshake_response;
mod ok;
mod prepare_ok;
mod query_attributes;
mod result_set;
mod session_changes;
mod ssl_request;
mod text_row;

pub use auth_more_data::AuthMoreData;
pub use auth_switch_request::AuthSwitchRequest;
pub use bulk_execute::{BulkExecute, BulkFlags};
pub use change_user::ChangeUser;
pub use column_definition::{ColumnDefinition, ColumnFlags, ColumnType};
pub use eof::EofPacket;
pub use err::ErrPacket;
pub use execute::{Execute, ExecuteFlags, Prepared};
pub use greeting::{Greeting, NONCE_LEN};
pub use handshake_response::{ATTRIBUTES_MAX, HandshakeResponse};
pub use ok::OkPacket;
pub use prepare_ok::PrepareOk;
pub use query_attributes::{QueryAttribute, QueryAttributes};
pub use result_set::{Cell, NotOfType, binary_result_set, prepared, result_set};
pub use session_changes::{SessionChange, SessionChanges, TransactionState};
pub use ssl_request::SslRequest;
pub use text_row::TextRow;

/// What every decoder is tried with.
#[cfg(test)]
mod cuts {
    use tidegate_wire::Violation;

    /// Any part of a packet must be refused, and nothing may panic.
    pub(super) fn are_refused<T: std::fmt::Debug>(
        whole: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, Violation>,
    ) {
        decode(whole).unwrap();
        for cut in 0..whole.len() {
            let decoded = decode(&whole[..cut]);
            assert!(decoded.is_err(), "cut at {cut} of {}: {decoded:?}", whole.len());
        }
    }
}
