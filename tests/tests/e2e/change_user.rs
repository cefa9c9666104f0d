//! `COM_CHANGE_USER`: another user on the same connection.

use mysql_async::prelude::Queryable as _;
use mysql_async::{ChangeUserOpts, Conn, Error};
use tidegate_tests::clients::Login;
use tidegate_tests::{MariaDbPair, Setup, Tidegate};

use crate::support::{assert_unharmed, connect, run, server_error, try_connect, value};

fn tidegate() -> Tidegate {
    let setup = Setup::single(&MariaDbPair::shared().primary);
    Tidegate::start_with_plugins(setup, &[("user-router", "user-router")])
}

async fn change(connection: &mut Conn, user: &str, password: &str) -> Result<(), Error> {
    let options = ChangeUserOpts::default()
        .with_user(Some(user.to_owned()))
        .with_pass(Some(password.to_owned()))
        .with_db_name(None);
    connection.change_user(options).await
}

async fn who(connection: &mut Conn) -> String {
    let user: String = value(connection, "select current_user()").await;
    user.split('@').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_client_becomes_somebody_else_and_forgets() {
    let tidegate = tidegate();
    for compress in [false, true] {
        let mut login = Login::app(tidegate.port(), "app");
        login.compress = compress;
        let mut connection = try_connect(login).await.unwrap();
        let id: u32 = value(&mut connection, "select connection_id()").await;
        run(&mut connection, "set @mine = 1").await;
        run(&mut connection, "begin").await;
        change(&mut connection, "ro", "ropw").await.unwrap();
        assert_eq!(who(&mut connection).await, "ro");
        assert_eq!(value::<Option<u8>>(&mut connection, "select @mine").await, None);
        assert_eq!(value::<Option<String>>(&mut connection, "select database()").await, None);
        assert_eq!(value::<u32>(&mut connection, "select connection_id()").await, id);
        change(&mut connection, login.user, login.password).await.unwrap();
        assert_eq!(who(&mut connection).await, login.user);
    }
}

#[tokio::test]
async fn who_is_refused_stays_who_he_was_and_may_not_guess_for_long() {
    let tidegate = tidegate();
    let mut connection = connect(&tidegate, "app").await;
    for _ in 0..2 {
        run(&mut connection, "set @mine = 1").await;
        let error = change(&mut connection, "ro", "wrong").await.unwrap_err();
        assert_eq!(server_error(&error).0, 1045);
        assert_eq!(who(&mut connection).await, "app");
        assert_eq!(value::<Option<u8>>(&mut connection, "select @mine").await, None);
    }
    change(&mut connection, "ro", "ropw").await.unwrap();
    for _ in 0..3 {
        let error = change(&mut connection, "nobody", "wrong").await.unwrap_err();
        assert_eq!(server_error(&error).0, 1045);
    }
    assert!(connection.ping().await.is_err());
    assert_unharmed(&tidegate).await;
}
