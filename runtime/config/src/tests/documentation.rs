//! `docs/configuration.md` is true and complete.

use std::collections::BTreeSet;

use super::*;
use crate::Protocol;

const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// A configuration that sets every table, for finding every key.
pub(super) const COMPLETE: &str = include_str!("complete.toml");

/// The blocks of the page that are marked as TOML.
fn examples() -> Vec<&'static str> {
    let blocks = PAGE.split("```toml\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap()).collect()
}

/// An example that shows only a part is completed with what it leaves out.
fn completed(example: &str) -> String {
    let mut text = example.to_owned();
    let upstream = "[[upstream]]\nname = 'orders'\nprotocol = 'mysql'\nservers = ['db:3306']\n\
                    account = { user = 'tidegate', password = 'x' }\n";
    let listener = "[[listener]]\nname = 'orders'\nprotocol = 'mysql'\nbind = '0.0.0.0:3306'\n\
                    upstream = 'orders'\nauth = { source = 'config', users = [{ name = 'app', password = 'x' }] }\n";
    for (table, default) in [("[[upstream]]", upstream), ("[[listener]]", listener)] {
        if !text.contains(table) {
            text.push_str(default);
        }
    }
    text
}

#[test]
fn every_example_of_the_page_is_understood() {
    let place = Place::new();
    let examples = examples();
    assert!(examples.len() >= 6, "{} examples", examples.len());
    for example in examples {
        if example.contains("[[user]]") {
            place.write("users.toml", example);
            let protocol = Some(Protocol::Mysql);
            let path = place.path().join("users.toml");
            crate::load_users_with(&path, &environment, protocol).unwrap();
        } else if let Err(errors) = place.parse(&completed(example)) {
            panic!("{errors}\n{example}");
        }
    }
}

/// Every key that there is, by asking each table for one that there is not.
fn keys() -> BTreeSet<String> {
    let place = Place::new();
    let odd = "the-key-that-is-nowhere";
    let text = COMPLETE
        .replace("{ ", &format!("{{ {odd} = 1, "))
        .lines()
        .map(|line| {
            let header = line.starts_with('[');
            if header { format!("{line}\n{odd} = 1\n") } else { format!("{line}\n") }
        })
        .collect::<String>();
    let errors = place.errors(&format!("{odd} = 1\n{text}"));
    let mut keys = BTreeSet::new();
    for line in errors.lines() {
        let (place, known) =
            line.split_once(": unknown key; known are ").unwrap_or_else(|| panic!("{line}"));
        let table = place.rsplit_once(' ').unwrap().1.strip_suffix(odd).unwrap();
        keys.extend(known.split(", ").map(|key| format!("{table}{}", key.trim_matches('`'))));
    }
    keys
}

#[test]
fn every_key_stands_on_the_page() {
    let keys = keys();
    assert!(keys.len() > 50, "{keys:#?}");
    for key in &keys {
        // Tables of the root stand in headings, as they are written.
        let shown = [format!("`{key}`"), format!("`[{key}]`"), format!("`[[{key}]]`")];
        assert!(shown.iter().any(|key| PAGE.contains(key)), "{key} is not documented");
    }
}

#[test]
fn the_page_names_no_key_that_is_not_there() {
    let keys = keys();
    // Keys stand in the first column of the page's tables, and are dotted there.
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    for key in rows.map(|row| row.split('`').next().unwrap()).filter(|key| key.contains('.')) {
        assert!(keys.contains(key), "`{key}` is documented, but there is no such key");
    }
}
