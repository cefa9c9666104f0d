//! What tidegate itself answers about a session: its number, and the statement before once its
//! connection is given back.

use tidegate_hook::{Answer, Column, Rejection, Reply, Rows};
use tidegate_mysql_wire::error_code::ER_NOT_SUPPORTED_YET;

use super::Session;
use super::trace::Follows;

impl Session {
    /// The answer to a statement that asks about the one before, if no connection that the session
    /// holds can give it.
    pub(super) fn counted(&mut self, follows: Follows) -> Option<Answer> {
        if follows == Follows::ConnectionId {
            return Some(number("CONNECTION_ID()", &self.listed.id.to_string()));
        }
        if !matches!(follows, Follows::FoundRows | Follows::RowCount | Follows::Counts) {
            return None;
        }
        if let Some(last) = self.last
            && (self.leases.at(last).is_some() || !self.is_transactional(last))
        {
            return None;
        }
        Some(match follows {
            Follows::FoundRows => number("FOUND_ROWS()", &self.counts.found.to_string()),
            Follows::RowCount => number("ROW_COUNT()", &self.counts.changed.to_string()),
            _ => Answer::Reject(Rejection {
                code: ER_NOT_SUPPORTED_YET.code.into(),
                sqlstate: String::from_utf8_lossy(&ER_NOT_SUPPORTED_YET.sqlstate).into_owned(),
                message: "tidegate: FOUND_ROWS() and ROW_COUNT() in an expression need the \
                          connection of the statement before; use a transaction, or SELECT them alone"
                    .to_owned(),
            }),
        })
    }
}

fn number(name: &str, value: &str) -> Answer {
    let column = Column { name: name.to_owned(), type_name: "bigint".to_owned() };
    let rows = vec![vec![Some(value.as_bytes().to_vec())]];
    Answer::Reply(Reply::Rows(Rows { columns: vec![column], rows }))
}
