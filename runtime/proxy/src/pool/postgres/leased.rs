//! What sessions of PostgreSQL do with a connection before they use it.

use tidegate_postgres_wire::message::ErrorResponse;

use super::{Leased, Settings};
use crate::pool::ServerLost;

impl Leased {
    /// Gives the connection these settings. Where it refuses one, that may be because of what was said
    /// on it before: it is made as good as new, and told everything. The inner error is the server's.
    pub(crate) async fn bring(
        &mut self,
        settings: &Settings,
    ) -> Result<Result<(), ErrorResponse>, ServerLost> {
        let connection = self.connection();
        let Some(missed) = settings.missed_by(&connection.heard) else { return Ok(Ok(())) };
        if connection.query(&missed).await?.is_err() {
            if !self.reset().await {
                return Err(ServerLost::Unclean);
            }
            let all = settings.missed_by(&Settings::default()).unwrap_or_default();
            if let Err(refused) = self.connection().query(&all).await? {
                return Ok(Err(refused));
            }
        }
        self.connection().heard = settings.clone();
        Ok(Ok(()))
    }
}
