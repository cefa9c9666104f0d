//! `sqlx`: migrations, its pool, typed parameters, streams, COPY, transactions within transactions,
//! a listener.

use std::path::Path;

use futures_util::TryStreamExt as _;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolCopyExt as _, PgPoolOptions, PgSslMode};
use sqlx::types::time::{Date, OffsetDateTime, PrimitiveDateTime, Time};
use sqlx::{Acquire as _, Connection as _, PgPool, Result, Row as _};
use sqlx_core::migrate::Migrator;
use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::Login;

/// See the module.
#[tokio::main]
pub(crate) async fn sqlx(login: Login<'_>) {
    tour(login).await.unwrap();
}

async fn tour(login: Login<'_>) -> Result<()> {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(login.port)
        .username(login.user)
        .password(login.password)
        .database(login.database)
        .application_name("sqlx tour")
        .options([("work_mem", "9MB")])
        .ssl_mode(if login.tls { PgSslMode::VerifyFull } else { PgSslMode::Disable })
        .ssl_root_cert(Certificates::shared().ca());
    let pool = PgPoolOptions::new().max_connections(4).connect_with(options).await?;
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/rust/postgres_migrations");
    // It takes an advisory lock while it migrates.
    let migrator = Migrator::new(migrations).await?;
    migrator.run(&pool).await?;
    migrator.run(&pool).await?;
    rows_of_every_type(&pool).await?;
    errors(&pool).await;
    transactions(&pool).await?;
    large_results(&pool).await?;
    copies(&pool).await?;
    notifications(&pool).await?;
    many_at_a_time(&pool).await;
    pool.close().await;
    Ok(())
}

async fn rows_of_every_type(pool: &PgPool) -> Result<()> {
    // The 29th of February.
    let day = Date::from_ordinal_date(2024, 60).unwrap();
    let at = PrimitiveDateTime::new(day, Time::from_hms_micro(23, 59, 59, 123_456).unwrap());
    let moment = at.assume_utc();
    let every_byte: Vec<u8> = (0..=255).collect();
    let document = json!({ "ä": [1, null, "🌊"] });
    let insert = "insert into sqlx_things
        (name, small, big, ratio, day, at, moment, document, data, numbers, mood)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'ok')";
    sqlx::query(insert)
        .bind("Zoë 🌊")
        .bind(i16::MIN)
        .bind(i64::MIN)
        .bind(1.5e300)
        .bind(day)
        .bind(at)
        .bind(moment)
        .bind(&document)
        .bind(&every_byte)
        .bind(vec![1, -2])
        .execute(pool)
        .await?;
    sqlx::query("insert into sqlx_things (name) values ($1)").bind("empty").execute(pool).await?;
    let row = sqlx::query("select * from sqlx_things where big = $1").bind(i64::MIN);
    let row = row.fetch_one(pool).await?;
    assert_eq!(row.get::<String, _>("name"), "Zoë 🌊");
    assert_eq!((row.get::<i16, _>("small"), row.get::<f64, _>("ratio")), (i16::MIN, 1.5e300));
    assert_eq!((row.get::<Date, _>("day"), row.get::<PrimitiveDateTime, _>("at")), (day, at));
    assert_eq!(row.get::<OffsetDateTime, _>("moment"), moment);
    assert_eq!(row.get::<serde_json::Value, _>("document"), document);
    assert_eq!(row.get::<Vec<u8>, _>("data"), every_byte);
    assert_eq!(row.get::<Vec<i32>, _>("numbers"), [1, -2]);
    assert!(!row.get::<bool, _>("sold"));
    let empty: (Option<i16>, Option<Date>, Option<Vec<u8>>) =
        sqlx::query_as("select small, day, data from sqlx_things where name = 'empty'")
            .fetch_one(pool)
            .await?;
    assert_eq!(empty, (None, None, None));
    let memory: String = sqlx::query_scalar("show work_mem").fetch_one(pool).await?;
    assert_eq!(memory, "9MB");
    Ok(())
}

async fn errors(pool: &PgPool) {
    let twice = sqlx::query("insert into sqlx_things (name) values ($1)").bind("empty");
    let twice = twice.execute(pool).await.unwrap_err();
    assert!(twice.as_database_error().is_some_and(|error| error.is_unique_violation()), "{twice}");
    let missing = sqlx::query("select * from missing").execute(pool).await.unwrap_err();
    let state = missing.as_database_error().and_then(sqlx::error::DatabaseError::code);
    assert_eq!(state.as_deref(), Some("42P01"), "{missing}");
}

async fn transactions(pool: &PgPool) -> Result<()> {
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

async fn large_results(pool: &PgPool) -> Result<()> {
    let mut connection = pool.acquire().await?;
    let select = "select n, repeat('x', 500) from generate_series($1, 10000) n";
    let mut rows = sqlx::query(select).bind(1).fetch(&mut *connection);
    let mut sum = 0;
    while let Some(row) = rows.try_next().await? {
        sum += i64::from(row.get::<i32, _>(0));
    }
    drop(rows);
    assert_eq!(sum, 10_000 * 10_001 / 2);
    // What is not read of a stream is left for whoever uses the connection next.
    let mut rows = sqlx::query(select).bind(5).fetch(&mut *connection);
    assert!(rows.try_next().await?.is_some());
    drop(rows);
    connection.ping().await
}

async fn copies(pool: &PgPool) -> Result<()> {
    sqlx::raw_sql("create table sqlx_copied (n int, data text)").execute(pool).await?;
    let mut copy = pool.copy_in_raw("copy sqlx_copied from stdin").await?;
    for number in 0..1000 {
        copy.send(format!("{number}\tx\n").into_bytes()).await?;
    }
    assert_eq!(copy.finish().await?, 1000);
    let mut copy = pool.copy_in_raw("copy sqlx_copied from stdin").await?;
    copy.send(b"1\tx\n".to_vec()).await?;
    copy.abort("it is given up").await?;
    let out = pool.copy_out_raw("copy sqlx_copied to stdout").await?;
    let out: Vec<_> = out.try_collect().await?;
    assert_eq!(out.concat().iter().filter(|byte| **byte == b'\n').count(), 1000);
    Ok(())
}

async fn notifications(pool: &PgPool) -> Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all(["sqlx", "Ünï"]).await?;
    for channel in ["sqlx", "Ünï"] {
        let notify = sqlx::query("select pg_notify($1, 'hello')").bind(channel);
        notify.execute(pool).await?;
        let heard = listener.recv().await?;
        assert_eq!((heard.channel(), heard.payload()), (channel, "hello"));
    }
    Ok(())
}

async fn many_at_a_time(pool: &PgPool) {
    let asks = (0..30_i64).map(|number| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let ask = sqlx::query_scalar("select $1 + 1").bind(number);
            let answer: i64 = ask.fetch_one(&pool).await.unwrap();
            assert_eq!(answer, number + 1);
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        ask.await.unwrap();
    }
}
