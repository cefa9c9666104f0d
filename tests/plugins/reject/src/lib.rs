//! Rejects a statement that says `forbidden` with an error of its own, one that says `refused` with the
//! host's default, and the user `banned` at the door.

use tidegate_sdk::{connection::*, sql::*};

struct Reject;

impl SqlPlugin for Reject {
    fn on_statement(&self, _: &Session, statement: &Statement) -> Verdict {
        if statement.text().contains("forbidden") {
            Verdict::reject(Rejection::new("this is forbidden").code(1142).sqlstate("42000"))
        } else if statement.text().contains("refused") {
            Verdict::reject("this is refused")
        } else {
            Verdict::next()
        }
    }
}

impl ConnectionPlugin for Reject {
    fn on_authenticated(&self, session: &Session) -> Admission {
        if session.user() == "banned" {
            Admission::reject("you are banned")
        } else {
            Admission::next()
        }
    }
}

tidegate_sdk::export!(Reject: sql, connection);
