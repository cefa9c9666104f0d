//! The plugin contract in plain Rust: what the data plane asks and what a plugin may answer.
//!
//! `proxy` calls [`Hooks`], `plugin-host` implements it. Neither knows the other, and this crate
//! knows no runtime, no socket and no WebAssembly.

mod connection_attributes;
mod hooks;
mod outcome;
mod session;
mod statement;
mod target;
mod verdict;
mod worker;

pub use connection_attributes::ConnectionAttributes;
pub use hooks::{Hooked, Hooks, NoHooks};
pub use outcome::{Outcome, OutcomeKind};
pub use session::{AttributesFull, ListenerId, Protocol, SessionContext, SessionState};
pub use statement::{Attribute, Statement, StatementTraits, TEXT_MAX};
pub use target::{Member, Target, TargetId, Targets, UnknownTarget};
pub use verdict::{
    Admission, Annotations, Answer, Column, DELAY_MAX, Idempotence, Rejection, Reply, Rows, Verdict,
};
pub use worker::{current_worker, set_current_worker};
