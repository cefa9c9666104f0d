//! What goes through: large packets, many results, transactions, prepared statements.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use tidegate_tests::clients::{Login, mariadb_program};
use tidegate_tests::raw::RawClient;
use tidegate_tests::{MariaDbPair, Setup, Tidegate};

use crate::support::{assert_unharmed, connect, options, run, server_error, value};

/// The largest payload of one frame.
const FRAME: usize = 0xff_ffff;

fn start() -> Tidegate {
    Tidegate::start(Setup::single(&MariaDbPair::shared().primary))
}

#[test]
fn a_file_of_the_client_is_loaded() {
    let pair = MariaDbPair::shared();
    let database = pair.database("statements_infile");
    pair.primary.execute(&format!("create table {database}.t (id int primary key, name text)"));
    let tidegate = Tidegate::start(Setup::single(&pair.primary));
    let file = tidegate.folder().join("rows.tsv");
    let rows: String = (0..200_000).map(|n| format!("{n}\tname {n}\n")).collect();
    std::fs::write(&file, rows).unwrap();
    let load = format!(
        "truncate t; load data local infile {file:?} into table t; \
         select count(*), max(name) from t; \
         load data local infile '/nowhere' into table t; select 'on'"
    );
    let loaded = |port: u16, compress: bool| {
        let login = Login { compress, ..Login::app(port, database) };
        let mut client = mariadb_program("mariadb", login);
        client.args(["--local-infile=1", "--force", "-BNe", &load, database]);
        let output = client.output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let direct = loaded(pair.primary.port(), false);
    assert!(direct.0.starts_with("200000\tname 99999\n"), "{direct:?}");
    assert_eq!(loaded(tidegate.port(), false), direct);
    assert_eq!(loaded(tidegate.port(), true), direct);
}

#[tokio::test]
async fn statements_and_rows_of_many_frames_pass_unchanged() {
    let tidegate = start();
    let mut connection = connect(&tidegate, "").await;
    for length in [20 << 20, 40 << 20] {
        let text: String = "0123456789abcdef".repeat(length / 16);
        let back: String = value(&mut connection, &format!("select '{text}'")).await;
        assert!(back == text, "{length} bytes came back changed");
        assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    }
}

#[tokio::test]
async fn payloads_of_exactly_one_frame_and_a_little_more_or_less_pass() {
    let tidegate = start();
    let mut connection = connect(&tidegate, "").await;
    for payload in [FRAME - 1, FRAME, FRAME + 1, 2 * FRAME] {
        // The command's code is one byte of the payload.
        let frame = "select length('')".len() + 1;
        let text = "x".repeat(payload - frame);
        let statement = format!("select length('{text}')");
        let length: usize = value(&mut connection, &statement).await;
        assert_eq!(length, text.len());
        // And on the way back: a row is the value and its length, 4 bytes for these.
        let back: String =
            value(&mut connection, &format!("select repeat('y', {})", payload - 4)).await;
        assert_eq!(back.len(), payload - 4);
    }
}

#[tokio::test]
async fn a_result_of_many_rows_streams_to_its_end() {
    let tidegate = start();
    let mut connection = connect(&tidegate, "").await;
    let mut result = connection
        .query_iter("select seq, repeat('x', 200) from app.seq_1_to_200000")
        .await
        .unwrap();
    let mut sum = 0_u64;
    result.for_each(|row| sum += mysql_async::from_row::<(u64, String)>(row).0).await.unwrap();
    assert_eq!(sum, 200_000 * 200_001 / 2);
    drop(result);
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

#[tokio::test]
async fn one_statement_may_have_many_results() {
    let tidegate = start();
    let database = MariaDbPair::shared().database("statements_results");
    let mut connection = connect(&tidegate, database).await;
    run(&mut connection, "create table t (a int)").await;
    let mut result = connection
        .query_iter("select 1; insert into t values (7), (8); select a from t; select 'last'")
        .await
        .unwrap();
    assert_eq!(result.collect::<u8>().await.unwrap(), [1]);
    assert_eq!(result.affected_rows(), 2);
    assert!(result.collect::<u8>().await.unwrap().is_empty());
    assert_eq!(result.collect::<u8>().await.unwrap(), [7, 8]);
    assert_eq!(result.collect::<String>().await.unwrap(), ["last"]);
    assert!(result.is_empty());
    drop(result);

    run(&mut connection, "create procedure two(a int) begin select a; select a + 1; end").await;
    let mut result = connection.query_iter("call two(41)").await.unwrap();
    assert_eq!(result.collect::<u8>().await.unwrap(), [41]);
    assert_eq!(result.collect::<u8>().await.unwrap(), [42]);
    drop(result);

    let mut result =
        connection.query_iter("select 1; select * from missing; select 2").await.unwrap();
    assert_eq!(result.collect::<u8>().await.unwrap(), [1]);
    let failure = result.collect::<u8>().await.unwrap_err();
    assert_eq!(server_error(&failure).0, 1146);
    drop(result);
    assert_eq!(value::<u8>(&mut connection, "select 3").await, 3);
}

#[tokio::test]
async fn transactions_commit_and_roll_back() {
    let tidegate = start();
    let database = MariaDbPair::shared().database("statements_transactions");
    let mut connection = connect(&tidegate, database).await;
    let mut other = connect(&tidegate, database).await;
    run(&mut connection, "create table t (a int)").await;
    run(&mut connection, "begin").await;
    run(&mut connection, "insert into t values (1)").await;
    assert_eq!(value::<u32>(&mut other, "select count(*) from t").await, 0);
    run(&mut connection, "rollback").await;
    assert_eq!(value::<u32>(&mut connection, "select count(*) from t").await, 0);
    run(&mut connection, "set autocommit = 0").await;
    run(&mut connection, "insert into t values (2)").await;
    assert_eq!(value::<u32>(&mut other, "select count(*) from t").await, 0);
    run(&mut connection, "commit").await;
    assert_eq!(value::<u32>(&mut other, "select count(*) from t").await, 1);
}

#[tokio::test]
async fn an_open_transaction_is_rolled_back_when_its_client_goes() {
    let tidegate = start();
    let database = MariaDbPair::shared().database("statements_abandoned");
    let mut connection = connect(&tidegate, database).await;
    run(&mut connection, "create table t (a int); begin; insert into t values (1)").await;
    drop(connection);
    // A new session may well get the very connection that the old one has left.
    for _ in 0..5 {
        let mut next = connect(&tidegate, database).await;
        assert_eq!(value::<u32>(&mut next, "select count(*) from t").await, 0);
        assert_eq!(value::<u8>(&mut next, "select @@in_transaction").await, 0);
        next.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn nothing_of_one_session_is_seen_by_the_next() {
    let setup = Setup::single(&MariaDbPair::shared().primary).pool("{ max = 1, wait = \"10s\" }");
    let tidegate = Tidegate::start(setup);
    let database = MariaDbPair::shared().database("statements_reset");
    let mut first = connect(&tidegate, database).await;
    run(&mut first, "set @secret = 'mine', sql_mode = 'ANSI_QUOTES'").await;
    run(&mut first, "create temporary table hidden (a int)").await;
    run(&mut first, "use mysql").await;
    first.disconnect().await.unwrap();
    let mut second = connect(&tidegate, database).await;
    assert_eq!(value::<Option<String>>(&mut second, "select @secret").await, None);
    assert_eq!(value::<String>(&mut second, "select database()").await, database);
    let mode: String = value(&mut second, "select @@sql_mode").await;
    assert!(mode.contains("STRICT_TRANS_TABLES") && !mode.contains("ANSI_QUOTES"), "{mode}");
    let failure = second.query_drop("select * from hidden").await.unwrap_err();
    assert_eq!(server_error(&failure).0, 1146);
}

#[tokio::test]
async fn prepared_statements_of_every_shape_run() {
    let tidegate = start();
    let database = MariaDbPair::shared().database("statements_prepared");
    let mut connection = connect(&tidegate, database).await;
    run(&mut connection, "create table t (a int primary key, b longblob)").await;
    let insert = connection.prep("insert into t values (?, ?)").await.unwrap();
    let select = connection.prep("select b from t where a = ?").await.unwrap();
    for number in 0..200_u32 {
        let blob = vec![u8::try_from(number).unwrap(); 10];
        connection.exec_drop(&insert, (number, blob)).await.unwrap();
    }
    for number in (0..200_u32).rev() {
        let found: Vec<Vec<u8>> = connection.exec(&select, (number,)).await.unwrap();
        assert_eq!(found, [vec![u8::try_from(number).unwrap(); 10]]);
    }
    let duplicate = connection.exec_drop(&insert, (0, "x")).await.unwrap_err();
    assert_eq!(server_error(&duplicate).0, 1062);
    connection.close(insert).await.unwrap();
    connection.close(select).await.unwrap();
    let failure = connection.prep("select * from missing").await.unwrap_err();
    assert_eq!(server_error(&failure).0, 1146);
}

#[tokio::test]
async fn long_parameters_are_sent_in_pieces_or_at_once() {
    let tidegate = start();
    let mut connection = connect(&tidegate, "").await;
    // What does not fit a frame the driver sends as COM_STMT_SEND_LONG_DATA.
    for length in [8 << 20, 40 << 20] {
        let blob = vec![0xa5; length];
        let (seen, digest): (usize, String) = connection
            .exec_first("select length(?), md5(?)", (&blob, &blob))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(seen, length);
        // Asked in SQL, where nothing is long.
        let same = format!("select md5(repeat(x'a5', {length}))");
        assert_eq!(digest, value::<String>(&mut connection, &same).await);
    }
}

/// Many sessions over few connections: each must get its own answers, in its own order.
#[tokio::test(flavor = "multi_thread")]
async fn answers_never_cross_from_one_session_to_another() {
    let setup = Setup::single(&MariaDbPair::shared().primary).pool("{ max = 3, wait = \"60s\" }");
    let tidegate = Tidegate::start(setup);
    let port = tidegate.port();
    let sessions = (0..12_u32).map(|session| {
        tokio::spawn(async move {
            for round in 0..8_u32 {
                let mine = session * 1000 + round;
                one_session(port, mine).await;
            }
        })
    });
    for session in sessions.collect::<Vec<_>>() {
        session.await.unwrap();
    }
}

/// Sets, asks back and prepares values that no other session has, and leaves.
async fn one_session(port: u16, mine: u32) {
    let mut connection =
        Conn::new(Opts::from(options(Login::app(port, "app")))).await.expect("a login");
    run(&mut connection, &format!("set @mine = {mine}")).await;
    let statement = connection.prep(format!("select {mine} + ?, @mine")).await.unwrap();
    for n in 0..20_u32 {
        let text: (u32, u32) =
            connection.query_first(format!("select {mine} + {n}, @mine")).await.unwrap().unwrap();
        let prepared: Option<(u32, u32)> = connection.exec_first(&statement, (n,)).await.unwrap();
        assert_eq!((text, prepared), ((mine + n, mine), Some((mine + n, mine))));
    }
    connection.disconnect().await.unwrap();
}

#[test]
fn a_client_that_wants_eof_packets_gets_them() {
    let tidegate = start();
    let mut client = RawClient::login(tidegate.port(), "nopw").unwrap();
    client.command(3, b"select 'a' union all select 'b'").unwrap();
    let frames: Vec<_> = (0..6).map(|_| client.read().unwrap()).collect();
    let sequence: Vec<u8> = frames.iter().map(|frame| frame.sequence).collect();
    assert_eq!(sequence, [1, 2, 3, 4, 5, 6]);
    let payloads: Vec<&[u8]> = frames.iter().map(|frame| frame.payload.as_slice()).collect();
    assert_eq!(payloads[0], [1]);
    assert_eq!((payloads[2][0], payloads[2].len()), (0xfe, 5), "no EOF after the columns");
    assert_eq!((payloads[3], payloads[4]), (&b"\x01a"[..], &b"\x01b"[..]));
    assert_eq!((payloads[5][0], payloads[5].len()), (0xfe, 5), "no EOF after the rows");
    assert!(client.ask(14, &[]).unwrap().is_ok(), "the session is out of step");
}

#[tokio::test]
async fn a_command_that_is_not_there_yet_gets_a_clear_error_and_the_session_goes_on() {
    let tidegate = start();
    let mut client = RawClient::login(tidegate.port(), "nopw").unwrap();
    for code in [0x50, 0x0b, 0x12, 0x15, 0x1e] {
        let answer = client.ask(code, b"\0\0\0\0\0\0\0\0").unwrap();
        assert_eq!(answer.error_code(), Some(1047), "command {code:#x}: {}", answer.text());
        assert!(client.ask(14, &[]).unwrap().is_ok(), "after command {code:#x}");
    }
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn an_unknown_database_is_an_error_that_names_it() {
    let tidegate = start();
    let opts = Opts::from(options(Login::app(tidegate.port(), "no_such_database")));
    let failure = match Conn::new(opts).await {
        Err(error) => error,
        Ok(mut connection) => connection.query_drop("select 1").await.unwrap_err(),
    };
    let (code, message) = server_error(&failure);
    assert_eq!(code, 1049, "{message}");
    assert!(message.contains("no_such_database"), "{message}");
}
