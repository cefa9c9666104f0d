use sql_hooks::Action;
use tidegate_hook::Reply;

use super::*;

fn targets() -> Targets {
    Targets::new([("orders", vec![])])
}

fn answer(action: Action) -> sql_hooks::Decision {
    sql_hooks::Decision {
        action,
        target: 0,
        reuse: sql_hooks::Reuse::User,
        reuse_ms: 10,
        timeout_ms: 0,
        notes: sql_hooks::Notes::empty(),
    }
}

fn check(answer: sql_hooks::Decision, draft: Draft) -> Result<(Decision, Option<Reuse>), Failure> {
    Decision::check(answer, Some(Box::new(draft)), &targets(), "p")
}

fn apply(decision: Decision, verdict: &mut Verdict) -> bool {
    decision.apply(verdict, &"p".into())
}

#[test]
fn next_changes_nothing() {
    let (decision, reuse) = Decision::check(answer(Action::Next), None, &targets(), "p").unwrap();
    assert_eq!(reuse, Some(Reuse { scope: Scope::User, ms: 10 }));
    let mut verdict = Verdict::default();
    assert!(!apply(decision, &mut verdict));
    assert_eq!(verdict, Verdict::default());
}

#[test]
fn a_later_route_wins_and_annotations_add_up() {
    let mut verdict = Verdict::default();
    for (target, tag, trace) in [(1, "a", Some("t1")), (2, "b", None), (0, "a", None)] {
        let draft = Draft {
            annotations: Annotations {
                trace_id: trace.map(str::to_owned),
                tags: vec![(tag.to_owned(), target.to_string())],
                ..Annotations::default()
            },
            ..Draft::default()
        };
        let (decision, _) =
            check(sql_hooks::Decision { target, ..answer(Action::Route) }, draft).unwrap();
        assert!(!apply(decision, &mut verdict));
    }
    assert_eq!(verdict.target, targets().by_number(2));
    let annotations = verdict.annotations.unwrap();
    assert_eq!(annotations.trace_id.as_deref(), Some("t1"));
    assert_eq!(annotations.tags, [("a".into(), "0".into()), ("b".into(), "2".into())]);
}

#[test]
fn a_made_up_target_is_a_failure() {
    let made_up = sql_hooks::Decision { target: 99, ..answer(Action::Route) };
    assert!(check(made_up, Draft::default()).unwrap_err().message.contains("99"));
}

#[test]
fn a_rewrite_or_reply_without_its_text_is_a_failure() {
    for action in [Action::Rewrite, Action::Reply] {
        assert!(check(answer(action), Draft::default()).is_err(), "{action:?}");
        assert!(Decision::check(answer(action), None, &targets(), "p").is_err(), "{action:?}");
    }
}

#[test]
fn reject_and_reply_end_the_chain() {
    let mut verdict = Verdict::default();
    let (decision, _) = check(answer(Action::Reject), Draft::default()).unwrap();
    assert!(apply(decision, &mut verdict));
    assert_eq!(verdict.answer, Some(Answer::Reject(rejected_by("p"))));

    let reply = Reply::Done { affected: 1, last_insert_id: 2, info: String::new() };
    let draft = Draft { reply: Some(reply.clone()), ..Draft::default() };
    let (decision, _) = check(answer(Action::Reply), draft).unwrap();
    let mut verdict = Verdict::default();
    assert!(apply(decision, &mut verdict));
    assert_eq!(verdict.answer, Some(Answer::Reply(reply)));
}

#[test]
fn texts_of_other_actions_are_ignored() {
    let draft = Draft { rewrite: Some("DROP".to_owned()), ..Draft::default() };
    let (decision, _) = check(answer(Action::Next), draft).unwrap();
    assert_eq!(decision.rewrite(), None);
}

#[test]
fn delay_and_mirror_are_reused_and_a_later_one_wins() {
    let noted = |delay: Option<u64>, mirror: Option<u32>| {
        let annotations = Annotations {
            delay: delay.map(Duration::from_millis),
            mirror: mirror.and_then(|number| targets().by_number(number)),
            ..Annotations::default()
        };
        let (decision, reuse) =
            check(answer(Action::Next), Draft { annotations, ..Draft::default() }).unwrap();
        assert_eq!(reuse.map(|reuse| reuse.scope), Some(Scope::User));
        decision
    };
    let mut verdict = Verdict::default();
    assert_eq!((verdict.delay(), verdict.mirror()), (None, None));
    apply(noted(Some(5), Some(1)).clone(), &mut verdict);
    let expected = (Some(Duration::from_millis(5)), targets().by_number(1));
    assert_eq!((verdict.delay(), verdict.mirror()), expected);
    apply(noted(None, Some(2)), &mut verdict);
    apply(noted(Some(7), None), &mut verdict);
    let expected = (Some(Duration::from_millis(7)), targets().by_number(2));
    assert_eq!((verdict.delay(), verdict.mirror()), expected);
    assert_eq!((verdict.action(), verdict.by), ("next", None));
}

#[test]
fn a_trace_id_is_not_reused_for_another_text() {
    let with_trace = || Draft {
        annotations: Annotations { trace_id: Some("t".to_owned()), ..Annotations::default() },
        ..Draft::default()
    };
    let reuse_of = |reuse| {
        let answer = sql_hooks::Decision { reuse, ..answer(Action::Next) };
        check(answer, with_trace()).unwrap().1.map(|reuse| reuse.scope)
    };
    assert_eq!(reuse_of(sql_hooks::Reuse::User), None);
    assert_eq!(reuse_of(sql_hooks::Reuse::Session), None);
    assert_eq!(reuse_of(sql_hooks::Reuse::UserAndText), Some(Scope::UserAndText));
}
