//! What sessions of MySQL do with a connection before they use it, and when they give it back.

use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::packet::ErrPacket;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::settings::{Missed, Settings};
use super::{Identity, Leased, ServerConn, charset};
use crate::pool::ServerLost;

/// Answers the number of the row that was inserted last on a connection.
pub(crate) const LAST_INSERT_ID: &str = "SELECT LAST_INSERT_ID()";
/// Answers 1 on a connection that has no current database.
const NO_DATABASE: &str = "SELECT DATABASE() IS NULL";
/// As [`LAST_INSERT_ID`], and makes it 0.
const TAKE_LAST_INSERT_ID: &str = "SELECT LAST_INSERT_ID(), LAST_INSERT_ID(0)";

impl Leased {
    /// As [`Self::give_back`], after asking in the background for the number of the row that was
    /// inserted last: the session may want to know it, on whichever connection it then has.
    pub(crate) fn give_back_asking(self, then_reset: bool) -> oneshot::Receiver<u64> {
        let (answer, question) = oneshot::channel();
        tokio::spawn(async move {
            let mut leased = self;
            let limit = leased.server().route.timeout;
            let asked = leased.connection().query_number(TAKE_LAST_INSERT_ID);
            let Ok(Ok(id)) = timeout(limit, asked).await else { return };
            // A session that is gone does not want to know.
            let _ = answer.send(id);
            if !then_reset || leased.reset().await {
                leased.give_back();
            }
        });
        question
    }

    /// As [`Self::give_back_asking`] of a connection that nobody may have again, because somebody's
    /// `KILL QUERY` is on its way to it: the question may be hit, and then is asked again.
    pub(crate) fn close_asking(self) -> oneshot::Receiver<u64> {
        let (answer, question) = oneshot::channel();
        tokio::spawn(async move {
            let mut leased = self;
            let limit = leased.server().route.timeout;
            let connection = leased.connection();
            let asked = async {
                match connection.query_number(LAST_INSERT_ID).await {
                    Err(ServerLost::Violation(_)) => connection.query_number(LAST_INSERT_ID).await,
                    asked => asked,
                }
            };
            if let Ok(Ok(id)) = timeout(limit, asked).await {
                let _ = answer.send(id);
            }
        });
        question
    }

    /// Gives the connection these settings. One that has heard what is not among them is reset. The
    /// inner error is the server's, to one of them.
    pub(crate) async fn bring(
        &mut self,
        settings: &Settings,
    ) -> Result<Result<(), ErrPacket>, ServerLost> {
        let heard = &self.connection().heard;
        let commands: Vec<(Command, &[u8])> = match settings.missed_by(heard) {
            Missed::Nothing => return Ok(Ok(())),
            Missed::Entries(entries) => {
                entries.iter().map(|entry| (entry.command, &*entry.argument)).collect()
            }
            Missed::StartOver => {
                if !self.reset().await {
                    return Err(ServerLost::Unclean);
                }
                settings.entries().map(|entry| (entry.command, &*entry.argument)).collect()
            }
        };
        let connection = self.connection();
        connection.heard = settings.clone();
        connection.exchange(&commands).await
    }

    /// As [`Self::bring`], from settings that the same session had before: since what it sets is only
    /// ever set anew, nothing has to be reset.
    pub(crate) async fn bring_forward(
        &mut self,
        settings: &Settings,
    ) -> Result<Result<(), ErrPacket>, ServerLost> {
        let connection = self.connection();
        let entries: Vec<_> = match settings.missed_by(&connection.heard) {
            Missed::Nothing => return Ok(Ok(())),
            Missed::Entries(entries) => entries,
            Missed::StartOver => settings.entries().collect(),
        };
        let commands: Vec<(Command, &[u8])> =
            entries.iter().map(|entry| (entry.command, &*entry.argument)).collect();
        connection.heard = settings.clone();
        connection.exchange(&commands).await
    }
}

/// Makes a connection as good as new; `false` if that cannot be done.
///
/// `COM_RESET_CONNECTION` also forgets the character set of the login, so that is said again.
pub(super) async fn reset(connection: &mut ServerConn, identity: &Identity) -> bool {
    let Some(names) = charset::set_names(identity.collation) else {
        return false;
    };
    let mut commands: Vec<(Command, &[u8])> =
        vec![(Command::ResetConnection, b""), (Command::Query, names.as_bytes())];
    if let Some(database) = &identity.database {
        commands.push((Command::InitDb, database.as_bytes()));
    }
    if let Some(statement) = connection.tracking() {
        commands.push((Command::Query, statement.as_bytes()));
    }
    // The reset closes all statements, also those that were to be closed with the next command.
    connection.pending.clear();
    connection.statements.clear();
    connection.heard = Settings::default();
    let done = matches!(connection.exchange(&commands).await, Ok(Ok(())));
    // A reset leaves the database as it is, and there is no way back to none.
    let has_own = identity.database.is_some();
    done && (has_own || matches!(connection.query_number(NO_DATABASE).await, Ok(1)))
}
