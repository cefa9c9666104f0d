//! Dumping a database and restoring it as another one.

use std::fs;
use std::process::Command;

use tidegate_tests::Scratch;
#[cfg(feature = "mysql9")]
use tidegate_tests::clients::mysql_program;
use tidegate_tests::clients::{Login, mariadb_program, run_file, succeed};

/// Everything that a dump carries: types, keys, a view, a procedure, a function, a trigger.
const CONTENTS: &str = "
    create table owner (id int auto_increment primary key, name varchar(50) unique)
        character set utf8mb4;
    create table thing (id int auto_increment primary key, owner int, price decimal(12, 4),
        at datetime(6), data longblob, document json, kind enum('a', 'b'),
        changed int default 0, foreign key (owner) references owner (id));
    create view rich as select name, sum(price) as total from owner
        join thing on thing.owner = owner.id group by name;
    create procedure sell(in wanted int) update thing set owner = null where id = wanted;
    create function doubled(n int) returns int deterministic return n * 2;
    create trigger count_changes before update on thing
        for each row set new.changed = old.changed + 1;
    insert into owner (name) values ('Zoë O\\'Brien 🌊'), (null), ('\\\\ \\n \\t \\0 \"');
    insert into thing (owner, price, at, data, document, kind) values
        (1, -12345678.1234, '2024-02-29 23:59:59.123456', unhex('000102feff27225c0a0d'),
            '{\"a\": [1, null]}', 'b'),
        (null, null, null, null, null, null);
    insert into thing (owner, price, data) select 3, id, repeat(char(id), 1000) from thing;
    insert into thing (owner, price, data) select 3, id, repeat('x', 100000) from thing;
    update thing set kind = 'a' where id = 2;";

/// What must be the same in the copy. The transaction has it read where it was written.
const SIGNATURE: &str = "
    begin;
    select count(*), sum(id), sum(price), max(at), sum(changed) from thing;
    select hex(name) from owner order by id;
    select id, sha2(data, 256), document, kind from thing order by id;
    select hex(name), total from rich order by name;
    select doubled(21);";

pub(crate) fn mariadb_dump(login: Login<'_>) {
    let program = |name: &str| mariadb_program(name, login);
    dump_and_restore(login, || program("mariadb"), program("mariadb-dump"));
}

#[cfg(feature = "mysql9")]
pub(crate) fn mysqldump(login: Login<'_>) {
    let mut dump = mysql_program("mysqldump", login);
    dump.arg("--set-gtid-purged=OFF");
    dump_and_restore(login, || mysql_program("mysql", login), dump);
}

fn dump_and_restore(login: Login<'_>, shell: impl Fn() -> Command, mut dump: Command) {
    let ask = |database: &str, statements: &str| {
        let mut shell = shell();
        shell.args(["--batch", "--skip-column-names", "--default-character-set=utf8mb4"]);
        succeed(shell.arg(format!("--database={database}")).args(["--execute", statements]))
    };
    ask(login.database, CONTENTS);
    dump.args(["--single-transaction", "--routines", "--triggers", "--hex-blob", "--quick"]);
    let text = succeed(dump.args(["--default-character-set=utf8mb4", login.database]));
    let folder = Scratch::new();
    let file = folder.path().join("dump.sql");
    fs::write(&file, text).unwrap();
    let copy = format!("{}_copy", login.database);
    ask("", &format!("drop database if exists {copy}; create database {copy}"));
    run_file(shell(), &copy, &file);
    assert_eq!(ask(&copy, SIGNATURE), ask(login.database, SIGNATURE));
    ask(&copy, "call sell(1); update thing set kind = 'b' where id = 1");
    assert_eq!(ask(&copy, "begin; select owner, changed from thing where id = 1"), "NULL\t2\n");
}
