//! Variables of both sorts, character sets, and the current database.

use super::client::{Client, Outcome};
use super::wire::Answer;

const VARIABLES: [&str; 3] = ["a", "b", "c"];

/// Settings with values that only some sessions have; `#` is a number of the client's own.
const SETTINGS: [(&str, &[&str]); 6] = [
    ("group_concat_max_len", &["1000#", "2000#"]),
    ("wait_timeout", &["30#", "40#"]),
    ("default_week_format", &["1", "3", "5"]),
    ("time_zone", &["'+01:00'", "'+02:00'", "'-05:30'"]),
    ("sql_mode", &["'ANSI_QUOTES'", "'STRICT_TRANS_TABLES'", "''"]),
    ("tx_isolation", &["'SERIALIZABLE'", "'READ-COMMITTED'"]),
];

const READ_SETTINGS: &str = "select @@group_concat_max_len, @@wait_timeout, \
    @@default_week_format, @@time_zone, @@sql_mode, @@tx_isolation";

/// What a new session has of them, as the servers of the tests are set up.
pub(super) const DEFAULTS: [&str; 6] = [
    "1048576",
    "28800",
    "0",
    "SYSTEM",
    "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
    "REPEATABLE-READ",
];

pub(super) fn set_variables(client: &mut Client) -> Outcome {
    let (first, second) = (client.random.below(3), client.random.below(3));
    let (one, other) = (client.tag(), client.tag());
    if client.random.one_in(6) {
        client.act_done(&format!("set @{} = null", VARIABLES[first]))?;
        client.session.variables[first] = None;
    } else if first != second && client.random.one_in(2) {
        let (a, b) = (VARIABLES[first], VARIABLES[second]);
        client.act_done(&format!("set @{a} = '{one}', @{b} = '{other}'"))?;
        client.session.variables[first] = Some(one);
        client.session.variables[second] = Some(other);
    } else {
        client.act_done(&format!("set @{} = '{one}'", VARIABLES[first]))?;
        client.session.variables[first] = Some(one);
    }
    Ok(())
}

pub(super) fn read_variables(client: &mut Client) -> Outcome {
    let row = client.row("select @a, @b, @c")?;
    client.equal("@a, @b, @c", &row, &client.session.variables.to_vec())
}

pub(super) fn set_setting(client: &mut Client) -> Outcome {
    let (name, values) = client.random.pick(&SETTINGS);
    let value = client.random.pick(values).replace('#', &format!("{:02}", client.number));
    let text = match client.random.below(3) {
        0 => format!("set {name} = {value}"),
        1 => format!("SET @@session.{name} = {value}"),
        _ => format!("set session {name} = {value}"),
    };
    // Without its scope, this one is for the next transaction alone.
    let text = match name {
        "tx_isolation" => format!("set session tx_isolation = {value}"),
        _ => text,
    };
    client.act_done(&text)?;
    if name == "sql_mode" {
        client.session.shape += 1;
    }
    client.session.settings.insert(name, value.trim_matches('\'').to_owned());
    Ok(())
}

/// What is refused changes nothing, and the message is about what this client said.
pub(super) fn set_nonsense(client: &mut Client) -> Outcome {
    let tag = client.tag();
    let answer = client.act(&format!("set sql_mode = '{tag}'"))?;
    client.error(&answer, 1231, &tag)
}

pub(super) fn read_settings(client: &mut Client) -> Outcome {
    let row = client.row(READ_SETTINGS)?;
    let expected = SETTINGS.iter().zip(DEFAULTS).map(|((name, _), default)| {
        let set = client.session.settings.get(name).cloned();
        Some(set.unwrap_or_else(|| default.to_owned()))
    });
    client.equal(READ_SETTINGS, &row, &expected.collect())
}

pub(super) fn set_names(client: &mut Client) -> Outcome {
    const NAMES: [(&str, &str, &str); 4] = [
        ("set names latin1", "latin1", "latin1_swedish_ci"),
        ("set names utf8mb4", "utf8mb4", "utf8mb4_general_ci"),
        ("set names 'utf8mb4' collate 'utf8mb4_unicode_ci'", "utf8mb4", "utf8mb4_unicode_ci"),
        ("SET NAMES utf8mb3", "utf8mb3", "utf8mb3_general_ci"),
    ];
    let (text, set, collation) = client.random.pick(&NAMES);
    client.act_done(text)?;
    client.session.shape += 1;
    client.session.character_set = set;
    client.session.collation = collation;
    Ok(())
}

/// By their names, and by what the server makes of two bytes.
pub(super) fn read_character_sets(client: &mut Client) -> Outcome {
    let row = client.row(
        "select @@character_set_client, @@character_set_connection, @@character_set_results, \
         @@collation_connection, hex(convert('\u{e9}' using utf8mb4))",
    )?;
    let (set, collation) = (client.session.character_set, client.session.collation);
    let bytes = if set == "latin1" { "C383C2A9" } else { "C3A9" };
    let expected = [set, set, set, collation, bytes].map(|text| Some(text.to_owned()));
    client.equal("the character sets", &row, &expected.to_vec())
}

pub(super) fn use_database(client: &mut Client) -> Outcome {
    let database = client.random.below(2);
    let name = client.database_name(database);
    if client.random.one_in(3) {
        let init = format!("COM_INIT_DB {name}");
        let answers = client.carry_out(&init, true, |wire| wire.command(2, name.as_bytes()))?;
        answers.iter().try_for_each(|answer: &Answer| client.done(answer).map(drop))?;
    } else {
        client.act_done(&format!("use {name}"))?;
    }
    client.session.shape += 1;
    client.session.database = Some(database);
    let row = client.row("select database()")?;
    client.equal("database()", &row, &vec![Some(name)])
}

/// One of the client's databases is the current one.
pub(super) fn database(client: &mut Client) -> Outcome<usize> {
    if client.session.database.is_none() {
        use_database(client)?;
    }
    Ok(client.session.database.unwrap_or(0))
}
