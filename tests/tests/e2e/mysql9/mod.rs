//! With MySQL 9 behind the proxy; `cargo xtask mysql9` installs it and runs these.

mod harness;
