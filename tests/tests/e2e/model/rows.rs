//! Rows of the client's own tables, and transactions. Every table is called `stored`; the current
//! database says whose it is.

use super::client::{Client, Outcome, Stop, table_of};
use super::session::Table;
use super::settings::database;

/// Numbers of rows say whose they are: a million for each table.
const NUMBERS: u64 = 1_000_000;

/// The first number of a table.
pub(super) fn first_number(client: usize, database: usize) -> u64 {
    (client as u64 * 2 + database as u64 + 1) * NUMBERS
}

/// What the client sees.
pub(super) fn seen(client: &Client) -> &[Table; 2] {
    client.session.work.as_ref().unwrap_or(&client.stored)
}

/// A change that is stored at once, unless a transaction is open.
fn change_to(client: &mut Client, text: &str, then: &[Table; 2]) -> Outcome<(u64, u64)> {
    let answer = match is_stored_at_once(client) {
        true => client.store(text, then)?,
        false => client.act(text)?,
    };
    client.done(&answer)
}

pub(super) fn is_stored_at_once(client: &Client) -> bool {
    client.session.autocommit && client.session.work.is_none()
}

/// Takes note of a change.
pub(super) fn changed(client: &mut Client, then: [Table; 2]) {
    if is_stored_at_once(client) {
        client.stored = then;
        client.session.wrote = true;
    } else {
        client.session.work = Some(then);
    }
}

pub(super) fn insert(client: &mut Client) -> Outcome {
    let count = 1 + client.random.below(3);
    insert_rows(client, count)
}

pub(super) fn insert_rows(client: &mut Client, count: usize) -> Outcome {
    let database = database(client)?;
    let tags: Vec<String> = (0..count).map(|_| client.tag()).collect();
    let then = with_rows(seen(client), database, u64::MAX - 10, &tags);
    let values: Vec<String> = tags.iter().map(|tag| format!("('{tag}')")).collect();
    let text = format!("insert into stored (tag) values {}", values.join(", "));
    let (affected, id) = change_to(client, &text, &then)?;
    client.equal("the number of inserted rows", &affected, &(count as u64))?;
    inserted(client, database, id, &tags)
}

/// The rows have got numbers from this on, which must be the client's own.
pub(super) fn inserted(client: &mut Client, database: usize, id: u64, tags: &[String]) -> Outcome {
    let first = first_number(client.number, database);
    let last = seen(client)[database].keys().next_back().copied().unwrap_or(first - 1);
    if id <= last || id >= first + NUMBERS {
        return Err(Stop::Wrong(format!("a row got the number {id} after {last}")));
    }
    let then = with_rows(seen(client), database, id, tags);
    client.session.insert_id = id;
    changed(client, then);
    Ok(())
}

fn with_rows(tables: &[Table; 2], database: usize, first: u64, tags: &[String]) -> [Table; 2] {
    let mut tables = tables.clone();
    tables[database].extend((first..).zip(tags.iter().cloned()));
    tables
}

/// Changes or removes a row, if there is one.
pub(super) fn change(client: &mut Client) -> Outcome {
    let database = database(client)?;
    let mut then = seen(client).clone();
    let rows: Vec<u64> = then[database].keys().copied().collect();
    if rows.is_empty() {
        return insert(client);
    }
    let (id, tag) = (client.random.pick(&rows), client.tag());
    let before = rows.len();
    let text = if before > 40 {
        then[database] = then[database].split_off(&rows[30]);
        format!("delete from stored where id < {}", rows[30])
    } else if client.random.one_in(3) {
        then[database].remove(&id);
        format!("delete from stored where id = {id}")
    } else {
        then[database].insert(id, tag.clone());
        format!("update stored set tag = '{tag}' where id = {id}")
    };
    let expected = (before - then[database].len()).max(1) as u64;
    let over = client.world.clients[client.number].over();
    let (affected, _) = change_to(client, &text, &then)?;
    // A server that is hit while it looks for the rows may say that there are none.
    if affected == 0 && client.world.clients[client.number].may_be_hit(over) {
        return Ok(());
    }
    client.equal("the number of changed rows", &affected, &expected)?;
    changed(client, then);
    Ok(())
}

/// Reads a whole table, wherever that is.
pub(super) fn read(client: &mut Client) -> Outcome {
    let current = database(client)?;
    let mut text = "select id, tag from stored order by id".to_owned();
    let mut database = current;
    if client.random.one_in(4) {
        database = 1 - current;
        text = format!("select id, tag from {}.stored order by id", client.database_name(database));
    }
    // Before a session has stored anything, a replica may be behind.
    if !client.session.wrote && client.session.work.is_none() && client.session.autocommit {
        text.insert_str(0, "/* tidegate: route=primary */ ");
    } else if client.random.one_in(5) {
        text += " for update";
    }
    let rows = client.rows(&text)?;
    client.equal(&text, &table_of(&rows), &seen(client)[database])
}

/// Ends what was open, as every server does, and opens a transaction.
pub(super) fn begin(client: &mut Client) -> Outcome {
    let text = client.random.pick(&["begin", "start transaction", "START TRANSACTION READ WRITE"]);
    end(client, text, true)?;
    client.session.work = Some(client.stored.clone());
    Ok(())
}

pub(super) fn commit(client: &mut Client) -> Outcome {
    end(client, "commit", true)
}

pub(super) fn rollback(client: &mut Client) -> Outcome {
    end(client, "rollback", false)
}

fn end(client: &mut Client, text: &str, store: bool) -> Outcome {
    let work = client.session.work.clone().filter(|_| store);
    let then = work.unwrap_or_else(|| client.stored.clone());
    let answer = client.store(text, &then)?;
    client.done(&answer)?;
    client.session.wrote |= client.stored != then;
    client.stored = then;
    client.session.work = None;
    Ok(())
}

pub(super) fn set_autocommit(client: &mut Client) -> Outcome {
    if client.session.autocommit {
        client.act_done("set autocommit = 0")?;
        client.session.autocommit = false;
        return Ok(());
    }
    end(client, "set autocommit = 1", true)?;
    client.session.autocommit = true;
    Ok(())
}

/// What is said of the next transaction holds for it and for no other.
pub(super) fn set_transaction(client: &mut Client) -> Outcome {
    if !is_stored_at_once(client) {
        return rollback(client);
    }
    database(client)?;
    client.act_done("set transaction read only")?;
    client.act_done("begin")?;
    client.session.work = Some(client.stored.clone());
    let answer = client.act("insert into stored (tag) values ('never')")?;
    client.error(&answer, 1792, "READ ONLY")?;
    rollback(client)?;
    insert(client)
}

/// A part of a transaction is taken back.
pub(super) fn use_savepoint(client: &mut Client) -> Outcome {
    if client.session.work.is_none() {
        begin(client)?;
    }
    client.act_done("savepoint mine")?;
    let before = seen(client).clone();
    change(client)?;
    insert(client)?;
    if client.random.one_in(4) {
        return client.act_done("release savepoint mine");
    }
    client.act_done("rollback to savepoint mine")?;
    client.session.work = Some(before);
    read(client)
}
