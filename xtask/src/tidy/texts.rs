//! Rules for every text: no paths of one machine, interfaces explained, commands that exist.

use clap::CommandFactory as _;

use super::Finding;
use super::files::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        tree.iter().flat_map(|(path, text)| paths(path, text)).collect();
    findings.extend(tree.ending(".wit").flat_map(|(path, text)| interfaces(path, text)));
    findings.extend(tree.ending(".md").flat_map(|(path, text)| commands(path, text)));
    findings
}

/// A path that exists on one machine only, or leads out of the repository.
fn paths(path: &str, text: &str) -> Vec<Finding> {
    // Put together here, so that this file keeps its own rule.
    let words = [["/", "work/"], ["/", "root/"], ["/", "Users/"], ["..", "/shared/"]]
        .map(|parts| parts.concat());
    let breaks = |line: &str| words.iter().find(|word| mentions(line, word)).cloned();
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(number, line)| Some((number, breaks(line)?)))
        .map(|(number, word)| {
            Finding::new(path, number + 1, format!("`{word}` is on one machine only"))
        })
        .collect()
}

/// `word` as the start of a path rather than the middle of one.
fn mentions(line: &str, word: &str) -> bool {
    let starts = |at: usize| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}'))
    };
    line.match_indices(word).any(|(at, _)| starts(at))
}

/// Every interface of the contract says what it is for.
fn interfaces(path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let declares = |line: &str| line.starts_with("interface ");
    let undocumented = |at: usize| {
        let above = lines[..at].iter().rev().find(|line| !line.trim_start().starts_with('@'));
        !above.is_some_and(|line| line.trim_start().starts_with("///"))
    };
    let found = lines.iter().enumerate().filter(|(at, line)| declares(line) && undocumented(*at));
    found.map(|(at, line)| Finding::new(path, at + 1, format!("no `///` above `{line}`"))).collect()
}

/// Every `cargo xtask …` that a page tells its reader to run is there.
fn commands(path: &str, text: &str) -> Vec<Finding> {
    let known: Vec<String> = crate::Cli::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for told in line.split("cargo xtask ").skip(1) {
            let name: String =
                told.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            if !name.is_empty() && !known.contains(&name) {
                findings.push(Finding::new(
                    path,
                    number + 1,
                    format!("there is no `cargo xtask {name}`"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let path = ["/", "root/x"].concat();
        assert_eq!(messages("a.md", &format!("see {path}")).len(), 1);
        assert!(messages("a.md", &format!("see target{path}")).is_empty());
    }

    #[test]
    fn an_interface_without_a_word_is_found() {
        assert_eq!(messages("a.wit", "interface a {\n}\n"), ["no `///` above `interface a {`"]);
        assert!(messages("a.wit", "/// What for.\ninterface a {\n}\n").is_empty());
    }

    #[test]
    fn a_command_that_does_not_exist_is_found() {
        assert_eq!(messages("a.md", "`cargo xtask tets`"), ["there is no `cargo xtask tets`"]);
        assert!(messages("a.md", "`cargo xtask test` and `cargo xtask <command>`").is_empty());
    }
}
