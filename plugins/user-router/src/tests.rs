use tidegate_sdk::mock;
use tidegate_sdk::sql_text::Dialect;

use super::*;

/// The file that is shipped.
const SAMPLE: &str = include_str!("../user-router.toml");

const TARGETS: [&str; 3] = ["orders", "orders/primary", "orders/replica"];

fn router(sidecar: &str) -> Result<UserRouter, String> {
    UserRouter::from_config(&mock::sidecar(sidecar)).map_err(|error| error.to_string())
}

#[test]
fn a_user_goes_before_a_database_and_that_before_the_default() {
    let _host = mock::Host::new().with_targets(&TARGETS);
    let router = router(SAMPLE).unwrap();
    let ask = |session: mock::MockSession| router.on_authenticated(&session);

    assert_eq!(ask(mock::session("admin")), Admission::route("orders/primary"));
    assert_eq!(ask(mock::session("app")), Admission::route("orders/replica"));
    let billing = mock::session("app").with_database("billing");
    assert_eq!(ask(billing), Admission::route("orders/primary"));
    let report = mock::session("report").with_database("billing");
    assert_eq!(ask(report), Admission::route("orders/replica"));
    let shop = mock::session("app").with_database("shop");
    assert_eq!(ask(shop), Admission::route("orders/replica"));
}

#[test]
fn whichever_protocol_the_client_speaks() {
    let router = router(SAMPLE).unwrap();
    for dialect in [Dialect::Mysql, Dialect::Postgres] {
        let session =
            |user, database| mock::session(user).with_dialect(dialect).with_database(database);
        for (user, database, target) in [
            ("admin", "admin", "orders/primary"),
            ("app", "billing", "orders/primary"),
            ("app", "app", "orders/replica"),
        ] {
            let admission = router.on_authenticated(&session(user, database));
            assert_eq!(admission, Admission::route(target), "{user} {database}");
        }
    }
}

#[test]
fn names_are_compared_exactly() {
    let router = router(SAMPLE).unwrap();
    let admission = router.on_authenticated(&mock::session("Admin"));
    assert_eq!(admission, Admission::route("orders/replica"));
}

#[test]
fn without_a_default_the_others_go_where_they_would_have_gone() {
    let router = router("[config.users]\nadmin = 'orders/primary'").unwrap();
    assert_eq!(router.on_authenticated(&mock::session("app")), Admission::next());
}

#[test]
fn without_rules_it_routes_nobody_and_says_so() {
    let host = mock::Host::new();
    let router = router("").unwrap();
    assert_eq!(router.on_authenticated(&mock::session("admin")), Admission::next());
    assert!(
        matches!(host.logged().as_slice(), [(log::Level::Warn, text)] if text.contains("no rules"))
    );
}

#[test]
fn a_mistake_in_the_configuration_is_refused_by_name() {
    let _host = mock::Host::new().with_targets(&TARGETS);
    let refused = |sidecar: &str| router(sidecar).err().unwrap_or_default();
    assert_eq!(
        refused("[config.users]\nadmin = 'orders/master'"),
        "[config] \"users.admin\": no target \"orders/master\"; there are: orders, orders/primary, orders/replica",
    );
    assert_eq!(
        refused("[config]\ndefualt = 'orders'"),
        "[config] \"defualt\": no such key; did you mean \"default\"?",
    );
    assert_eq!(
        refused("[config]\nusers = 'admin'"),
        "[config] \"users\": want a table, found \"admin\""
    );
}
