//! What lives on one connection only: the session keeps that, and nobody else gets it.

use super::client::{Client, Outcome, Stop};
use super::disruptions;
use super::rows;
use super::wire::Answer;
use super::world::LOCKS;

/// Gives up all that holds a connection.
pub(super) fn let_go(client: &mut Client) -> Outcome {
    if client.session.lasting {
        return match client.random.below(4) {
            0 => disruptions::quit(client),
            1 => disruptions::vanish(client),
            _ => disruptions::reset(client),
        };
    }
    while client.session.is_holding() {
        match client.random.below(5) {
            0 if client.session.work.is_some() => match client.random.one_in(2) {
                true => rows::commit(client)?,
                false => rows::rollback(client)?,
            },
            1 if !client.session.autocommit => rows::set_autocommit(client)?,
            2 => drop_temporary(client)?,
            3 => release_all(client)?,
            4 => forget_by_name(client)?,
            _ => {}
        }
    }
    Ok(())
}

/// A table of the same name as others have, or as there is in another database.
pub(super) fn make_temporary(client: &mut Client) -> Outcome {
    let database = client.random.below(2);
    let name = match client.random.below(3) {
        0 => format!("{}.scratch", client.database_name(database)),
        _ => "common.scratch".to_owned(),
    };
    if client.session.temporary.contains_key(&name) {
        return drop_temporary(client);
    }
    let tag = client.tag();
    client.act_done(&format!(
        "create temporary table {name} (tag varchar(60)) engine=memory select '{tag}' as tag"
    ))?;
    client.session.temporary.insert(name, vec![tag]);
    Ok(())
}

pub(super) fn use_temporary(client: &mut Client) -> Outcome {
    let names: Vec<String> = client.session.temporary.keys().cloned().collect();
    if names.is_empty() {
        // Nobody else's is seen.
        let answer = client.ask("select tag from common.scratch")?;
        return client.error(&answer, 1146, "common.scratch");
    }
    let name = names[client.random.below(names.len())].clone();
    let tag = client.tag();
    client.act_done(&format!("insert into {name} values ('{tag}')"))?;
    if let Some(tags) = client.session.temporary.get_mut(&name) {
        tags.push(tag);
    }
    let rows = client.rows(&format!("select tag from {name}"))?;
    let found: Vec<String> = rows.into_iter().flatten().flatten().collect();
    client.equal(&name, &found, &client.session.temporary[&name])
}

fn drop_temporary(client: &mut Client) -> Outcome {
    let names: Vec<String> = client.session.temporary.keys().cloned().collect();
    if names.is_empty() {
        return Ok(());
    }
    if client.random.one_in(2) {
        client.act_done(&format!("drop temporary table {}", names.join(", ")))?;
        client.session.temporary.clear();
    } else {
        client.act_done(&format!("drop temporary table if exists {}", names[0]))?;
        client.session.temporary.remove(&names[0]);
    }
    Ok(())
}

pub(super) fn get_lock(client: &mut Client) -> Outcome {
    let lock = client.random.below(LOCKS.len());
    // Who waits for one while it holds another may be told of a deadlock.
    let free = client.session.locks == [0; 3];
    let wait = if free { client.random.pick(&["0", "0.02"]) } else { "0" };
    let over = client.world.clients[client.number].over();
    let answer = client.act(&format!("select get_lock('{}', {wait})", LOCKS[lock]))?;
    let got = client.rows_of(answer)?;
    if got == [[None]] && client.world.clients[client.number].may_be_hit(over) {
        return Err(Stop::Gone);
    }
    if got == [[Some("1".to_owned())]] {
        let holder = client.world.locked(lock, client.wire.id);
        // Who was killed meanwhile has lost it before it could say that it has it.
        if let Some(holder) = holder.filter(|_| !client.world.is_doomed(client.wire.id)) {
            return Err(Stop::Wrong(format!("{} is session {holder}'s", LOCKS[lock])));
        }
        client.session.locks[lock] += 1;
        return Ok(());
    }
    client.equal("get_lock()", &got, &vec![vec![Some("0".to_owned())]])?;
    // The proxy does not see that the lock was not got.
    client.session.tried = true;
    let mine = client.session.locks[lock];
    client.equal("what was held of the lock that is another's", &mine, &0)
}

pub(super) fn release_lock(client: &mut Client) -> Outcome {
    let lock = client.random.below(LOCKS.len());
    let (name, held) = (LOCKS[lock], client.session.locks[lock]);
    if held == 0 {
        return get_lock(client);
    }
    let row = client.row(&format!("select is_free_lock('{name}')"))?;
    client.equal("is_free_lock()", &row, &vec![Some("0".to_owned())])?;
    if held == 1 {
        client.world.unlock(Some(lock), client.wire.id);
    }
    let answer = client.act(&format!("select release_lock('{name}')"))?;
    let released = client.rows_of(answer)?;
    client.equal("release_lock()", &released, &vec![vec![Some("1".to_owned())]])?;
    client.session.locks[lock] -= 1;
    Ok(())
}

fn release_all(client: &mut Client) -> Outcome {
    let held: u32 = client.session.locks.iter().sum();
    if held == 0 && !client.session.tried {
        return Ok(());
    }
    client.world.unlock(None, client.wire.id);
    let answer = client.act("select release_all_locks()")?;
    let released = client.rows_of(answer)?;
    client.equal("release_all_locks()", &released, &vec![vec![Some(held.to_string())]])?;
    client.session.locks = [0; 3];
    client.session.tried = false;
    Ok(())
}

/// As long as the table is locked, nobody else counts.
pub(super) fn lock_tables(client: &mut Client) -> Outcome {
    if !rows::is_stored_at_once(client) {
        return rows::commit(client);
    }
    client.act_done("lock tables common.counter write")?;
    let before = count(client)?;
    if client.random.one_in(8) {
        return disruptions::vanish(client);
    }
    let again = count(client)?;
    client.equal("the counter of a locked table", &again, &before)?;
    client.act_done("update common.counter set n = n + 1")?;
    let after = count(client)?;
    client.equal("the counter after one more", &after, &(before + 1))?;
    client.act_done("unlock tables")
}

fn count(client: &mut Client) -> Outcome<u64> {
    // Who is ended in here holds the lock: the session must not go on.
    let answer = client.act("select n from common.counter")?;
    let rows = client.rows_of(answer)?;
    let number = rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok());
    number.ok_or_else(|| Stop::Wrong(format!("{rows:?} is no number")))
}

pub(super) fn prepare_by_name(client: &mut Client) -> Outcome {
    let tag = client.tag();
    client.act_done(&format!("prepare mine from 'select ''{tag}'', @a'"))?;
    client.session.named = Some(tag);
    Ok(())
}

pub(super) fn execute_by_name(client: &mut Client) -> Outcome {
    let answer = client.ask("execute mine")?;
    let Some(tag) = client.session.named.clone() else {
        // Nobody else's is executed.
        return client.error(&answer, 1243, "mine");
    };
    let rows = client.rows_of(answer)?;
    let expected = vec![vec![Some(tag), client.session.variables[0].clone()]];
    client.equal("execute mine", &rows, &expected)
}

fn forget_by_name(client: &mut Client) -> Outcome {
    if client.session.named.is_none() {
        return Ok(());
    }
    client.act_done("deallocate prepare mine")?;
    client.session.named = None;
    Ok(())
}

/// Variables that are set where nobody can say it again.
pub(super) fn set_in_passing(client: &mut Client) -> Outcome {
    let (variable, tag) = (client.random.below(3), client.tag());
    let name = ["a", "b", "c"][variable];
    let text = match client.random.below(4) {
        0 => format!("select @{name} := '{tag}'"),
        2 => format!("select '{tag}' into @{name}"),
        1 => format!("call common.echo('{tag}', @{name})"),
        _ => format!("set @{name} = '{tag}'; select @{name}"),
    };
    client.session.lasting = true;
    let answer = client.act(&text)?;
    if let Answer::Rows { rows, .. } = &answer {
        client.equal(&text, rows, &vec![vec![Some(tag.clone())]])?;
    } else {
        client.done(&answer)?;
    }
    client.session.variables[variable] = Some(tag);
    Ok(())
}
