//! `COM_CHANGE_USER`: a client logs in anew on the connection that it has.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html>

use std::sync::Arc;

use bytes::BytesMut;
use tidegate_hook::SessionState;
use tidegate_mysql_wire::downstream::{self, Login, Offer, PACKET_MAX, Reason};
use tidegate_mysql_wire::frame::Packets;
use tidegate_telemetry::LoginResult;
use tidegate_wire::Violation;
use tokio::time::timeout;
use tracing::info;
use zeroize::{Zeroize as _, Zeroizing};

use super::super::command::{ClientLost, HELD_MAX, Head};
use super::super::{End, Session};
use super::prove::prove;
use super::{Entered, LoginFailure, Reader, come_in, offer};

/// Who was refused so often is guessing.
const REFUSED_MAX: u8 = 3;

impl Session {
    /// Whether it succeeds or not, all that the session has said is forgotten. A client that is
    /// refused stays who it was.
    pub(in super::super) async fn change_user(&mut self, head: Head) -> Result<(), End> {
        if !head.is_whole() {
            let (len, max) = (head.len() as u64, HELD_MAX as u64);
            let what = "change of the user";
            return Err(ClientLost::from(Violation::TooLong { what, len, max }).into());
        }
        let argument = Zeroizing::new(head.argument(&self.client.inbox).to_vec());
        head.argument_mut(&mut self.client.inbox).zeroize();
        self.discard(head).await?;
        self.forget();
        let limit = self.listener.config().login_timeout;
        let changed = timeout(limit, self.log_in_anew(&argument)).await;
        let failure = match changed.unwrap_or(Err(LoginFailure::TimedOut(limit))) {
            Ok(()) => {
                self.listener.metrics().login(LoginResult::Ok);
                self.refused = 0;
                return Ok(());
            }
            Err(failure) => failure,
        };
        self.listener.metrics().login(failure.result());
        self.refused += 1;
        let session = self.context.id;
        info!(session, user = %self.context.user, "change of the user failed: {failure}");
        let mut out = BytesMut::new();
        let told = failure.write(&mut out);
        self.send(&out).await?;
        let broken = match &failure {
            LoginFailure::Refused(refusal) => matches!(refusal.reason, Reason::Violation(_)),
            _ => !told,
        };
        match broken || self.refused >= REFUSED_MAX {
            true => Err(End::Login(failure.to_string())),
            false => Ok(()),
        }
    }

    async fn log_in_anew(&mut self, argument: &[u8]) -> Result<(), LoginFailure> {
        let listener = Arc::clone(&self.listener);
        let before = Login {
            user: self.context.user.to_string(),
            database: None,
            collation: self.identity.collation,
            capabilities: self.capabilities,
            attributes: Vec::new(),
            compression: None,
            tls: self.context.state.contains(SessionState::TLS),
        };
        let offer =
            Offer { nonce: self.nonce, ..offer(&listener, &self.client, self.context.id).await? };
        let identified = downstream::change_user(argument, &before, offer, self.reply_sequence)?;
        let login = identified.login().clone();
        let (mut packets, mut pending) = (Packets::new(PACKET_MAX), BytesMut::new());
        let mut reader =
            Reader { client: &mut self.client, packets: &mut packets, pending: &mut pending };
        let proven = prove(&listener, &mut reader, identified).await?;
        let mut context = self.context.clone();
        context.change_user(&login.user, login.database.as_deref());
        context.connection_attributes = login.attributes.iter().map(|(k, v)| (k, v)).collect();
        let Entered { context, identity, accepted, default, status, .. } =
            come_in(&listener, &mut self.client, context, &login, proven, self.nonce).await?;
        self.listed.belongs_to(&context.user);
        self.context = context;
        self.identity = identity;
        self.credential = accepted.credential;
        self.default = default;
        (self.fresh_status, self.status) = (status, status);
        Ok(())
    }
}
