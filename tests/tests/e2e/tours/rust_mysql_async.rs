//! `mysql_async`: its pool, typed parameters, streams, transactions.

use mysql_async::prelude::{Query as _, Queryable as _, WithParams as _};
use mysql_async::{Conn, IsolationLevel, Opts, Pool, TxOpts, Value, params};
use tidegate_tests::clients::Login;

use crate::support::{options, run, server_error, value};

/// See the module.
#[tokio::main]
pub(crate) async fn mysql_async(login: Login<'_>) {
    let pool = Pool::new(Opts::from(options(login)));
    let mut connection = pool.get_conn().await.unwrap();
    rows_of_every_type(&mut connection).await;
    errors(&mut connection).await;
    transactions(&mut connection).await;
    many_results(&mut connection).await;
    large_values(&mut connection).await;
    run(&mut connection, "set @mine = 7").await;
    connection.ping().await.unwrap();
    // Who goes back to the pool is reset there.
    drop(connection);
    let mut connection = pool.get_conn().await.unwrap();
    assert_eq!(value::<Option<u32>>(&mut connection, "select @mine").await, None);
    drop(connection);
    many_at_a_time(&pool).await;
    pool.disconnect().await.unwrap();
}

async fn rows_of_every_type(connection: &mut Conn) {
    "create table rust (id int auto_increment primary key, small tinyint, huge bigint unsigned,
     ratio double, price decimal(20,6), day date, at datetime(6), lasts time(6),
     name varchar(50), data longblob) character set utf8mb4"
        .ignore(&mut *connection)
        .await
        .unwrap();
    let every_byte: Vec<u8> = (0..=255).collect();
    let rows: [[Value; 9]; 2] = [
        [
            Value::Int(-128),
            Value::UInt(u64::MAX),
            Value::Double(1.5e300),
            Value::from("-12345678901234.567890"),
            Value::Date(2024, 2, 29, 0, 0, 0, 0),
            Value::Date(2038, 1, 19, 3, 14, 8, 123_456),
            Value::Time(true, 34, 22, 59, 59, 0),
            Value::from("Zoë 🌊 日本語"),
            Value::from(every_byte),
        ],
        [const { Value::NULL }; 9],
    ];
    connection
        .exec_batch(
            "insert into rust (small, huge, ratio, price, day, at, lasts, name, data)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows.iter().map(|row| row.to_vec()),
        )
        .await
        .unwrap();
    // MariaDB takes all rows in one execution and tells the first number, MySQL the last.
    let told = connection.last_insert_id();
    assert_eq!(told, Some(value(connection, "select last_insert_id()").await));
    let columns = "small, huge, ratio, price, day, at, lasts, name, data";
    let select = format!("select {columns} from rust where id >= ? order by id");
    let found: Vec<mysql_async::Row> = connection.exec(select, (1,)).await.unwrap();
    let texts = |row: &[Value]| row.iter().map(|value| value.as_sql(true)).collect::<Vec<_>>();
    assert_eq!(found.len(), rows.len());
    for (found, row) in found.into_iter().zip(&rows) {
        assert_eq!(texts(&found.unwrap()), texts(row));
    }
    let named: Option<String> = "select name from rust where id = :id"
        .with(params! { "id" => 1 })
        .first(&mut *connection)
        .await
        .unwrap();
    assert_eq!(named.as_deref(), Some("Zoë 🌊 日本語"));
    run(connection, "update rust set name = 'x' where id < 3").await;
    assert_eq!(connection.affected_rows(), 2);
}

async fn errors(connection: &mut Conn) {
    for (statement, code) in [
        ("selec 1", 1064),
        ("select * from missing_table", 1146),
        ("insert into rust (id) values (1)", 1062),
    ] {
        let failure = connection.query_drop(statement).await.unwrap_err();
        assert_eq!(server_error(&failure).0, code, "{statement}");
        let failure = connection.exec_drop(statement, ()).await.unwrap_err();
        assert_eq!(server_error(&failure).0, code, "{statement}, prepared");
    }
}

async fn transactions(connection: &mut Conn) {
    let mut options = TxOpts::new();
    options.with_isolation_level(IsolationLevel::Serializable);
    let mut transaction = connection.start_transaction(options).await.unwrap();
    transaction.exec_drop("delete from rust where id > ?", (0,)).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut options = TxOpts::new();
    options.with_consistent_snapshot(true).with_readonly(Some(true));
    let mut transaction = connection.start_transaction(options).await.unwrap();
    let count: Option<u32> = transaction.query_first("select count(*) from rust").await.unwrap();
    assert_eq!(count, Some(2));
    let refused = transaction.query_drop("delete from rust").await.unwrap_err();
    assert_eq!(server_error(&refused).0, 1792);
    transaction.commit().await.unwrap();
}

async fn many_results(connection: &mut Conn) {
    let mut results =
        connection.query_iter("select 1; do 0; select 2 union select 3").await.unwrap();
    let mut found = Vec::new();
    while !results.is_empty() {
        found.push(results.collect::<u8>().await.unwrap());
    }
    assert_eq!(found, [vec![1], vec![], vec![2, 3]]);
}

async fn large_values(connection: &mut Conn) {
    let blob = vec![7_u8; 20 << 20];
    let back: Option<(usize, Vec<u8>)> =
        connection.exec_first("select length(?), ?", (&blob, &blob)).await.unwrap();
    assert!(back == Some((blob.len(), blob)), "20 MiB came back changed");
}

async fn many_at_a_time(pool: &Pool) {
    let asks = (0..40_u32).map(|number| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut connection = pool.get_conn().await.unwrap();
            let answer: Option<u32> =
                connection.exec_first("select ? + 1", (number,)).await.unwrap();
            assert_eq!(answer, Some(number + 1));
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        ask.await.unwrap();
    }
}
