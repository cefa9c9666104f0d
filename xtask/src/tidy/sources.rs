//! Rules for Rust sources: lengths, words that must not be there, what each file says of itself.

use std::collections::HashSet;

use super::Finding;
use super::files::Tree;
use super::lexer::{block, code_of, is_declaration, without_test_modules};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// What ends the process, and with it every session.
const PANICS: [&str; 6] =
    [".unwrap()", ".unwrap_err()", "panic!(", "unreachable!(", "todo!(", "unimplemented!("];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let tests = test_files(tree);
    tree.ending(".rs").flat_map(|(path, text)| check_file(path, text, &tests)).collect()
}

fn check_file(path: &str, text: &str, tests: &HashSet<String>) -> Vec<Finding> {
    let is_test = is_test(path, tests);
    let code = code_of(text);
    let product = without_test_modules(&code);
    let mut findings = attributes(path, &code);
    findings.extend(opening(path, text, is_test));
    if !is_test {
        findings.extend(lengths(path, &product));
    }
    if path.starts_with("runtime/") && !is_test {
        findings.extend(panics(path, &product));
    }
    if path.starts_with("tests/src/") || path.starts_with("tests/tests/") {
        findings.extend(sleeps(path, &code));
    }
    findings
}

/// Files that another one declares by `#[cfg(test)] mod name;`, without `.rs`.
fn test_files(tree: &Tree) -> HashSet<String> {
    let mut found = HashSet::new();
    for (path, text) in tree.ending(".rs") {
        for item in code_of(text).split("#[cfg(test)]").skip(1) {
            let item = item.trim_start().trim_start_matches("pub(crate) ");
            if let Some(name) = item.strip_prefix("mod ")
                && is_declaration(name)
            {
                let name = name.split(';').next().unwrap_or_default();
                found.insert(format!("{}{name}", child_folder(path)));
            }
        }
    }
    found
}

/// Where the modules of a file lie.
fn child_folder(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').map_or(("", path), |(a, b)| (a, b));
    match file {
        "mod.rs" | "lib.rs" | "main.rs" => format!("{folder}/"),
        file => format!("{folder}/{}/", file.trim_end_matches(".rs")),
    }
}

fn is_test(path: &str, tests: &HashSet<String>) -> bool {
    let stem = path.trim_end_matches(".rs");
    let mut above = stem.match_indices('/').map(|(end, _)| &stem[..end]);
    path.contains("/tests/")
        || path.contains("/fuzz_targets/")
        || tests.contains(stem)
        || above.any(|module| tests.contains(module))
}

fn line_of(code: &str, position: usize) -> usize {
    code[..position].matches('\n').count() + 1
}

/// Every file says what it owns; every module of tests lies under what it tests.
fn opening(path: &str, text: &str, is_test: bool) -> Option<Finding> {
    let documented = text.trim_start().starts_with("//!");
    (!documented && !is_test)
        .then(|| Finding::new(path, 1, "starts without `//!`: what does it own?"))
}

fn lengths(path: &str, product: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = product.lines().filter(|line| !line.trim().is_empty()).count();
    if lines > FILE_LINES_MAX {
        let message = format!("{lines} lines of code; at most {FILE_LINES_MAX}: split it");
        findings.push(Finding::new(path, 0, message));
    }
    for (line, length) in functions(product) {
        if length > FUNCTION_LINES_MAX {
            let message = format!("a function of {length} lines; at most {FUNCTION_LINES_MAX}");
            findings.push(Finding::new(path, line, message));
        }
    }
    findings
}

/// The first line and the number of lines of every function with a body.
fn functions(code: &str) -> Vec<(usize, usize)> {
    let starts = code.match_indices("fn ").map(|(start, _)| start);
    let is_word =
        |start: usize| !code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let measure = |start: usize| {
        let (_, end) = block(&code[start..])?;
        let length = code[start..start + end].matches('\n').count() + 1;
        Some((line_of(code, start), length))
    };
    starts.filter(|start| is_word(*start)).filter_map(measure).collect()
}

fn panics(path: &str, product: &str) -> Vec<Finding> {
    let find = |word: &&'static str| {
        let word = *word;
        let places = product.match_indices(word).filter(move |(at, _)| {
            word.starts_with('.')
                || !product[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
        });
        let finding = move |(at, _): (usize, &str)| {
            Finding::new(path, line_of(product, at), format!("`{word}` outside of tests"))
        };
        places.map(finding).collect::<Vec<_>>()
    };
    PANICS.iter().flat_map(find).collect()
}

/// A lint is only ever silenced with a reason, and a test only by removing it.
fn attributes(path: &str, code: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for word in ["[allow(", "[expect("] {
        for (at, _) in code.match_indices(word) {
            let attribute = code[at..].split(']').next().unwrap_or_default();
            if code[..at].ends_with(['#', '!']) && !attribute.contains("reason") {
                findings.push(Finding::new(
                    path,
                    line_of(code, at),
                    "a lint silenced without a reason",
                ));
            }
        }
    }
    for (at, _) in code.match_indices("#[ignore") {
        findings.push(Finding::new(path, line_of(code, at), "an ignored test tests nothing"));
    }
    findings
}

fn sleeps(path: &str, code: &str) -> Vec<Finding> {
    if path == "tests/src/wait.rs" {
        return Vec::new();
    }
    let finding = |(at, _)| {
        Finding::new(path, line_of(code, at), "a test that sleeps is slow or wrong: use `wait_for`")
    };
    code.match_indices("sleep(").map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let found = check(&Tree::of(&[(path, text)]));
        found.into_iter().map(|finding| format!("{}: {}", finding.line, finding.message)).collect()
    }

    #[test]
    fn a_panic_is_found_in_the_runtime_and_nowhere_else() {
        let text = "//! x\nfn a() {\n    b.unwrap();\n}\n#[cfg(test)]\nmod tests {\n fn c() { d.unwrap() }\n}\n";
        assert_eq!(messages("runtime/wire/src/a.rs", text), ["3: `.unwrap()` outside of tests"]);
        assert!(messages("xtask/src/a.rs", text).is_empty());
        assert!(messages("runtime/wire/src/a.rs", "//! x\nfn a() { debug_panic!() }").is_empty());
    }

    #[test]
    fn modules_declared_as_tests_are_tests() {
        let tree = Tree::of(&[
            ("runtime/wire/src/lib.rs", "//! x\n#[cfg(test)]\nmod support;\n"),
            ("runtime/wire/src/support.rs", "fn a() { panic!() }"),
            ("runtime/wire/src/support/more.rs", "fn a() { panic!() }"),
        ]);
        assert!(check(&tree).is_empty());
    }

    #[test]
    fn long_functions_are_found_where_they_start() {
        let body = "    x();\n".repeat(FUNCTION_LINES_MAX);
        let found = messages("xtask/src/a.rs", &format!("//! x\n\npub fn long() {{\n{body}}}\n"));
        assert_eq!(found, ["3: a function of 72 lines; at most 70"]);
    }

    #[test]
    fn lints_are_silenced_with_a_reason() {
        let bare = messages("xtask/src/a.rs", "//! x\n#[allow(dead_code)]\nfn a() {}");
        assert_eq!(bare, ["2: a lint silenced without a reason"]);
        let reasoned = "//! x\n#[expect(dead_code, reason = \"why\")]\nfn a() {}";
        assert!(messages("xtask/src/a.rs", reasoned).is_empty());
        assert!(messages("xtask/src/a.rs", "//! x\nfn a() { b([allow(1)]) }").is_empty());
    }
}
