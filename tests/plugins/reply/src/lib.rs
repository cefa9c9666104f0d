//! Answers in the server's place: `SELECT 'who'` with rows of every type, `DELETE FROM reply` with
//! counts, an id and a line of text.

use tidegate_sdk::sql::*;

struct Answers;

impl SqlPlugin for Answers {
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
        match statement.text() {
            "SELECT 'who'" => Verdict::reply_rows(who(session)),
            "SELECT 'nobody'" => Verdict::reply_rows(Rows::new([("who", ColumnType::Text)])),
            "DELETE FROM reply" => Verdict::reply_done(3).last_insert_id(7).info("as you wish"),
            _ => Verdict::next(),
        }
    }
}

fn who(session: &Session) -> Rows {
    let columns = [
        ("who", ColumnType::Text),
        ("number", ColumnType::Bigint),
        ("share", ColumnType::Double),
        ("bytes", ColumnType::Blob),
    ];
    Rows::new(columns)
        .row([session.user().into(), Value::from(42_i64), 0.5.into(), vec![0, 255].into()])
        .row([Value::from("nobody"), None::<i64>.into(), None::<f64>.into(), None::<&str>.into()])
}

tidegate_sdk::export_sql!(Answers);
