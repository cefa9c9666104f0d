//! What functions and statements say of the statement before: the client's own, whoever had the
//! connection meanwhile.

use super::client::{Client, Outcome};
use super::rows;
use super::settings::database;
use super::wire::Answer;

pub(super) fn warning(client: &mut Client) -> Outcome {
    let tag = client.tag();
    let answer = client.ask(&format!("select cast('{tag}' as signed)"))?;
    let Answer::Rows { warnings, .. } = &answer else {
        return client.rows_of(answer).map(drop);
    };
    client.equal("the number of warnings", warnings, &1)?;
    match client.random.below(4) {
        0 => {
            let row = client.row("select @@warning_count")?;
            client.equal("@@warning_count", &row, &vec![Some("1".to_owned())])
        }
        1 => {
            let row = client.row("show count(*) warnings")?;
            client.equal("show count(*) warnings", &row, &vec![Some("1".to_owned())])
        }
        _ => about(client, "show warnings", "1292", &tag),
    }
}

pub(super) fn error(client: &mut Client) -> Outcome {
    let tag = client.tag();
    let answer = client.ask(&format!("select `{tag}`"))?;
    client.error(&answer, 1054, &tag)?;
    let show = client.random.pick(&["show warnings", "show errors"]);
    about(client, show, "1054", &tag)
}

/// One row, with this code, and a message about this.
fn about(client: &mut Client, show: &str, code: &str, tag: &str) -> Outcome {
    let row = client.row(show)?;
    client.equal("the code", &row.get(1), &Some(&Some(code.to_owned())))?;
    let message = row.get(2).cloned().flatten().unwrap_or_default();
    let is_mine = message.contains(tag);
    client.equal(&format!("that {message:?} is about {tag}"), &is_mine, &true)
}

pub(super) fn no_warning(client: &mut Client) -> Outcome {
    let over = client.world.clients[client.number].over();
    let tag = client.tag();
    client.row(&format!("select '{tag}' from common.seq_1_to_1"))?;
    let rows = client.rows("show warnings")?;
    // Who is hit too late to fail may still be told.
    if client.world.clients[client.number].may_be_hit(over) {
        return Ok(());
    }
    client.equal("show warnings", &rows, &Vec::new())
}

pub(super) fn found_rows(client: &mut Client) -> Outcome {
    let count = 2 + client.random.below(40);
    let text = match client.random.one_in(3) {
        true => format!("select sql_calc_found_rows seq from common.seq_1_to_{count} limit 1"),
        false => format!("select seq from common.seq_1_to_{count}"),
    };
    client.rows(&text)?;
    let text = client.random.pick(&["select found_rows()", "SELECT FOUND_ROWS() as n"]);
    let row = client.row(text)?;
    client.equal(text, &row, &vec![Some(count.to_string())])
}

pub(super) fn row_count(client: &mut Client) -> Outcome {
    if client.random.one_in(3) {
        client.rows("select seq from common.seq_1_to_3")?;
        let row = client.row("select row_count()")?;
        return client.equal("row_count()", &row, &vec![Some("-1".to_owned())]);
    }
    let count = 1 + client.random.below(4);
    rows::insert_rows(client, count)?;
    let row = client.row("select row_count()")?;
    client.equal("row_count()", &row, &vec![Some(count.to_string())])
}

pub(super) fn insert_id(client: &mut Client) -> Outcome {
    let text =
        client.random.pick(&["select last_insert_id()", "select 0 + last_insert_id() as id"]);
    let row = client.row(text)?;
    client.equal(text, &row, &vec![Some(client.session.insert_id.to_string())])
}

/// What a client says that its last number is, it is.
pub(super) fn set_insert_id(client: &mut Client) -> Outcome {
    let database = database(client)?;
    let ids: Vec<u64> = rows::seen(client)[database].keys().copied().collect();
    if ids.is_empty() || client.random.one_in(2) {
        let id = rows::first_number(client.number, database) + client.random.next() % 1000;
        let answer = client.act(&format!("select last_insert_id({id})"))?;
        let answered = client.rows_of(answer)?;
        client.session.insert_id = id;
        return client.equal("last_insert_id()", &answered, &vec![vec![Some(id.to_string())]]);
    }
    let id = client.random.pick(&ids);
    let answer =
        client.act(&format!("update stored set id = last_insert_id(id) where id = {id}"))?;
    client.done(&answer)?;
    client.session.insert_id = id;
    // It changes nothing, but may open a transaction.
    if !rows::is_stored_at_once(client) {
        client.session.work = Some(rows::seen(client).clone());
    }
    Ok(())
}
