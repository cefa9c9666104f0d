//! What applications do through each client of PostgreSQL that there is: a tour for each.
//!
//! A tour is given a database of its own, which is empty.

mod command_line;
mod rust_sqlx;
mod rust_tokio_postgres;

use tidegate_tests::clients::{Login, java, node, python};

pub(crate) use command_line::{pg_dump, pgbench, psql};
pub(crate) use rust_sqlx::sqlx;
pub(crate) use rust_tokio_postgres::tokio_postgres;

pub(crate) fn psycopg(login: Login<'_>) {
    assert_eq!(python("psycopg_tour.py", login).trim(), "done");
}

pub(crate) fn asyncpg(login: Login<'_>) {
    assert_eq!(python("asyncpg_tour.py", login).trim(), "done");
}

pub(crate) fn pg8000(login: Login<'_>) {
    assert_eq!(python("pg8000_tour.py", login).trim(), "done");
}

pub(crate) fn sqlalchemy(login: Login<'_>) {
    assert_eq!(python("sqlalchemy_postgres_tour.py", login).trim(), "done");
}

pub(crate) fn node_pg(login: Login<'_>) {
    assert_eq!(node("pg_tour.mjs", login).trim(), "done");
}

pub(crate) fn jdbc(login: Login<'_>) {
    assert_eq!(java("JdbcTour.java", login).trim(), "done");
}
