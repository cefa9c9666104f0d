//! The handshake: who is there, by `mysql_native_password`.

use anyhow::Context as _;
use tidegate_mysql_wire::auth::{Method, native_password};
use tidegate_mysql_wire::capabilities::{Capabilities, SUPPORTED_BY_CLIENT_SIDE};
use tidegate_mysql_wire::error_code::{self, ErrorCode};
use tidegate_mysql_wire::packet::{
    AuthSwitchRequest, ErrPacket, Greeting, HandshakeResponse, NONCE_LEN, OkPacket,
};
use tidegate_mysql_wire::status::StatusFlags;

use super::answer::Refusal;
use super::connection::Connection;
use super::{database, variables};
use crate::password;

/// `utf8mb4_general_ci`.
const COLLATION: u8 = 45;

/// A client that proved who it is.
pub(super) struct Login {
    pub(super) user: String,
    /// What both sides can do.
    pub(super) capabilities: Capabilities,
}

/// Carries out the handshake. `None` when the client left or was refused.
pub(super) fn log_in(connection: &mut Connection, id: u32) -> anyhow::Result<Option<Login>> {
    let nonce = nonce()?;
    greet(connection, id, nonce)?;
    let Some(payload) = connection.read()? else {
        return Ok(None);
    };
    let response = HandshakeResponse::decode(&payload)?;
    let Some(proof) = proof(connection, &response, nonce)? else {
        return Ok(None);
    };
    let capabilities = SUPPORTED_BY_CLIENT_SIDE & response.capabilities;
    if !is_right(&response.user, &proof, &nonce) {
        let message = format!("Access denied for user '{}'@'localhost'", response.user);
        refuse(connection, error_code::ER_ACCESS_DENIED, message)?;
        return Ok(None);
    }
    if let Some(Err(Refusal { code, message })) =
        response.database.as_deref().map(database::use_database)
    {
        refuse(connection, code, message)?;
        return Ok(None);
    }
    let status = StatusFlags::AUTOCOMMIT;
    connection.write(|out| OkPacket { status, ..OkPacket::default() }.encode(out, capabilities));
    connection.flush()?;
    Ok(Some(Login { user: response.user, capabilities }))
}

/// No byte is 0 or `$`: some clients take these for the end.
fn nonce() -> anyhow::Result<[u8; NONCE_LEN]> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).context("the system gives no random bytes")?;
    Ok(nonce.map(|byte| b'A' + byte % 26))
}

fn greet(connection: &mut Connection, id: u32, nonce: [u8; NONCE_LEN]) -> anyhow::Result<()> {
    let greeting = Greeting {
        server_version: variables::VERSION.to_owned(),
        connection_id: id,
        nonce,
        capabilities: SUPPORTED_BY_CLIENT_SIDE,
        collation: COLLATION,
        status: StatusFlags::AUTOCOMMIT,
        method: Method::NativePassword.name().to_owned(),
    };
    connection.write(|out| greeting.encode(out));
    connection.flush()
}

/// What the client makes of its password, by our method; `None` when it left.
fn proof(
    connection: &mut Connection,
    response: &HandshakeResponse,
    nonce: [u8; NONCE_LEN],
) -> anyhow::Result<Option<Vec<u8>>> {
    let method = Method::NativePassword.name();
    if response.method.as_deref().is_none_or(|theirs| theirs == method) {
        return Ok(Some(response.proof.clone()));
    }
    let data = [&nonce[..], &[0]].concat();
    let switch = AuthSwitchRequest { method: method.to_owned(), data };
    connection.write(|out| switch.encode(out));
    connection.flush()?;
    Ok(connection.read()?.map(|payload| payload.to_vec()))
}

fn is_right(user: &str, proof: &[u8], nonce: &[u8; NONCE_LEN]) -> bool {
    password(user).is_some_and(|password| {
        let stored = native_password::stage2(&native_password::stage1(password.as_bytes()));
        native_password::recover(proof, nonce, &stored).is_some()
    })
}

fn refuse(connection: &mut Connection, code: ErrorCode, message: String) -> anyhow::Result<()> {
    connection.write(|out| ErrPacket::new(code, message).encode(out, Capabilities::PROTOCOL_41));
    connection.flush()
}
