//! What one plugin decided, checked, and how it adds to the verdict of the chain.

use std::sync::Arc;
use std::time::Duration;

use tidegate_hook::{Annotations, Answer, Idempotence, Rejection, TargetId, Targets, Verdict};

use crate::bindings::exports::tidegate::plugin::sql_hooks;
use crate::failure::{Failure, FailureKind};
use crate::state::Draft;

/// The decision of one plugin. Cloned for each reuse, so what is rare is boxed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Decision {
    /// It did more than pass on.
    acted: bool,
    target: Option<TargetId>,
    /// 0: none.
    timeout_ms: u32,
    idempotence: Idempotence,
    texts: Option<Box<Texts>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Texts {
    rewrite: Option<String>,
    answer: Option<Answer>,
    annotations: Annotations,
}

/// For what a decision may be reused, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reuse {
    pub(crate) scope: Scope,
    pub(crate) ms: u32,
}

/// What must be the same for a decision to be reused, beside the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    User,
    UserAndText,
    Session,
}

impl Decision {
    /// Checks what a hook of this plugin answered.
    pub(crate) fn check(
        answer: sql_hooks::Decision,
        draft: Option<Box<Draft>>,
        targets: &Targets,
        plugin: &str,
    ) -> Result<(Self, Option<Reuse>), Failure> {
        use sql_hooks::Action;
        let mut decision = Self {
            acted: answer.action != Action::Next,
            target: None,
            timeout_ms: answer.timeout_ms,
            idempotence: idempotence(answer.notes),
            texts: None,
        };
        if matches!(answer.action, Action::Route | Action::Rewrite) {
            decision.target = target(answer.target, targets)?;
        }
        let needs_text = matches!(answer.action, Action::Rewrite | Action::Reply | Action::Reject);
        if draft.is_some() || needs_text {
            let texts = Texts::check(answer.action, *draft.unwrap_or_default(), plugin)?;
            decision.texts = Some(Box::new(texts));
        }
        let reuse = reuse(&answer).filter(|reuse| decision.may_be_reused(reuse.scope));
        Ok((decision, reuse))
    }

    /// A trace id or an idempotency key belongs to one request, unless the very text carries it.
    fn may_be_reused(&self, scope: Scope) -> bool {
        let own = |texts: &Texts| {
            texts.annotations.trace_id.is_some() || texts.annotations.idempotency_key.is_some()
        };
        scope == Scope::UserAndText || !self.texts.as_deref().is_some_and(own)
    }

    /// The text that replaces the statement for the next plugin.
    pub(crate) fn rewrite(&self) -> Option<&str> {
        self.texts.as_ref()?.rewrite.as_deref()
    }

    /// Adds this decision to the verdict. Returns whether it ends the chain.
    pub(crate) fn apply(self, verdict: &mut Verdict, name: &Arc<str>) -> bool {
        if self.acted {
            verdict.by = Some(Arc::clone(name));
        }
        if self.target.is_some() {
            verdict.target = self.target;
        }
        if self.timeout_ms != 0 {
            verdict.timeout = Some(Duration::from_millis(self.timeout_ms.into()));
        }
        if self.idempotence != Idempotence::Unknown {
            verdict.idempotence = self.idempotence;
        }
        if let Some(texts) = self.texts {
            texts.apply(verdict);
        }
        verdict.answer.is_some()
    }
}

impl Texts {
    fn check(action: sql_hooks::Action, draft: Draft, plugin: &str) -> Result<Self, Failure> {
        use sql_hooks::Action;
        let Draft { rewrite, reject, reply, annotations } = draft;
        let missing =
            |what: &str| Failure::new(FailureKind::HostError, format!("it gave no {what}"));
        let (rewrite, answer) = match action {
            Action::Next | Action::Route => (None, None),
            Action::Rewrite => (Some(rewrite.ok_or_else(|| missing("text to rewrite to"))?), None),
            Action::Reply => (None, Some(Answer::Reply(reply.ok_or_else(|| missing("reply"))?))),
            Action::Reject => {
                (None, Some(Answer::Reject(reject.unwrap_or_else(|| rejected_by(plugin)))))
            }
        };
        Ok(Self { rewrite, answer, annotations })
    }

    fn apply(self, verdict: &mut Verdict) {
        let Self { rewrite, answer, annotations } = self;
        if rewrite.is_some() {
            verdict.rewrite = rewrite;
        }
        if answer.is_some() {
            verdict.answer = answer;
        }
        if annotations != Annotations::default() {
            merge(verdict.annotations.get_or_insert_default(), annotations);
        }
    }
}

/// Later plugins override single values; tags accumulate.
fn merge(all: &mut Annotations, new: Annotations) {
    all.trace_id = new.trace_id.or_else(|| all.trace_id.take());
    all.idempotency_key = new.idempotency_key.or_else(|| all.idempotency_key.take());
    all.delay = new.delay.or(all.delay);
    all.mirror = new.mirror.or(all.mirror);
    for (key, value) in new.tags {
        match all.tags.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => all.tags.push((key, value)),
        }
    }
}

/// The target of a number that a plugin gave; 0 is where it would have gone anyway.
pub(crate) fn target(number: u32, targets: &Targets) -> Result<Option<TargetId>, Failure> {
    if number == 0 {
        return Ok(None);
    }
    let target = targets.by_number(number);
    let made_up = || {
        let message = format!("it named {number}, which is no target it can have resolved");
        Failure::new(FailureKind::HostError, message)
    };
    target.map(Some).ok_or_else(made_up)
}

/// What the client is told when a plugin rejects and does not say why.
pub(crate) fn rejected_by(plugin: &str) -> Rejection {
    let message = format!("rejected by plugin {plugin}");
    Rejection { code: 0, sqlstate: String::new(), message }
}

/// What the client is told when a plugin fails that must not be passed by.
pub(crate) fn failed_closed(plugin: &str, what: &str) -> Rejection {
    Rejection {
        code: 1105,
        sqlstate: "HY000".to_owned(),
        message: format!("plugin {plugin} failed; {what} was refused"),
    }
}

fn idempotence(notes: sql_hooks::Notes) -> Idempotence {
    // Who says both has said nothing, or rather the careful thing.
    if notes.contains(sql_hooks::Notes::NOT_IDEMPOTENT) {
        Idempotence::NotIdempotent
    } else if notes.contains(sql_hooks::Notes::IDEMPOTENT) {
        Idempotence::Idempotent
    } else {
        Idempotence::Unknown
    }
}

fn reuse(answer: &sql_hooks::Decision) -> Option<Reuse> {
    let scope = match answer.reuse {
        sql_hooks::Reuse::Never => return None,
        sql_hooks::Reuse::User => Scope::User,
        sql_hooks::Reuse::UserAndText => Scope::UserAndText,
        sql_hooks::Reuse::Session => Scope::Session,
    };
    (answer.reuse_ms > 0).then_some(Reuse { scope, ms: answer.reuse_ms })
}

#[cfg(test)]
mod tests;
