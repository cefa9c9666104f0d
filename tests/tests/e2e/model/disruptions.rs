//! What goes wrong in the life of a client, and what it does to others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_tests::server::users;

use super::client::{Client, Outcome, Stop};
use super::rows;
use super::session::Session;
use super::settings::database;
use super::wire::Answer;

const NO_SUCH_THREAD: u16 = 1094;

/// So that there is something to be ended.
pub(super) fn take_time(client: &mut Client) -> Outcome {
    let tag = client.tag();
    let over = client.world.clients[client.number].over();
    let row = client.row(&format!("select sleep(0.0{}), '{tag}'", client.number % 9))?;
    // Who is woken may say so in a row instead of an error.
    let woken = row[0].as_deref() == Some("1");
    if woken && client.world.clients[client.number].may_be_hit(over) {
        return Err(Stop::Interrupted);
    }
    client.equal("what was slept", &row, &vec![Some("0".to_owned()), Some(tag)])
}

pub(super) fn read_much(client: &mut Client) -> Outcome {
    let (tag, count) = (client.tag(), 100 + client.random.below(3000));
    let rows =
        client.rows(&format!("select concat('{tag}', '-', seq) from common.seq_1_to_{count}"))?;
    client.equal("the number of rows", &rows.len(), &count)?;
    for (row, number) in rows.iter().zip(1..) {
        client.equal("a row", row, &vec![Some(format!("{tag}-{number}"))])?;
    }
    Ok(())
}

pub(super) fn ping(client: &mut Client) -> Outcome {
    let answers = client.carry_out("COM_PING", true, |wire| wire.command(14, b""))?;
    answers.iter().try_for_each(|answer| client.done(answer).map(drop))
}

/// The proxy ends what takes too long, and nothing else.
pub(super) fn run_into_limit(client: &mut Client) -> Outcome {
    match client.act("select sleep(60), 'limited'")? {
        Answer::Rows { rows, .. } => {
            client.equal("what was slept", &rows[0][0].as_deref(), &Some("1"))
        }
        answer => client.error(&answer, 1317, "interrupted"),
    }
}

pub(super) fn kill_query(client: &mut Client) -> Outcome {
    let victim = other(client);
    let world = Arc::clone(&client.world);
    let target = &world.clients[victim];
    let session = target.session.load(Ordering::SeqCst);
    let answer = target.aim(|| client.act(&format!("kill query {session}")))?;
    killed(client, &answer)
}

pub(super) fn kill_session(client: &mut Client) -> Outcome {
    let victim = other(client);
    let session = client.world.clients[victim].session.load(Ordering::SeqCst);
    client.world.doom(session);
    let answer = if client.random.one_in(3) {
        let body = session.to_le_bytes();
        let what = format!("COM_PROCESS_KILL {session}");
        client.carry_out(&what, true, |wire| wire.command(12, &body))?.remove(0)
    } else {
        client.act(&format!("kill {session}"))?
    };
    killed(client, &answer)
}

fn killed(client: &Client, answer: &Answer) -> Outcome {
    match answer {
        Answer::Error { code: NO_SUCH_THREAD, .. } => Ok(()),
        other => client.done(other).map(drop),
    }
}

fn other(client: &mut Client) -> usize {
    let count = client.world.clients.len();
    (client.number + 1 + client.random.below(count - 1)) % count
}

/// Everything that the session has said is forgotten.
pub(super) fn reset(client: &mut Client) -> Outcome {
    client.world.unlock(None, client.wire.id);
    let answers = client.carry_out("COM_RESET_CONNECTION", true, |wire| wire.command(0x1f, b""))?;
    answers.iter().try_for_each(|answer| client.done(answer).map(drop))?;
    let database = client.session.database;
    client.session = Session { database, ..Session::default() };
    Ok(())
}

/// As a reset, but the database is another one, or none.
pub(super) fn change_user(client: &mut Client) -> Outcome {
    client.world.unlock(None, client.wire.id);
    let database = Some(client.random.below(2)).filter(|_| client.random.one_in(2));
    let name = database.map(|database| client.database_name(database)).unwrap_or_default();
    let what = format!("COM_CHANGE_USER {name}");
    let changed =
        client.carry_out(&what, true, |wire| wire.change_user(users::NO_PASSWORD.0, &name));
    let answers = match changed {
        // Who is nobody any more has nothing to go on with.
        Err(Stop::Refused) => return Err(Stop::Gone),
        changed => changed?,
    };
    answers.iter().try_for_each(|answer| client.done(answer).map(drop))?;
    client.session = Session { database, ..Session::default() };
    Ok(())
}

pub(super) fn quit(client: &mut Client) -> Outcome {
    client.world.unlock(None, client.wire.id);
    client.note("COM_QUIT".to_owned());
    // Whether it arrives changes nothing.
    client.wire.send(1, b"").ok();
    Err(Stop::Gone)
}

/// Closes without a word, wherever that hurts. Nothing that could be stored is on its way.
pub(super) fn vanish(client: &mut Client) -> Outcome {
    client.world.unlock(None, client.wire.id);
    let way = client.random.below(6);
    client.note(format!("vanishes, {way}"));
    let tag = client.tag();
    let many = format!("select repeat('{tag}', 50) from common.seq_1_to_20000");
    let wire = &mut client.wire;
    let sent = match way {
        0 => wire.send(3, many.as_bytes()).and_then(|()| wire.read_some(20)),
        1 => wire.send(3, many.as_bytes()),
        2 => wire.send(3, b"select sleep(0.2)"),
        3 => wire.send_part(&[30, 0, 0, 0, 3, b's']),
        4 => wire
            .send(3, format!("set @a = '{tag}', @b = '{tag}'").as_bytes())
            .and_then(|()| wire.send(3, b"select get_lock('red', 0)")),
        _ => return vanish_in_transaction(client),
    };
    // The session may have been ended before.
    sent.ok();
    Err(Stop::Gone)
}

fn vanish_in_transaction(client: &mut Client) -> Outcome {
    if rows::is_stored_at_once(client) {
        rows::begin(client)?;
    }
    database(client)?;
    rows::insert(client)?;
    Err(Stop::Gone)
}
