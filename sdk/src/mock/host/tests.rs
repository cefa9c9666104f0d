use std::time::Duration;

use crate::{kv, log, metrics, mock};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn values_end_when_their_time_is_over() {
    let host = mock::Host::new();
    kv::set("short", "1", Some(SECOND)).unwrap();
    kv::set("long", "1", None).unwrap();
    host.advance(SECOND - Duration::from_millis(1));
    assert!(kv::get("short").is_some());
    host.advance(Duration::from_millis(1));
    assert_eq!((kv::get("short"), kv::get("long")), (None, Some(b"1".to_vec())));
}

#[test]
fn an_increment_is_a_window_that_starts_with_the_first() {
    let host = mock::Host::new();
    assert_eq!(kv::increment("n", 5, Some(SECOND)), Ok(5));
    host.advance(SECOND / 2);
    assert_eq!(kv::increment("n", 1, Some(SECOND)), Ok(6));
    host.advance(SECOND / 2);
    assert_eq!(kv::increment("n", 1, Some(SECOND)), Ok(1));
}

#[test]
fn only_numbers_can_be_incremented() {
    let _host = mock::Host::new();
    kv::set("n", "many", None).unwrap();
    assert!(matches!(kv::increment("n", 1, None), Err(kv::Error::Other(_))));
    kv::set("n", i64::MAX.to_string(), None).unwrap();
    assert!(matches!(kv::increment("n", 1, None), Err(kv::Error::Other(_))));
    assert_eq!(kv::get("n"), Some(i64::MAX.to_string().into_bytes()));
}

#[test]
fn a_swap_compares_and_keeps_the_time_to_live() {
    let host = mock::Host::new();
    kv::set("who", "a", Some(SECOND)).unwrap();
    assert_eq!(kv::compare_and_swap("who", Some(b"b"), "c"), Ok(false));
    assert_eq!(kv::compare_and_swap("who", Some(b"a"), "b"), Ok(true));
    assert_eq!(kv::get("who").as_deref(), Some(b"b".as_slice()));
    host.advance(SECOND);
    assert_eq!(kv::compare_and_swap("who", None, "d"), Ok(true));
}

#[test]
fn the_store_has_the_limits_of_the_real_one() {
    let _host = mock::Host::new().with_kv_quota(100);
    assert_eq!(kv::set(&"k".repeat(1025), "", None), Err(kv::Error::TooLarge));
    assert_eq!(kv::set("k", vec![0; (1 << 20) + 1], None), Err(kv::Error::TooLarge));
    kv::set("k", [0; 99], None).unwrap();
    kv::set("k", [1; 99], None).unwrap();
    assert_eq!(kv::set("l", "", None), Err(kv::Error::QuotaExceeded));
    assert!(kv::delete("k"));
    assert_eq!(kv::set("l", "", None), Ok(()));
}

#[test]
fn a_metric_registered_twice_is_one() {
    let host = mock::Host::new();
    for _ in 0..2 {
        metrics::Counter::register("seen", &[("by", "me")]).unwrap().add(1);
    }
    metrics::Counter::register("seen", &[]).unwrap().add(7);
    assert_eq!(host.metric("seen", &[("by", "me")]), Some(2.0));
    assert_eq!(host.metric("seen", &[]), Some(7.0));
    assert_eq!(host.metric("seen", &[("by", "you")]), None);
    assert!(metrics::Histogram::register("h", &[2.0, 1.0]).is_err());
}

#[test]
fn a_session_has_room_for_so_many_attributes() {
    let session = mock::session("ann");
    for number in 0..33 {
        session.set_attribute(&number.to_string(), "v");
    }
    assert_eq!(session.attribute("31").as_deref(), Some("v"));
    assert_eq!(session.attribute("32"), None);
    session.set_attribute("0", &"x".repeat(1024));
    assert_eq!(session.attribute("0").as_deref(), Some("v"));
}

#[test]
fn a_new_host_remembers_nothing_but_the_sessions() {
    let session = mock::session("ann").with_database("shop");
    kv::set("left", "over", None).unwrap();
    log::info("left over");
    let host = mock::Host::new();
    assert_eq!(kv::get("left"), None);
    assert!(host.logged().is_empty());
    assert_eq!(session.database().as_deref(), Some("shop"));
}
