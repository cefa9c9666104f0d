//! What is asked of a server about its users.

use std::io;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, BytesMut};
use tidegate_postgres_wire::auth::{Flow, scram};
use tidegate_postgres_wire::frame::Header;
use tidegate_postgres_wire::message::{Bind, ErrorResponse, Execute, Parse, tag};
use tokio::time::timeout;
use tracing::debug;
use zeroize::Zeroizing;

use crate::pool::ServerLost;
use crate::pool::postgres::{Rows, ServerConn};

/// What is stored about a user whose password is good now. A name that is longer than names are is cut
/// off by the server, and so answers another one.
const QUESTION: &str = "SELECT rolname, rolpassword, rolcanlogin FROM pg_catalog.pg_authid \
     WHERE rolname = $1 AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now())";

/// How users are led: by `md5`, or by SCRAM with so many iterations.
const FLOWS: &str = "SELECT DISTINCT CASE WHEN rolpassword LIKE 'md5%' THEN 'md5' \
     ELSE pg_catalog.split_part(pg_catalog.substr(rolpassword, 15), ':', 1) END \
     FROM pg_catalog.pg_authid WHERE rolcanlogin \
     AND (rolpassword LIKE 'md5%' OR rolpassword LIKE 'SCRAM-SHA-256$%')";

/// A server that takes longer is taken for dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to ask over.
pub(super) struct Interrogator {
    connection: ServerConn,
    since: Instant,
}

/// What a server says of a user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// `None` if there is none, or no such user.
    pub(super) secret: Option<Zeroizing<String>>,
    /// Roles that are no users have passwords, too.
    pub(super) may_login: bool,
}

impl Interrogator {
    pub(super) fn new(connection: ServerConn) -> Self {
        Self { connection, since: Instant::now() }
    }

    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// What is stored about a user, by this query or the catalogue.
    pub(super) async fn ask(
        &mut self,
        query: Option<&str>,
        user: &str,
    ) -> Result<Result<Answer, ErrorResponse>, ServerLost> {
        let mut out = BytesMut::new();
        question(query.unwrap_or(QUESTION), user, &mut out);
        let rows = in_time(self.connection.exchange(&out)).await?;
        Ok(rows.map(|rows| answer(rows, user)))
    }

    /// How the users of the server are led; none if it does not tell.
    pub(super) async fn flows(&mut self) -> Result<Vec<Flow>, ServerLost> {
        let rows = in_time(self.connection.query(FLOWS)).await?.unwrap_or_default();
        Ok(rows.iter().filter_map(|row| flow(row.first()?.as_deref()?)).collect())
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, ServerLost>>) -> Result<T, ServerLost> {
    let late = |_| Err(ServerLost::Io(io::ErrorKind::TimedOut.into()));
    timeout(PATIENCE, asked).await.unwrap_or_else(late)
}

/// The name goes in as a parameter, so that it cannot be anything but a name.
fn question(query: &str, user: &str, out: &mut BytesMut) {
    Parse::untyped(query.as_bytes()).encode(out);
    // One parameter, as text; columns as text.
    let mut rest = BytesMut::new();
    rest.put_slice(&[0, 0, 0, 1]);
    rest.put_u32(u32::try_from(user.len()).unwrap_or_default());
    rest.put_slice(user.as_bytes());
    rest.put_slice(&[0, 0]);
    Bind { portal: b"", statement: b"" }.encode_head(rest.len(), out);
    out.put_slice(&rest);
    Execute { portal: b"", max_rows: 0 }.encode(out);
    out.put_slice(&Header { tag: tag::frontend::SYNC, len: 0 }.encode());
}

/// The columns are the name, the secret and, if there is a third one, whether the user may log in.
fn answer(rows: Rows, user: &str) -> Answer {
    let nobody = Answer { secret: None, may_login: true };
    let Some(row) = rows.into_iter().next() else { return nobody };
    let mut columns = row.into_iter();
    let mut next = || columns.next().flatten();
    let (name, secret, may_login) = (next(), next(), next());
    if name.as_deref() != Some(user.as_bytes()) {
        debug!("a user was asked for, and another one answered");
        return nobody;
    }
    let secret = secret.and_then(|secret| String::from_utf8(secret).ok()).map(Zeroizing::new);
    Answer { secret, may_login: may_login.as_deref() != Some(b"f") }
}

fn flow(text: &[u8]) -> Option<Flow> {
    match text {
        b"md5" => Some(Flow::Md5),
        digits => {
            let iterations = std::str::from_utf8(digits).ok()?.parse().ok()?;
            (1..=scram::ITERATIONS_MAX).contains(&iterations).then_some(Flow::Scram { iterations })
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_postgres_wire::frame::next_message;

    use super::*;

    #[test]
    fn a_name_cannot_be_anything_but_a_name() {
        let mut out = BytesMut::new();
        question(QUESTION, "a' OR ''='", &mut out);
        let mut messages = Vec::new();
        while let Some(message) = next_message(&mut out, 1 << 10).unwrap() {
            messages.push((message.tag, message.payload.to_vec()));
        }
        let statement = [b"\0", QUESTION.as_bytes(), b"\0\0\0"].concat();
        assert_eq!(messages[0], (tag::frontend::PARSE, statement));
        let bind = b"\0\0\0\0\0\x01\0\0\0\x0aa' OR ''='\0\0".to_vec();
        assert_eq!(messages[1], (tag::frontend::BIND, bind));
        let tags: Vec<_> = messages.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, *b"PBES");
    }

    fn answered(cells: &[Option<&str>]) -> Answer {
        let row = cells.iter().map(|cell| cell.map(|text| text.as_bytes().to_vec())).collect();
        answer(vec![row], "app")
    }

    #[test]
    fn an_answer_is_about_the_user_or_nobody() {
        let secret = |answer: &Answer| answer.secret.as_ref().map(|secret| secret.to_string());
        let app = answered(&[Some("app"), Some("md5…"), Some("t")]);
        assert_eq!((secret(&app).as_deref(), app.may_login), (Some("md5…"), true));
        assert!(!answered(&[Some("app"), Some("md5…"), Some("f")]).may_login);
        let own_query = answered(&[Some("app"), Some("md5…")]);
        assert_eq!((secret(&own_query).as_deref(), own_query.may_login), (Some("md5…"), true));
        for nobody in [
            answered(&[Some("app"), None, Some("t")]),
            answered(&[Some("other"), Some("md5…"), Some("t")]),
            answered(&[None, Some("md5…")]),
            answered(&[]),
            answer(Rows::new(), "app"),
        ] {
            assert_eq!(nobody.secret, None);
        }
    }

    #[test]
    fn servers_tell_how_users_are_led() {
        assert_eq!(flow(b"md5"), Some(Flow::Md5));
        assert_eq!(flow(b"4096"), Some(Flow::Scram { iterations: 4096 }));
        for odd in [&b""[..], b"0", b"x", b"4294967296", b"99999999"] {
            assert_eq!(flow(odd), None);
        }
    }
}
