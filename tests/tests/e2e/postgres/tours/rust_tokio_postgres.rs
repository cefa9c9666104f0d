//! `tokio_postgres`: pipelines, prepared statements, portals, COPY both ways, cancellation.

use std::future::poll_fn;
use std::pin::pin;

use futures_util::future::join_all;
use futures_util::{SinkExt as _, TryStreamExt as _, join};
use tidegate_tests::clients::Login;
use tokio::sync::mpsc;
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, IsolationLevel, SimpleQueryMessage};

use crate::postgres::support::{config, run, state, tls, try_connect, value};

/// See the module.
#[tokio::main]
pub(crate) async fn tokio_postgres(login: Login<'_>) {
    let mut client = try_connect(login).await.unwrap();
    rows_of_every_type(&client).await;
    errors(&client).await;
    transactions(&mut client).await;
    pipelines(&client).await;
    prepared_statements(&client).await;
    portals(&mut client).await;
    many_results(&client).await;
    copies(&client).await;
    large_values(&client).await;
    abandoned_rows(&client).await;
    notifications(login, &client).await;
    cancellation(login, &client).await;
}

async fn rows_of_every_type(client: &Client) {
    run(
        client,
        "create table rust (id serial primary key, small smallint, big bigint, ratio double precision,
         sold boolean, name text, data bytea, numbers int[])",
    )
    .await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let insert = "insert into rust (small, big, ratio, sold, name, data, numbers)
        values ($1, $2, $3, $4, $5, $6, $7) returning id";
    let name = "Zoë \"O'Brien\" \\ 🌊 $1";
    let numbers = vec![Some(1), None, Some(-2)];
    let id: i32 = client
        .query_one(insert, &[&i16::MIN, &i64::MIN, &1.5e300, &true, &name, &every_byte, &numbers])
        .await
        .unwrap()
        .get(0);
    let none = None::<i16>;
    let (no_big, no_ratio, no_sold) = (None::<i64>, None::<f64>, None::<bool>);
    let (no_name, no_data, no_numbers) = (None::<&str>, None::<&[u8]>, None::<Vec<i32>>);
    client
        .execute(insert, &[&none, &no_big, &no_ratio, &no_sold, &no_name, &no_data, &no_numbers])
        .await
        .unwrap();
    let row = client.query_one("select * from rust where id = $1", &[&id]).await.unwrap();
    assert_eq!((row.get(1), row.get(2)), (i16::MIN, i64::MIN));
    assert_eq!((row.get(3), row.get(4), row.get(5)), (1.5e300, true, name));
    assert_eq!(row.get::<_, Vec<u8>>(6), every_byte);
    assert_eq!(row.get::<_, Vec<Option<i32>>>(7), numbers);
    let empty = "select count(*) from rust where
        num_nulls(small, big, ratio, sold, name, data, numbers) = 7";
    assert_eq!(value::<i64>(client, empty).await, 1);
}

async fn errors(client: &Client) {
    for (statement, wanted) in [
        ("selec 1", "42601"),
        ("select * from missing_table", "42P01"),
        ("insert into rust (id) values (1)", "23505"),
        ("select 1 / (n - 500) from generate_series(1, 1000) n", "22012"),
    ] {
        assert_eq!(state(&client.batch_execute(statement).await.unwrap_err()), wanted);
        assert_eq!(state(&client.query(statement, &[]).await.unwrap_err()), wanted);
    }
    assert_eq!(value::<i32>(client, "select 1").await, 1);
}

async fn transactions(client: &mut Client) {
    let builder = client.build_transaction().isolation_level(IsolationLevel::Serializable);
    let transaction = builder.read_only(true).start().await.unwrap();
    let refused = transaction.execute("delete from rust", &[]).await.unwrap_err();
    assert_eq!(state(&refused), "25006");
    transaction.rollback().await.unwrap();
    let mut transaction = client.transaction().await.unwrap();
    transaction.execute("update rust set small = $1 where id = 1", &[&5_i16]).await.unwrap();
    let inner = transaction.savepoint("within").await.unwrap();
    assert_eq!(inner.execute("delete from rust", &[]).await.unwrap(), 2);
    inner.rollback().await.unwrap();
    transaction.commit().await.unwrap();
    // What is dropped is rolled back, by a message that is not waited for.
    let abandoned = client.transaction().await.unwrap();
    abandoned.execute("delete from rust", &[]).await.unwrap();
    drop(abandoned);
    assert_eq!(value::<i64>(client, "select count(*) from rust where small = 5").await, 1);
}

/// Everybody asks at once on one connection, and errors strike only who made them.
async fn pipelines(client: &Client) {
    let asks = (0..200_i32).map(|number| async move {
        let divisor = number % 10;
        match client.query_one("select 90 / $1::int + $2::int", &[&divisor, &number]).await {
            Ok(row) => assert_eq!(row.get::<_, i32>(0), 90 / divisor + number),
            Err(error) => assert_eq!((state(&error), divisor), ("22012", 0)),
        }
    });
    join_all(asks).await;
    let (simple, extended) = join!(
        client.simple_query("select 1; select 2"),
        client.query_one("select $1::text", &[&"between"])
    );
    assert_eq!(simple.unwrap().len(), 6);
    assert_eq!(extended.unwrap().get::<_, &str>(0), "between");
}

async fn prepared_statements(client: &Client) {
    let types = [Type::INT4, Type::TEXT];
    let statement = client.prepare_typed("select $1 + 1, $2", &types).await.unwrap();
    assert_eq!(statement.columns()[0].type_(), &Type::INT4);
    for number in 0..20_i32 {
        let text = "x".repeat(usize::try_from(number).unwrap());
        let row = client.query_one(&statement, &[&number, &text]).await.unwrap();
        assert_eq!((row.get::<_, i32>(0), row.get::<_, String>(1)), (number + 1, text));
    }
    // They are closed as they are dropped, and others get their places.
    for round in 0..3 {
        let statements = join_all((0..40).map(|number| async move {
            client.prepare(&format!("select {number} + $1::int + {round}")).await.unwrap()
        }))
        .await;
        for (number, statement) in (0..).zip(&statements) {
            let sum: i32 = client.query_one(statement, &[&1]).await.unwrap().get(0);
            assert_eq!(sum, number + 1 + round);
        }
    }
    run(client, "create type rust_mood as enum ('sad', 'ok')").await;
    // It asks the catalogue for a type that it does not know.
    let row = client.query_one("select 'ok'::rust_mood", &[]).await.unwrap();
    assert_eq!(row.columns()[0].type_().name(), "rust_mood");
}

async fn portals(client: &mut Client) {
    let transaction = client.transaction().await.unwrap();
    let series = "select * from generate_series(1, $1::int)";
    let one = transaction.bind(series, &[&25]).await.unwrap();
    let two = transaction.bind(series, &[&1000]).await.unwrap();
    let mut sum = 0;
    for wanted in [10, 10, 5, 0] {
        let rows = transaction.query_portal(&one, 10).await.unwrap();
        assert_eq!(rows.len(), wanted);
        sum += rows.iter().map(|row| row.get::<_, i32>(0)).sum::<i32>();
        assert_eq!(transaction.query_portal(&two, 3).await.unwrap().len(), 3);
    }
    assert_eq!(sum, 25 * 26 / 2);
    assert_eq!(transaction.query_portal(&two, 0).await.unwrap().len(), 1000 - 12);
    transaction.commit().await.unwrap();
}

async fn many_results(client: &Client) {
    let statements =
        "select 1 as a, null as b; update rust set small = 1 where id = 0; select 2 where false";
    let answers = client.simple_query(statements).await.unwrap();
    let shown: Vec<String> = answers
        .iter()
        .map(|answer| match answer {
            SimpleQueryMessage::Row(row) => format!("{:?} {:?}", row.get(0), row.get(1)),
            SimpleQueryMessage::CommandComplete(rows) => format!("done {rows}"),
            SimpleQueryMessage::RowDescription(columns) => format!("{} columns", columns.len()),
            _ => String::new(),
        })
        .collect();
    let wanted = ["2 columns", "Some(\"1\") None", "done 1", "done 0", "1 columns", "done 0"];
    assert_eq!(shown, wanted);
}

async fn copies(client: &Client) {
    run(client, "create table copied (n int, data text)").await;
    let sink = client.copy_in("copy copied from stdin").await.unwrap();
    let mut sink = pin!(sink);
    for start in 0..100 {
        let lines: String = (0..200).map(|at| format!("{}\tä {at}\n", start * 200 + at)).collect();
        sink.send(bytes(lines)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 20_000);
    let out = client.copy_out("copy copied to stdout").await.unwrap();
    let out: Vec<_> = out.try_collect().await.unwrap();
    assert_eq!(out.iter().filter(|line| line.ends_with(b"\n")).count(), 20_000);

    let sink = client.copy_in("copy copied from stdin (format binary)").await.unwrap();
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::INT4, Type::TEXT]));
    for number in 0..1000_i32 {
        writer.as_mut().write(&[&number, &None::<&str>]).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap(), 1000);
    let out = client.copy_out("copy copied to stdout (format binary)").await.unwrap();
    let rows = BinaryCopyOutStream::new(out, &[Type::INT4, Type::TEXT]);
    let rows: Vec<_> = rows.try_collect().await.unwrap();
    assert_eq!(rows.len(), 21_000);

    // Who is dropped has failed, and nothing was copied.
    let sink = client.copy_in("copy copied from stdin").await.unwrap();
    pin!(sink).send(bytes("1\tx\n".to_owned())).await.unwrap();
    let sink = client.copy_in("copy copied from stdin").await.unwrap();
    let mut sink = pin!(sink);
    sink.send(bytes("x\ty\n".to_owned())).await.unwrap();
    assert_eq!(state(&sink.finish().await.unwrap_err()), "22P02");
    // An answer that is not wanted is read to its end behind the scenes.
    drop(client.copy_out("copy copied to stdout").await.unwrap());
    assert_eq!(value::<i64>(client, "select count(*) from copied").await, 21_000);
}

fn bytes(text: String) -> std::io::Cursor<Vec<u8>> {
    std::io::Cursor::new(text.into_bytes())
}

async fn large_values(client: &Client) {
    let blob = b"tidegate".repeat(10 << 17);
    let select = "select length($1::bytea), $1::bytea";
    let row = client.query_one(select, &[&blob]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), i32::try_from(blob.len()).unwrap());
    assert_eq!(row.get::<_, &[u8]>(1), blob);
}

async fn abandoned_rows(client: &Client) {
    let series = "select n, repeat('x', 1000) from generate_series(1, $1) n";
    let mut rows = Box::pin(client.query_raw(series, [5_000_i32]).await.unwrap());
    assert_eq!(rows.try_next().await.unwrap().unwrap().get::<_, i32>(0), 1);
    drop(rows);
    // The others are skipped while the next statement waits for its turn.
    assert_eq!(value::<i32>(client, "select 7").await, 7);
}

async fn notifications(login: Login<'_>, client: &Client) {
    let (listener, mut connection) = config(login).connect(tls()).await.unwrap();
    let (heard, mut told) = mpsc::unbounded_channel();
    let carrier = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                AsyncMessage::Notification(notice) => heard.send(notice.payload().to_owned()),
                AsyncMessage::Notice(notice) => heard.send(notice.message().to_owned()),
                _ => Ok(()),
            }
            .ok();
        }
    });
    run(&listener, "listen rust; do $$ begin raise notice 'a notice'; end $$").await;
    assert_eq!(told.recv().await.unwrap(), "a notice");
    for number in 0..3 {
        run(client, &format!("notify rust, 'number {number}'")).await;
        assert_eq!(told.recv().await.unwrap(), format!("number {number}"));
    }
    let statements =
        ["unlisten rust", "notify rust, 'nobody hears'", "listen rust", "notify rust, 'last'"];
    for statement in statements {
        run(&listener, statement).await;
    }
    assert_eq!(told.recv().await.unwrap(), "last");
    drop(listener);
    carrier.await.unwrap();
}

async fn cancellation(login: Login<'_>, client: &Client) {
    let other = try_connect(login).await.unwrap();
    let marker = format!("select pg_sleep(61) /* rust {} */", login.database);
    let busy = "/* tidegate: route=primary */ select count(*) from pg_stat_activity \
                where starts_with(query, $1) and state = 'active'";
    let cancel = async {
        while other.query_one(busy, &[&marker]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        client.cancel_token().cancel_query(tls()).await.unwrap();
    };
    let (slept, ()) = join!(client.batch_execute(&marker), cancel);
    assert_eq!(state(&slept.unwrap_err()), "57014");
    assert_eq!(value::<i32>(client, "select 1").await, 1);
}
