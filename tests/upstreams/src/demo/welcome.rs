//! What a newcomer needs to know: where things listen, and commands to paste.

use std::path::Path;

use tidegate_demo_upstreams::DATABASE;

use crate::proxy::Proxy;
use crate::servers::{PRIMARY, REPLICAS, Servers};

pub(crate) fn print(proxy: &Proxy, servers: &Servers, folder: &Path) {
    let Proxy { by_user, by_statement, admin, .. } = proxy;
    let [first, second] = servers.replicas;
    let [first_name, second_name] = REPLICAS;
    println!(
        "
servers (SQLite behind MySQL's protocol)
  {PRIMARY}  {}
  {first_name}  {first}
  {second_name}  {second}

tidegate listens
  who is there decides        mariadb -h 127.0.0.1 -P {by_user} -u boss -pbosspw {DATABASE} -e 'SELECT @@hostname'
                              mariadb -h 127.0.0.1 -P {by_user} -u app -papppw {DATABASE} -e 'SELECT @@hostname'
  what is asked decides       mariadb -h 127.0.0.1 -P {by_statement} -u app -papppw {DATABASE} -e 'SELECT @@hostname; BEGIN; SELECT @@hostname'
  metrics and health          curl http://127.0.0.1:{admin}/metrics
                              curl http://127.0.0.1:{admin}/readyz

its files
  plugins: drop, replace, remove   {folder}/plugins
  configuration                    {folder}/tidegate.toml
  log                              tail -f {folder}/tidegate.log
  statements, with their traces    tail -f {folder}/queries.log
",
        servers.primary,
        folder = folder.display(),
    );
}
