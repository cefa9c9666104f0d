//! The tours of all clients, with PostgreSQL 18 behind the proxy. `pg_dump` is not among them: it must
//! be as new as the server.

use crate::postgres::clients::tours;

tours! {
    tidegate_tests::server::Postgres18Pair::shared();
    psql
    pgbench
    psycopg
    asyncpg
    pg8000
    sqlalchemy
    node_pg
    jdbc
    tokio_postgres
    sqlx
}
