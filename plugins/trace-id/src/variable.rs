//! `SET @trace_id = '…'`: a trace for all that the session sends from then on. In PostgreSQL it is a
//! setting: `SET application_name = '…'`, `SET app.trace_id = '…'`.

mod postgres;

use tidegate_sdk::sql_text::{Dialect, Token, TokenKind, tokens};

/// What a statement does to the variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Empty for NULL, and where it is reset; `None` where it is set to what only the server can know.
    pub(crate) value: Option<String>,
    /// The statement does nothing else.
    pub(crate) alone: bool,
}

/// The last assignment to the variable in a text that begins with SET, or with RESET or DISCARD.
pub(crate) fn assignment(text: &str, variable: &str, dialect: Dialect) -> Option<Assignment> {
    match dialect {
        Dialect::Mysql => mysql(text, variable),
        Dialect::Postgres => postgres::assignment(text, variable),
    }
}

fn mysql(text: &str, variable: &str) -> Option<Assignment> {
    let beside = |token: &Token<'_>| token.kind == TokenKind::Comment;
    let code: Vec<_> =
        tokens(text.as_bytes(), Dialect::Mysql).filter(|token| !beside(token)).collect();
    let end = if code.last().is_some_and(|last| last.bytes == b";") { 1 } else { 0 };
    let (set, code) = code.get(..code.len() - end)?.split_first()?;
    if !set.bytes.eq_ignore_ascii_case(b"SET") {
        return None;
    }
    let parts = at_commas(code);
    let mut values = parts.iter().filter_map(|part| value_of(part, variable));
    values.next_back().map(|value| Assignment { value, alone: parts.len() == 1 })
}

/// The parts between commas that are in no parentheses.
fn at_commas<'t, 's>(code: &'t [Token<'s>]) -> Vec<&'t [Token<'s>]> {
    let mut depth = 0_usize;
    let splits = |token: &Token<'_>| {
        match token.bytes {
            b"(" => depth += 1,
            b")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(token.bytes, b"," | b";")
    };
    code.split(splits).collect()
}

/// What is assigned, if the part is an assignment to the variable.
fn value_of(part: &[Token<'_>], variable: &str) -> Option<Option<String>> {
    let (name, rest) = part.split_first()?;
    if !is_variable(*name, variable) {
        return None;
    }
    match rest.iter().map(|token| token.bytes).collect::<Vec<_>>().as_slice() {
        [b"=", ..] => Some(literal(rest.get(1..)?)),
        [b":", b"=", ..] => Some(literal(rest.get(2..)?)),
        _ => None,
    }
}

/// `@name`, also with a quoted name; the server tells no upper from lower case.
fn is_variable(token: Token<'_>, variable: &str) -> bool {
    let name = token.bytes.strip_prefix(b"@").unwrap_or_default();
    let name = match name {
        [open @ (b'\'' | b'"' | b'`'), name @ .., close] if open == close => name,
        name => name,
    };
    token.kind == TokenKind::UserVariable && name.eq_ignore_ascii_case(variable.as_bytes())
}

/// What a single string or number says. One with an escape in it is no id anyway.
fn literal(value: &[Token<'_>]) -> Option<String> {
    let [token] = value else {
        return None;
    };
    let text = match (token.kind, token.bytes) {
        (TokenKind::Number, digits) => digits,
        (TokenKind::Word, word) if word.eq_ignore_ascii_case(b"NULL") => b"",
        (TokenKind::String, [open @ (b'\'' | b'"'), text @ .., close]) if open == close => text,
        _ => return None,
    };
    let plain = !text.iter().any(|byte| matches!(byte, b'\'' | b'"' | b'\\'));
    str::from_utf8(text).ok().filter(|_| plain).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<Assignment> {
        assignment(text, "trace_id", Dialect::Mysql)
    }

    #[test]
    fn an_assignment_alone() {
        for text in [
            "SET @trace_id = 'abc'",
            "set @trace_id='abc';",
            "SET @TRACE_ID := \"abc\"",
            "/* why */ SET @`trace_id` /* what */ = 'abc' -- so",
            "SET @'trace_id'='abc'",
        ] {
            let expected = Assignment { value: Some("abc".to_owned()), alone: true };
            assert_eq!(found(text), Some(expected), "{text}");
        }
        for (text, value) in [("SET @trace_id = 42", "42"), ("SET @trace_id = null", "")] {
            let expected = Assignment { value: Some(value.to_owned()), alone: true };
            assert_eq!(found(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_assignment_among_others() {
        for text in [
            "SET @a = 1, @trace_id = 'abc'",
            "SET @trace_id = 'abc', @b = @trace_id",
            "SET @trace_id = 'x', @trace_id = 'abc'",
            "SET @a = COALESCE(1, @trace_id = 'x'), @trace_id = 'abc', sql_mode = ''",
            "SET @trace_id = 'abc'; SELECT 1",
        ] {
            let expected = Assignment { value: Some("abc".to_owned()), alone: false };
            assert_eq!(found(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_only_the_server_knows_is_none() {
        for text in [
            "SET @trace_id = UUID()",
            "SET @trace_id = 'a' 'b'",
            "SET @trace_id = 'it''s'",
            "SET @trace_id = 'a\\nb'",
            "SET @trace_id = x'6162'",
            "SET @trace_id = ?",
            "SET @trace_id =",
            "SET @trace_id = 'open",
        ] {
            let expected = Assignment { value: None, alone: true };
            assert_eq!(found(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn all_else_is_none() {
        for text in [
            "",
            "SET",
            "SET @a = 1",
            "SET @trace_id_2 = 'abc'",
            "SET @a = @trace_id",
            "SET trace_id = 'abc'",
            "SELECT @trace_id = 'abc'",
            "SELECT 1; SET @trace_id = 'abc'",
            "SET @a = '@trace_id = 1'",
            "SET @a = (SELECT @trace_id := 'abc')",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
