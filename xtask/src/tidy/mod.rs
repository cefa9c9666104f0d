//! `cargo xtask tidy`: the rules of the house that the compiler does not know.
//!
//! It reads text, not syntax trees, so that it runs in a moment and with no dependency; a rule that
//! text cannot decide is clippy's.

mod files;
mod lexer;
mod manifests;
mod sources;
mod texts;

use anyhow::{Result, bail};

use crate::shell;

/// What is wrong, and where.
#[derive(Debug)]
struct Finding {
    /// Relative to the root of the repository.
    file: String,
    /// 0 for the file as a whole.
    line: usize,
    message: String,
}

impl Finding {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

/// Prints everything that is wrong, and fails if there is anything.
pub(crate) fn run() -> Result<()> {
    let findings = check()?;
    for Finding { file, line, message } in &findings {
        eprintln!("{file}:{line}: {message}");
    }
    if !findings.is_empty() {
        bail!("{} breaches of the rules of the house", findings.len());
    }
    Ok(())
}

fn check() -> Result<Vec<Finding>> {
    let tree = files::Tree::read(&shell::root())?;
    let mut findings = manifests::check(&tree)?;
    findings.extend(sources::check(&tree));
    findings.extend(texts::check(&tree));
    findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::run().unwrap();
    }
}
