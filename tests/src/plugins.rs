//! The plugins that were built for the tests.

use std::path::{Path, PathBuf};

/// The component of a crate of `plugins/` or `tests/plugins/`.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn component(crate_name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = format!("{}.wasm", crate_name.replace('-', "_"));
    ["plugins", "tests/plugins"]
        .map(|workspace| root.join(workspace).join("target/wasm32-wasip2/release").join(&file))
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("plugin {crate_name} is not built: run `cargo xtask plugins`"))
}
