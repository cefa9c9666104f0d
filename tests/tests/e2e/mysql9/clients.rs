//! The tours of all clients, with MySQL 9 behind the proxy.

use tidegate_tests::{MySqlPair, Setup};

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
