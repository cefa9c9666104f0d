//! The tours of all clients, with MySQL 9 behind the proxy.

use std::fs::File;

use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::{Login, mysql, mysql_program, succeed};
use tidegate_tests::{MySqlPair, Scratch, Setup, Tap, Tidegate};

use crate::clients::tours;

/// Clients log in as they would to MySQL itself.
fn setup() -> Setup {
    Setup::pair(MySqlPair::shared()).listener("default_auth = \"caching_sha2_password\"")
}

tours! {
    MySqlPair::shared(), setup;
    pymysql
    mysql_connector_python
    mysqlclient
    sqlalchemy
    django
    mysql2
    sqlx
    mysql_async
    mariadb_command_line
    mysql_command_line
    mariadb_dump
    mysqldump
    sysbench
}

/// No other client has zstd.
#[test]
fn the_command_line_compresses_with_zstd() {
    let ca = Certificates::shared().ca();
    let setup = setup().account().server_tls("verify-full", Some(&ca));
    let tidegate = Tidegate::start(setup.client_tls("prefer"));
    let tap = Tap::before(tidegate.port());
    let folder = Scratch::new();
    let script = folder.path().join("long.sql");
    std::fs::write(&script, format!("select length('{}');\n", "x".repeat(20 << 20))).unwrap();
    let login = Login::app(tap.port(), "app").with_compression();
    for login in [login, login.with_tls()] {
        let rows = "set cte_max_recursion_depth = 20000; with recursive n (i) as
            (select 1 union all select i + 1 from n where i < 20000) select repeat('x', 1000) from n";
        let result = mysql(login, rows);
        assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
        assert_eq!(result.stdout.len(), 20_000 * 1001);
        assert!(tap.carried().1 < 1 << 20, "the result was compressed");

        let mut program = mysql_program("mysql", login);
        program.args(["--batch", "--skip-column-names"]).stdin(File::open(&script).unwrap());
        assert_eq!(succeed(&mut program).trim(), (20 << 20).to_string());
        assert!(tap.carried().0 < 1 << 20, "the statement was compressed");

        let several = mysql(login, "select 1; do sleep(0.1); select 2; select * from missing");
        assert_eq!(String::from_utf8_lossy(&several.stdout), "1\n2\n");
        let message = String::from_utf8_lossy(&several.stderr);
        assert!(message.contains("ERROR 1146 (42S02)"), "{message}");
    }
}
