//! The text files of the repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Path relative to the root, and text.
pub(super) struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads everything but what is built, installed, or git's own. What is not UTF-8 is no text.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = BTreeMap::new();
        collect(root, "", &mut tree)?;
        Ok(Self(tree))
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self(files.iter().map(owned).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Files whose names end so, generated ones excepted.
    pub(super) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter(move |(path, _)| path.ends_with(end))
    }
}

fn collect(folder: &Path, prefix: &str, tree: &mut BTreeMap<String, String>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        let path = format!("{prefix}{name}");
        if kind.is_dir() && !is_foreign(&name) {
            collect(&entry.path(), &format!("{path}/"), tree)?;
        } else if kind.is_file()
            && !is_foreign(&name)
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            tree.insert(path, text);
        }
    }
    Ok(())
}

/// Folders that hold nothing of ours; `.git` is a file where the tree is one of several.
fn is_foreign(name: &str) -> bool {
    matches!(name, ".git" | "target" | "node_modules" | "corpus" | "artifacts")
}
