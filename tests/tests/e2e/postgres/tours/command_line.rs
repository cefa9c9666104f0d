//! The programs that PostgreSQL brings: `psql`, `pgbench`, `pg_dump`.

use std::fs::{self, File};
use std::process::Command;

use tidegate_tests::Scratch;
use tidegate_tests::clients::{self, Login, postgres_program, succeed};

pub(crate) fn psql(login: Login<'_>) {
    let run = |statements: &str| {
        let output = clients::psql(login, statements);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    };
    let first =
        "create table t (a int primary key, b text); insert into t values (1, 'ä'), (2, null);
        select * from t order by a; select current_database()";
    assert_eq!(run(first).unwrap(), format!("1\tä\n2\t\n{}\n", login.database));
    for (statement, state) in [
        ("select * from missing", "42P01"),
        ("selec 1", "42601"),
        ("insert into t values (1)", "23505"),
    ] {
        let failed = run(statement).unwrap_err();
        assert!(failed.contains(&format!("ERROR:  {state}: ")), "{failed}");
    }
    script(login);
    // What it shows of a table takes a dozen statements.
    assert!(run("\\d t").unwrap().starts_with("a\tinteger\t"));
}

/// What only a script can do: it copies files, describes, binds, connects again, is interrupted.
fn script(login: Login<'_>) {
    let folder = Scratch::new();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let rows: String = (10..5_000).map(|number| format!("{number}\trow {number}\n")).collect();
    fs::write(at("in"), &rows).unwrap();
    let text = format!(
        "\\copy t from '{}'
         \\copy (select * from t where a >= 10 order by a) to '{}'
         select a, b from t \\gdesc
         begin; declare c cursor for select a from t order by a; fetch 2 from c; commit;
         prepare p (int) as select b from t where a = $1; execute p (11); deallocate p;
         \\connect -
         show application_name;
         select 'create table made_' || n || ' ()' from generate_series(1, 2) n \\gexec
         select count(*) from pg_class where relname like 'made__';
         set statement_timeout = 50; select pg_sleep(61);",
        at("in"),
        at("out"),
    );
    fs::write(at("script.sql"), text).unwrap();
    let mut psql = postgres_program("psql", login);
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
    psql.args(["--set=VERBOSITY=sqlstate", "--file"]).arg(at("script.sql"));
    let output = psql.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "a|integer\nb|text\n1\n2\nrow 11\npsql\n2\n", "{failed}");
    assert!(failed.contains("57014"), "{failed}");
    assert_eq!(fs::read_to_string(at("out")).unwrap(), rows);
}

pub(crate) fn pgbench(login: Login<'_>) {
    let pgbench = |arguments: &[&str]| {
        let mut command = postgres_program("pgbench", login);
        succeed(command.args(arguments).arg(login.database))
    };
    // Tables are filled by COPY in a transaction, and vacuumed.
    pgbench(&["--initialize", "--scale=2", "--quiet"]);
    for protocol in ["simple", "extended", "prepared"] {
        let report = pgbench(&[
            "--client=4",
            "--jobs=2",
            "--transactions=100",
            "--no-vacuum",
            &format!("--protocol={protocol}"),
            "--builtin=tpcb-like@1",
            "--builtin=select-only@3",
        ]);
        assert!(report.contains("processed: 400/400"), "{protocol}: {report}");
        assert!(report.contains("failed transactions: 0 (0.000%)"), "{protocol}: {report}");
    }
    // A connection for each transaction.
    let report =
        pgbench(&["--client=2", "--transactions=20", "--connect", "--no-vacuum", "--select-only"]);
    assert!(report.contains("processed: 40/40"), "{report}");
    let sums = "select sum(abalance) = (select sum(tbalance) from pgbench_tellers) and
        sum(abalance) = (select sum(delta) from pgbench_history) from pgbench_accounts";
    let kept = clients::psql(login, sums);
    assert_eq!(String::from_utf8_lossy(&kept.stdout).trim(), "t", "money was lost: {kept:?}");
}

/// Everything that a dump carries: types, keys, views, functions, triggers, sequences, comments.
const CONTENTS: &str = r#"
    create type mood as enum ('sad', 'ok');
    create table owner (id serial primary key, name varchar(50) unique);
    create table thing (id bigint generated always as identity primary key,
        owner int references owner, price numeric(12, 4) check (price > -1e9), at timestamptz,
        data bytea, document jsonb, kind mood, words text[], changed int default 0);
    create index on thing ((document -> 'a')) where kind = 'ok';
    create view rich as select name, sum(price) as total from owner
        join thing on thing.owner = owner.id group by name;
    create function count_changes() returns trigger language plpgsql as
        $$ begin new.changed := old.changed + 1; return new; end $$;
    create trigger count_changes before update on thing
        for each row execute function count_changes();
    comment on table thing is 'it''s a thing';
    insert into owner (name) values (E'Zoë O''Brien 🌊'), (null), (E'\\ \n \t "');
    insert into thing (owner, price, at, data, document, kind, words) values
        (1, -12345678.1234, '2024-02-29 23:59:59.123456+05:45', '\x000102feff27225c0a0d',
            '{"a": [1, null]}', 'ok', array['', '{}', null]),
        (null, null, null, null, null, null, null);
    insert into thing (owner, price, data)
        select 3, n, decode(repeat('ab', 1000), 'hex') from generate_series(1, 500) n;
    update thing set kind = 'sad' where id = 2;"#;

/// What must be the same in the copy. A session that comes to ask may be ahead of a replica.
const SIGNATURE: &str = "/* tidegate: route=primary */ select count(*), sum(id), sum(price), max(at), sum(changed) from thing;
    select encode(convert_to(name, 'UTF8'), 'hex') from owner order by id;
    select id, md5(data), document, kind, words from thing order by id;
    select * from rich order by name; select obj_description('thing'::regclass);
    select last_value from owner_id_seq; select indexdef from pg_indexes where tablename = 'thing'";

pub(crate) fn pg_dump(login: Login<'_>) {
    let ask = |login: Login<'_>, statements: &str| {
        let output = clients::psql(login, statements);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    ask(login, CONTENTS);
    let mut dump = postgres_program("pg_dump", login);
    let text =
        succeed(dump.args(["--no-owner", "--serializable-deferrable", "--lock-wait-timeout=30s"]));
    let folder = Scratch::new();
    let file = folder.path().join("dump.sql");
    fs::write(&file, text).unwrap();
    let copy = format!("{}_copy", login.database);
    ask(login, &format!("drop database if exists {copy}"));
    ask(login, &format!("create database {copy}"));
    let into = Login { database: &copy, ..login };
    let mut restore: Command = postgres_program("psql", into);
    restore.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]);
    succeed(restore.stdin(File::open(&file).unwrap()));
    assert_eq!(ask(into, SIGNATURE), ask(login, SIGNATURE));
    ask(into, "update thing set kind = 'ok' where id = 2");
    assert_eq!(
        ask(into, "/* tidegate: route=primary */ select changed from thing where id = 2"),
        "2\n"
    );
}
