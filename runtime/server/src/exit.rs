//! How the process ends, in the codes of `sysexits.h`.

use std::fmt::Display;

/// What `--help` says about it.
pub(crate) const HELP: &str = "\
Exit status:
   0  done
  64  the command line is wrong
  69  the process cannot serve: an address is taken, a file cannot be opened
  71  the operating system refused a thread or a runtime
  78  the configuration is wrong; each error names file, line and key";

/// A reason to end the process.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Exit {
    /// `EX_CONFIG`.
    pub(crate) fn config(why: &dyn Display) -> Self {
        Self { code: 78, message: why.to_string() }
    }

    /// `EX_UNAVAILABLE`.
    pub(crate) fn unavailable(why: &dyn Display) -> Self {
        Self { code: 69, message: format!("tidegate: {why}") }
    }

    /// `EX_OSERR`.
    pub(crate) fn system(why: &dyn Display) -> Self {
        Self { code: 71, message: format!("tidegate: {why}") }
    }
}
