//! For what the host may reuse a verdict.

use tidegate_sdk::mock;
use tidegate_sdk::sql::*;

use super::{app, rules};

fn reuse(list: &[&str], statement: &Statement) -> Option<Reuse> {
    rules(list).on_statement(&app(), statement).reuse.map(|(reuse, _)| reuse)
}

#[test]
fn what_depends_on_user_and_digest_holds_for_them() {
    let digest = "digest = '0123456789abcdef', error_msg = 'no'";
    for list in [
        &["username = 'app', destination = 'a'", "schemaname = 'shop', proxy_port = 3306"][..],
        &["match_digest = '^select', destination = 'a', apply = true", digest],
        &["listener = 'front', delay = '1ms'", "username = 'bob', match_pattern = 'x'"],
    ] {
        assert_eq!(reuse(list, &mock::statement("SELECT 1")), Some(Reuse::User), "{list:?}");
    }
}

#[test]
fn what_depends_on_the_text_holds_for_the_text() {
    let list = ["match_digest = '^select', apply = true", "match_pattern = 'x', destination = 'a'"];
    assert_eq!(reuse(&list, &mock::statement("SELECT 1")), Some(Reuse::User));
    assert_eq!(reuse(&list, &mock::statement("COMMIT")), None);
    assert_eq!(reuse(&list, &mock::prepared("COMMIT")), Some(Reuse::UserAndText));
}

#[test]
fn what_depends_on_the_address_holds_for_the_session() {
    let by_address = "client_addr = '10.%', destination = 'a'";
    assert_eq!(reuse(&[by_address], &mock::statement("SELECT 1")), Some(Reuse::Session));
    let both = [by_address, "match_pattern = 'x'"];
    assert_eq!(reuse(&both, &mock::prepared("SELECT 1")), None);
    let of_others = "username = 'bob', client_addr = '10.%', destination = 'a'";
    assert_eq!(reuse(&[of_others], &mock::statement("SELECT 1")), Some(Reuse::User));
}

#[test]
fn what_sets_where_the_next_statement_starts_is_asked_each_time() {
    let list = ["match_digest = '^begin', next_query_flagIN = 1", "flagIN = 1, destination = 'a'"];
    assert_eq!(reuse(&list, &mock::prepared("SELECT 1")), None);
}
