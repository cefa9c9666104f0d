//! What a newcomer needs to know: where things listen, and commands to paste.

use std::path::Path;

use tidegate_demo_upstreams::DATABASE;

use crate::proxy::Proxy;
use crate::servers::{PRIMARY, REPLICAS, Servers};

pub(crate) fn print(proxy: &Proxy, mysql: &Servers, postgres: &Servers, folder: &Path) {
    let [first, second] = REPLICAS;
    println!(
        "
servers (SQLite behind the protocols of MySQL and of PostgreSQL)
  {PRIMARY}  {:<16} {}
  {first}  {:<16} {}
  {second}  {:<16} {}

tidegate listens
  who is there decides        mariadb -h 127.0.0.1 -P {mysql_by_user} -u boss -pbosspw {DATABASE} -e 'SELECT @@hostname'
                              mariadb -h 127.0.0.1 -P {mysql_by_user} -u app -papppw {DATABASE} -e 'SELECT @@hostname'
                              PGPASSWORD=bosspw psql -h 127.0.0.1 -p {by_user} -U boss {DATABASE} -c 'SHOW cluster_name'
                              PGPASSWORD=apppw psql -h 127.0.0.1 -p {by_user} -U app {DATABASE} -c 'SHOW cluster_name'
  what is asked decides       mariadb -h 127.0.0.1 -P {mysql_by_statement} -u app -papppw {DATABASE} -e 'SELECT @@hostname; BEGIN; SELECT @@hostname'
                              PGPASSWORD=apppw psql -h 127.0.0.1 -p {by_statement} -U app {DATABASE} -c {WHO} -c BEGIN -c {WHO}
  metrics and health          curl http://127.0.0.1:{admin}/metrics
                              curl http://127.0.0.1:{admin}/readyz

its files
  plugins: drop, replace, remove   {folder}/plugins
  configuration                    {folder}/tidegate.toml
  log                              tail -f {folder}/tidegate.log
  statements, with their traces    tail -f {folder}/mysql-queries.log {folder}/postgres-queries.log
",
        mysql.primary,
        postgres.primary,
        mysql.replicas[0],
        postgres.replicas[0],
        mysql.replicas[1],
        postgres.replicas[1],
        mysql_by_user = proxy.mysql.by_user,
        mysql_by_statement = proxy.mysql.by_statement,
        by_user = proxy.postgres.by_user,
        by_statement = proxy.postgres.by_statement,
        admin = proxy.admin,
        folder = folder.display(),
    );
}

/// In the quotes of a shell.
const WHO: &str = "\"SELECT current_setting('cluster_name')\"";
