//! Sending a copy of a statement to another target, and dropping what that answers.

use std::sync::Arc;

use tracing::debug;

use super::Session;
use super::statement::Asked;
use crate::pool::postgres::Borrower;

impl Session {
    /// Sends the copy in the background, if a plugin wants one. `text` is what is sent, whole.
    pub(super) fn mirror(&self, asked: &Asked, text: &[u8]) {
        let target = asked.verdict.mirror().and_then(|id| self.listener.targets().get(id));
        let upstream = target.and_then(|target| self.listener.upstreams().get(target.upstream));
        let (Some(target), Some(upstream)) = (target, upstream.cloned()) else {
            return;
        };
        let Ok(text) = std::str::from_utf8(text) else {
            return debug!(session = self.context.id, "not mirrored: it is not UTF-8");
        };
        let (text, settings) = (text.to_owned(), self.settings.clone());
        let (identity, credential) = (Arc::clone(&self.identity), self.credential.clone());
        let session = self.context.id;
        tokio::spawn(async move {
            let state = settings.fingerprint();
            let borrower = Borrower { identity: &identity, credential: &credential, state };
            let mut leased = match upstream.lease(target.member, borrower).await {
                Ok(leased) => leased,
                Err(error) => return debug!(session, "not mirrored: {error}"),
            };
            let outcome = match leased.bring(&settings).await {
                Ok(Ok(())) => leased.connection().query(&text).await.map(drop),
                other => other.map(drop),
            };
            match outcome {
                // Whatever it has left there, nobody has asked for.
                Ok(()) => leased.give_back_reset(),
                Err(error) => debug!(session, "a mirrored statement was lost: {error}"),
            }
        });
    }
}
