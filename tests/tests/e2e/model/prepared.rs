//! Prepared statements of the protocol: the same few texts for all clients, over databases of their
//! own.

use super::client::{Client, Outcome, Stop};
use super::rows;
use super::session::Prepared;
use super::settings::database;
use super::wire::{Answer, CURSOR_EXISTS, LAST_ROW_SENT, Row};

/// A session prepares no more before it closes some.
const PREPARED_MAX: usize = 8;

const TEXTS: [(&str, usize); 8] = [
    ("select concat(?, '/', ?), database()", 2),
    ("select tag from stored where tag = ?", 1),
    ("select ?, ifnull(@a, 'none')", 1),
    ("insert into stored (tag) values (?)", 1),
    ("select concat(last_insert_id(), '')", 0),
    ("select concat(@@group_concat_max_len, ''), @@sql_mode", 0),
    ("select concat(seq, ?) from common.seq_1_to_7", 1),
    ("set @c = ?", 1),
];
const JOINED: usize = 0;
const FOUND: usize = 1;
const VARIABLE: usize = 2;
const INSERTED: usize = 3;
const INSERT_ID: usize = 4;
const SETTINGS: usize = 5;
const SEVEN: usize = 6;
/// This one is not among those that are prepared at random: it holds the connection.
const SET: usize = 7;

/// The statement means what it meant elsewhere; the proxy cannot say so in this place.
const NEED_REPREPARE: u16 = 1615;
/// Long data that was lost is told at the execution.
const UNKNOWN_STATEMENT: u16 = 1243;

pub(super) fn prepare(client: &mut Client) -> Outcome {
    let text = client.random.below(SET);
    prepare_text(client, text).map(drop)
}

fn prepare_text(client: &mut Client, text: usize) -> Outcome<usize> {
    let database = Some(database(client)?);
    if client.session.prepared.len() >= PREPARED_MAX {
        close(client)?;
    }
    let mut id = 0;
    let what = format!("COM_STMT_PREPARE {}", TEXTS[text].0);
    let answers = client.carry_out(&what, false, |wire| match wire.prepare(TEXTS[text].0)? {
        Ok(prepared) => {
            id = prepared;
            Ok(Vec::new())
        }
        Err(error) => Ok(vec![error]),
    })?;
    if let Some(error) = answers.first() {
        return Err(Stop::Wrong(format!("cannot prepare: {error:?}")));
    }
    if client.session.prepared.iter().any(|known| known.id == id) {
        return Err(Stop::Wrong(format!("statement {id} is another one already")));
    }
    let shape = client.session.shape;
    client.session.prepared.push(Prepared { id, text, database, shape, executed: false });
    Ok(client.session.prepared.len() - 1)
}

/// One of the statements that are prepared, with this text if that matters.
fn choose(client: &mut Client, text: Option<usize>) -> Outcome<usize> {
    let matching: Vec<usize> = (0..client.session.prepared.len())
        .filter(|at| text.is_none_or(|text| client.session.prepared[*at].text == text))
        .collect();
    match matching.is_empty() {
        true => {
            let text = text.unwrap_or_else(|| client.random.below(SET));
            prepare_text(client, text)
        }
        false => Ok(client.random.pick(&matching)),
    }
}

pub(super) fn execute(client: &mut Client) -> Outcome {
    let at = choose(client, None)?;
    let statement = client.session.prepared[at].clone();
    let (one, other) = (client.tag(), client.tag());
    let database = statement.database.unwrap_or(0);
    if statement.text == INSERTED {
        return execute_insert(client, at, &one);
    }
    // Before the session has stored anything, a replica may be behind.
    if statement.text == FOUND && rows::is_stored_at_once(client) && !client.session.wrote {
        return rows::insert(client);
    }
    let sought = match rows::seen(client)[database].values().next() {
        Some(tag) if statement.text == FOUND => tag.clone(),
        _ => one.clone(),
    };
    let parameters = [Some(sought.as_str()), Some(other.as_str())];
    let parameters = &parameters[..TEXTS[statement.text].1];
    let Some(answer) = run(client, at, false, parameters)? else {
        return Ok(());
    };
    let found = client.rows_of(answer)?;
    let expected = expected(client, &statement, &sought, &other);
    client.equal(TEXTS[statement.text].0, &found, &expected)
}

fn expected(client: &Client, statement: &Prepared, one: &str, other: &str) -> Vec<Row> {
    let database = statement.database.unwrap_or(0);
    let some = |text: &str| Some(text.to_owned());
    let session = &client.session;
    match statement.text {
        JOINED => {
            let name = client.database_name(database);
            vec![vec![Some(format!("{one}/{other}")), Some(name)]]
        }
        FOUND => {
            let there = rows::seen(client)[database].values().any(|tag| tag == one);
            if there { vec![vec![some(one)]] } else { Vec::new() }
        }
        VARIABLE => {
            let value = session.variables[0].clone().unwrap_or_else(|| "none".to_owned());
            vec![vec![some(one), Some(value)]]
        }
        INSERT_ID => vec![vec![Some(session.insert_id.to_string())]],
        SETTINGS => {
            let setting = |name: &str, default: &str| {
                Some(session.settings.get(name).cloned().unwrap_or_else(|| default.to_owned()))
            };
            let modes = super::settings::DEFAULTS[4];
            vec![vec![setting("group_concat_max_len", "1048576"), setting("sql_mode", modes)]]
        }
        _ => (1..=7).map(|number| vec![Some(format!("{number}{one}"))]).collect(),
    }
}

fn execute_insert(client: &mut Client, at: usize, tag: &str) -> Outcome {
    let database = client.session.prepared[at].database.unwrap_or(0);
    let answer = if rows::is_stored_at_once(client) {
        let mut then = client.stored.clone();
        then[database].insert(u64::MAX - 10, tag.to_owned());
        client.storing(&then, |client| run(client, at, true, &[Some(tag)]))?
    } else {
        run(client, at, true, &[Some(tag)])?
    };
    let Some(answer) = answer else {
        return Ok(());
    };
    let (affected, id) = client.done(&answer)?;
    client.equal("the number of inserted rows", &affected, &1)?;
    rows::inserted(client, database, id, &[tag.to_owned()])
}

/// Executes a statement. `None`: it has to be prepared again, as the proxy may say.
fn run(
    client: &mut Client,
    at: usize,
    acts: bool,
    parameters: &[Option<&str>],
) -> Outcome<Option<Answer>> {
    let statement = client.session.prepared[at].clone();
    // Who has said of which types they are need not say it again.
    let types = !statement.executed || client.random.one_in(2);
    let what = format!(
        "COM_STMT_EXECUTE {} {:?} types {types}: {}",
        statement.id, parameters, TEXTS[statement.text].0
    );
    let mut answers = client
        .carry_out(&what, acts, |wire| wire.execute(statement.id, false, parameters, types))?;
    let answer = answers.pop().ok_or_else(|| Stop::Wrong("no answer".to_owned()))?;
    if may_be_refused(client, &statement, &answer) {
        client.session.prepared.remove(at);
        return Ok(None);
    }
    client.session.prepared[at].executed = true;
    Ok(Some(answer))
}

fn may_be_refused(client: &Client, statement: &Prepared, answer: &Answer) -> bool {
    matches!(answer, Answer::Error { code: NEED_REPREPARE, .. }) && is_stuck(client, statement)
}

/// The session has moved on since it prepared the statement, and is held on its connection.
fn is_stuck(client: &Client, statement: &Prepared) -> bool {
    statement.shape != client.session.shape && client.session.is_holding()
}

/// A variable is set where nobody can say it again.
pub(super) fn set_variable(client: &mut Client) -> Outcome {
    let at = choose(client, Some(SET))?;
    let tag = client.tag();
    client.session.lasting = true;
    if let Some(answer) = run(client, at, true, &[Some(&tag)])? {
        client.done(&answer)?;
        client.session.variables[2] = Some(tag);
        return close_at(client, at);
    }
    Ok(())
}

/// A parameter in pieces: the statement is bound to the connection that has heard them.
pub(super) fn long_data(client: &mut Client) -> Outcome {
    let at = choose(client, Some(JOINED))?;
    let statement = client.session.prepared[at].clone();
    let (one, other) = (client.tag(), client.tag());
    let half = one.len() / 2;
    for piece in [&one[..half], &one[half..]] {
        let mut body = statement.id.to_le_bytes().to_vec();
        body.extend([0, 0]);
        body.extend(piece.as_bytes());
        let what = format!("COM_STMT_SEND_LONG_DATA {} {piece}", statement.id);
        client.carry_out(&what, true, |wire| wire.send(0x18, &body).map(|()| Vec::new()))?;
    }
    if client.random.one_in(6) {
        // It may be taken back.
        let body = statement.id.to_le_bytes();
        let answers = client.carry_out("COM_STMT_RESET", true, |wire| wire.command(0x1a, &body))?;
        return answers.iter().try_for_each(|answer| client.done(answer).map(drop));
    }
    // Whoever ends this one leaves the pieces where they are.
    let Some(answer) = run(client, at, true, &[None, Some(&other)])? else {
        return Ok(());
    };
    // Why a piece was not taken cannot be said before the execution.
    if matches!(answer, Answer::Error { code: UNKNOWN_STATEMENT, .. })
        && is_stuck(client, &statement)
    {
        client.session.prepared.remove(at);
        return Ok(());
    }
    let found = client.rows_of(answer)?;
    let expected = expected(client, &statement, &one, &other);
    client.equal("what was sent in pieces", &found, &expected)
}

/// Rows that wait at the server.
pub(super) fn cursor(client: &mut Client) -> Outcome {
    let at = choose(client, Some(SEVEN))?;
    let statement = client.session.prepared[at].clone();
    let tag = client.tag();
    let what = format!("COM_STMT_EXECUTE {} with a cursor, {tag}", statement.id);
    let parameters = [Some(tag.as_str())];
    let answers = client
        .carry_out(&what, true, |wire| wire.execute(statement.id, true, &parameters, true))?;
    let answer = answers.first().ok_or_else(|| Stop::Wrong("no answer".to_owned()))?;
    if may_be_refused(client, &statement, answer) {
        client.session.prepared.remove(at);
        return Ok(());
    }
    let open = matches!(answer, Answer::Rows { status, .. } if status & CURSOR_EXISTS != 0);
    client.session.prepared[at].executed = true;
    client.equal("whether a cursor is open", &open, &true)?;
    let mut rows = Vec::new();
    while rows.len() < 7 {
        if client.random.one_in(12) {
            client.note("the cursor is left".to_owned());
            return close_at(client, at);
        }
        let count = 1 + u32::try_from(client.random.below(4)).unwrap_or(0);
        let what = format!("COM_STMT_FETCH {} {count}", statement.id);
        let fetched = client
            .carry_out(&what, true, |wire| Ok(vec![wire.fetch(statement.id, 1, count)?]))?;
        let Some(Answer::Rows { rows: more, status, .. }) = fetched.first() else {
            return Err(Stop::Wrong(format!("{fetched:?} where rows must come")));
        };
        rows.extend(more.clone());
        if status & LAST_ROW_SENT != 0 {
            break;
        }
        client.equal("the number of rows fetched", &more.len(), &(count as usize))?;
    }
    client.equal("the rows of a cursor", &rows, &expected(client, &statement, &tag, ""))?;
    // Of exactly as many as there are, the server does not say that they were the last.
    close_at(client, at)
}

pub(super) fn close(client: &mut Client) -> Outcome {
    if client.session.prepared.is_empty() {
        return Ok(());
    }
    let at = client.random.below(client.session.prepared.len());
    if client.random.one_in(2) {
        // Nor does every client close what it has prepared.
        client.session.prepared.remove(at);
        return Ok(());
    }
    close_at(client, at)
}

fn close_at(client: &mut Client, at: usize) -> Outcome {
    let statement = client.session.prepared.remove(at);
    let id = statement.id.to_le_bytes();
    let what = format!("COM_STMT_CLOSE {}", statement.id);
    client.carry_out(&what, true, |wire| wire.send(0x19, &id).map(|()| Vec::new())).map(drop)
}
