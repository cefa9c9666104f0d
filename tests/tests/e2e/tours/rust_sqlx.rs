//! `sqlx`: migrations, its pool, typed parameters, streams, transactions within transactions.

use std::path::Path;

use futures_util::TryStreamExt as _;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};
use sqlx::types::time::{Date, PrimitiveDateTime, Time};
use sqlx::{Acquire as _, Connection as _, MySqlPool, Result, Row as _};
use sqlx_core::migrate::Migrator;
use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::Login;

/// See the module.
#[tokio::main]
pub(crate) async fn sqlx(login: Login<'_>) {
    tour(login).await.unwrap();
}

async fn tour(login: Login<'_>) -> Result<()> {
    let options = MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(login.port)
        .username(login.user)
        .password(login.password)
        .database(login.database)
        .ssl_mode(if login.tls { MySqlSslMode::VerifyIdentity } else { MySqlSslMode::Disabled })
        .ssl_ca(Certificates::shared().ca());
    // One connection reads what it has written, wherever others are sent for it.
    let pool = MySqlPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/rust/migrations");
    let migrator = Migrator::new(migrations).await?;
    migrator.run(&pool).await?;
    migrator.run(&pool).await?;
    rows_of_every_type(&pool).await?;
    errors(&pool).await;
    transactions(&pool).await?;
    large_results(&pool).await?;
    pool.close().await;
    let pool = MySqlPoolOptions::new().max_connections(6).connect_with(options).await?;
    many_at_a_time(&pool).await;
    pool.close().await;
    Ok(())
}

async fn rows_of_every_type(pool: &MySqlPool) -> Result<()> {
    // The 29th of February.
    let day = Date::from_ordinal_date(2024, 60).unwrap();
    let time = Time::from_hms_micro(23, 59, 59, 123_456).unwrap();
    let at = PrimitiveDateTime::new(day, time);
    let every_byte: Vec<u8> = (0..=255).collect();
    let document = json!({ "ä": [1, null, "🌊"] });
    let columns = "name, small, huge, ratio, day, at, lasts, document, data";
    let insert = format!("insert into sqlx_things ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    sqlx::query(sqlx::AssertSqlSafe(insert))
        .bind("Zoë 🌊")
        .bind(-128_i8)
        .bind(u64::MAX)
        .bind(1.5e300)
        .bind(day)
        .bind(at)
        .bind(time)
        .bind(&document)
        .bind(&every_byte)
        .execute(pool)
        .await?;
    sqlx::query("insert into sqlx_things (name) values (?)").bind("empty").execute(pool).await?;
    let row = sqlx::query("select * from sqlx_things where huge = ?");
    let row = row.bind(u64::MAX).fetch_one(pool).await?;
    assert_eq!(row.get::<String, _>("name"), "Zoë 🌊");
    assert_eq!((row.get::<i8, _>("small"), row.get::<f64, _>("ratio")), (-128, 1.5e300));
    assert_eq!((row.get::<Date, _>("day"), row.get::<PrimitiveDateTime, _>("at")), (day, at));
    assert_eq!(row.get::<Time, _>("lasts"), time);
    assert_eq!(row.get::<serde_json::Value, _>("document"), document);
    assert_eq!(row.get::<Vec<u8>, _>("data"), every_byte);
    assert!(!row.get::<bool, _>("sold"));
    let empty: (Option<i8>, Option<Date>, Option<Vec<u8>>) =
        sqlx::query_as("select small, day, data from sqlx_things where name = 'empty'")
            .fetch_one(pool)
            .await?;
    assert_eq!(empty, (None, None, None));
    Ok(())
}

async fn errors(pool: &MySqlPool) {
    let twice = sqlx::query("insert into sqlx_things (name) values (?)").bind("empty");
    let twice = twice.execute(pool).await.unwrap_err();
    assert!(twice.as_database_error().is_some_and(|error| error.is_unique_violation()), "{twice}");
    let missing = sqlx::query("select * from missing").execute(pool).await.unwrap_err();
    let state = missing.as_database_error().and_then(sqlx::error::DatabaseError::code);
    assert_eq!(state.as_deref(), Some("42S02"), "{missing}");
}

async fn transactions(pool: &MySqlPool) -> Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query("update sqlx_things set sold = true").execute(&mut *transaction).await?;
    let mut inner = transaction.begin().await?;
    let gone = sqlx::query("delete from sqlx_things").execute(&mut *inner).await?;
    assert_eq!(gone.rows_affected(), 2);
    inner.rollback().await?;
    transaction.commit().await?;
    let mut abandoned = pool.begin().await?;
    sqlx::query("update sqlx_things set sold = false").execute(&mut *abandoned).await?;
    drop(abandoned);
    let sold: i64 =
        sqlx::query_scalar("select count(*) from sqlx_things where sold").fetch_one(pool).await?;
    assert_eq!(sold, 2);
    Ok(())
}

async fn large_results(pool: &MySqlPool) -> Result<()> {
    let mut connection = pool.acquire().await?;
    let statements = "create table sqlx_numbers (n int primary key);
        insert into sqlx_numbers values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)";
    sqlx::raw_sql(statements).execute(&mut *connection).await?;
    let select = "select a.n + 10 * b.n + 100 * c.n + 1000 * d.n, repeat('x', 500)
        from sqlx_numbers a, sqlx_numbers b, sqlx_numbers c, sqlx_numbers d where a.n >= ?";
    let mut rows = sqlx::query(select).bind(0).fetch(&mut *connection);
    let mut sum = 0;
    while let Some(row) = rows.try_next().await? {
        sum += row.get::<i64, _>(0);
    }
    drop(rows);
    assert_eq!(sum, 9_999 * 10_000 / 2);
    // What is not read of a stream is left for whoever uses the connection next.
    let mut rows = sqlx::query(select).bind(5).fetch(&mut *connection);
    assert!(rows.try_next().await?.is_some());
    drop(rows);
    connection.ping().await
}

async fn many_at_a_time(pool: &MySqlPool) {
    let asks = (0..30_i64).map(|number| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let ask = sqlx::query_scalar("select ? + 1").bind(number);
            let answer: i64 = ask.fetch_one(&pool).await.unwrap();
            assert_eq!(answer, number + 1);
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        ask.await.unwrap();
    }
}
