use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Config, Target, mock};

fn config(json: &str) -> Config {
    Config::from_json(json).unwrap()
}

fn message<T: std::fmt::Debug>(result: Result<T, crate::ConfigError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn durations_have_a_number_and_a_unit() {
    let read = |text: &str| config(&format!(r#"{{"d": "{text}"}}"#)).get::<Duration>("d").ok();
    assert_eq!(read("250us"), Some(Duration::from_micros(250)));
    assert_eq!(read("500ms"), Some(Duration::from_millis(500)));
    assert_eq!(read("2s"), Some(Duration::from_secs(2)));
    assert_eq!(read("5m"), Some(Duration::from_secs(300)));
    assert_eq!(read("1h"), Some(Duration::from_secs(3600)));
    assert_eq!(read("7d"), Some(Duration::from_secs(604_800)));
    for wrong in ["", "5", "s", "-1s", "1.5s", "5 s", "5sec", "99999999999999999999s", "1é"] {
        assert_eq!(read(wrong), None, "{wrong:?}");
    }
    assert_eq!(read("18446744073709551615h"), None);
}

#[test]
fn an_error_names_the_whole_path() {
    let config = config(r#"{"users": {"ann": 3}, "list": ["a", true]}"#);
    assert_eq!(
        message(config.get::<BTreeMap<String, String>>("users")),
        "[config] \"users.ann\": want a text, found 3",
    );
    assert_eq!(
        message(config.get::<Vec<String>>("list")),
        "[config] \"list.1\": want a text, found true",
    );
    assert_eq!(
        message(config.get::<String>("nothing")),
        "[config] \"nothing\": is missing; want a text",
    );
}

#[test]
fn a_target_must_exist() {
    let _host = mock::Host::new().with_targets(&["orders", "orders/replica"]);
    let config = config(r#"{"good": "orders", "bad": "order"}"#);
    assert_eq!(config.get::<Target>("good").unwrap().name(), "orders");
    assert_eq!(
        message(config.get::<Target>("bad")),
        "[config] \"bad\": no target \"order\"; there are: orders, orders/replica",
    );
}

#[test]
fn a_key_that_resembles_none_lists_them_all() {
    let config = config(r#"{"colour": 1}"#);
    assert_eq!(
        message(config.deny_unknown(&["default", "users"])),
        "[config] \"colour\": no such key; there are: default, users",
    );
    assert_eq!(
        message(config.deny_unknown(&[])),
        "[config] \"colour\": no such key; there are none"
    );
    assert_eq!(config.deny_unknown(&["colour"]), Ok(()));
    assert!(
        message(config.deny_unknown(&["default", "COLOUR"])).contains("did you mean \"COLOUR\"?")
    );
}

#[test]
fn a_single_value_is_found_through_tables() {
    let _host = mock::Host::new().with_sidecar("config.a.b.c = '2s'");
    assert_eq!(super::get::<Duration>("a.b.c"), Ok(Duration::from_secs(2)));
    assert_eq!(super::get::<Option<String>>("a.x.c"), Ok(None));
    assert_eq!(
        message(super::get::<bool>("a.x")),
        "[config] \"a.x\": is missing; want true or false"
    );
}

#[test]
fn what_is_not_a_table_is_refused() {
    for text in ["", "3", "[1]", "{", "{}x"] {
        assert!(Config::from_json(text).is_err(), "{text:?}");
    }
}
