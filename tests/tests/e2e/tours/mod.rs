//! What applications do through each client that there is: a tour for each.
//!
//! A tour is given a database of its own, which is empty.

mod dump;
mod rust_mysql_async;
mod rust_sqlx;

use std::process::Output;

use tidegate_tests::clients::{self, Login, node, python};
use tidegate_tests::wait_for;

pub(crate) use dump::mariadb_dump;
#[cfg(feature = "mysql9")]
pub(crate) use dump::mysqldump;
pub(crate) use rust_mysql_async::mysql_async;
pub(crate) use rust_sqlx::sqlx;

pub(crate) fn pymysql(login: Login<'_>) {
    assert_eq!(python("pymysql_tour.py", login).trim(), "done");
}

pub(crate) fn mysql_connector_python(login: Login<'_>) {
    assert_eq!(python("connector_tour.py", login).trim(), "done");
}

pub(crate) fn mysqlclient(login: Login<'_>) {
    assert_eq!(python("mysqlclient_tour.py", login).trim(), "done");
}

pub(crate) fn sqlalchemy(login: Login<'_>) {
    assert_eq!(python("sqlalchemy_tour.py", login).trim(), "done");
}

pub(crate) fn django(login: Login<'_>) {
    assert_eq!(python("django_tour.py", login).trim(), "done");
}

pub(crate) fn mysql2(login: Login<'_>) {
    assert_eq!(node("mysql2_tour.mjs", login).trim(), "done");
}

pub(crate) fn mariadb_connector_node(login: Login<'_>) {
    assert_eq!(node("mariadb_tour.mjs", login).trim(), "done");
}

pub(crate) fn mariadb_command_line(login: Login<'_>) {
    command_line(|statements| clients::mariadb(login, statements));
}

#[cfg(feature = "mysql9")]
pub(crate) fn mysql_command_line(login: Login<'_>) {
    command_line(|statements| clients::mysql(login, statements));
}

fn command_line(run: impl Fn(&str) -> Output) {
    let output = run("create table t (a int); insert into t values (1), (2); select sum(a) from t;
         use mysql; select database(); show status like 'Threads_connected'");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines = text.lines();
    assert_eq!((lines.next(), lines.next()), (Some("3"), Some("mysql")));
    let failed = run("select * from missing");
    let message = String::from_utf8_lossy(&failed.stderr);
    assert!(message.contains("ERROR 1146 (42S02)"), "{message}");
}

pub(crate) fn sysbench(login: Login<'_>) {
    let tables = ["--tables=2", "--table-size=1000"];
    clients::sysbench(login, "oltp_read_write", &tables, "prepare");
    // The last that was done; whoever reads from a replica must wait for it.
    let indices = "select count(*) from information_schema.statistics
        where table_schema = database() and index_name = 'k_2'";
    wait_for("the last index of sysbench", || {
        let output = clients::mariadb(login, indices);
        (String::from_utf8_lossy(&output.stdout).trim() == "1").then_some(())
    });
    for mode in ["--db-ps-mode=auto", "--db-ps-mode=disable"] {
        let load = [tables[0], tables[1], "--threads=4", "--time=3", mode];
        let report = clients::sysbench(login, "oltp_read_write", &load, "run");
        let count = |name: &str| {
            let line = report.lines().find(|line| line.contains(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|word| word.parse::<u32>().ok())
        };
        assert_eq!(count("reconnects:"), Some(0), "{report}");
        assert!(count("transactions:") > Some(10), "{report}");
    }
}
