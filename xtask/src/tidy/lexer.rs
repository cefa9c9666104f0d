//! Just enough of Rust's lexical grammar to tell code from comments and literals.

/// Blanks comments, and what is inside literals, with spaces; every line keeps its number.
pub(super) fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match literal_or_comment(rest, after_word) {
            Some(length) => {
                blank(&rest[..length], &mut code);
                length
            }
            None => {
                code.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    code
}

/// Replaces the lines of every `#[cfg(test)] mod … { … }` by empty ones, in the result of
/// [`code_of`].
pub(super) fn without_test_modules(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        let (before, marked) = rest.split_at(start);
        kept.push_str(before);
        let item = marked[MARK.len()..].trim_start();
        let end = match (item.split([' ', '\n']).next(), block(marked)) {
            (Some("mod"), Some((_, end))) if !is_declaration(item) => end,
            _ => MARK.len(),
        };
        blank(&marked[..end], &mut kept);
        rest = &marked[end..];
    }
    kept + rest
}

/// `mod tests;` rather than `mod tests { … }`.
pub(super) fn is_declaration(item: &str) -> bool {
    item.find(';').is_some_and(|semicolon| !item[..semicolon].contains('{'))
}

/// The first brace-delimited block of some code: where its brace is, and where it has ended.
///
/// `None` when a semicolon comes first, outside parentheses and brackets: there is no body.
pub(super) fn block(code: &str) -> Option<(usize, usize)> {
    let (mut depth, mut nested, mut start) = (0_usize, 0_usize, None);
    for (position, character) in code.char_indices() {
        match (character, start) {
            ('(' | '[', None) => nested += 1,
            (')' | ']', None) => nested = nested.saturating_sub(1),
            (';', None) if nested == 0 => return None,
            ('{', _) => {
                start.get_or_insert(position);
                depth += 1;
            }
            ('}', Some(start)) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some((start, position + 1));
                }
            }
            _ => {}
        }
    }
    None
}

fn blank(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

/// The length of the comment or literal that `text` starts with.
fn literal_or_comment(text: &str, after_word: bool) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    let unprefixed = if after_word { text } else { text.trim_start_matches(['b', 'c']) };
    let prefix = text.len() - unprefixed.len();
    if prefix <= 1
        && !after_word
        && let Some(raw) = unprefixed.strip_prefix('r')
    {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return Some(prefix + 1 + raw_string(raw, hashes));
        }
    }
    match unprefixed.chars().next() {
        Some('"') if prefix <= 1 => Some(prefix + quoted(unprefixed, '"')),
        Some('\'') if prefix <= 1 => character(unprefixed).map(|length| prefix + length),
        _ => None,
    }
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut position = 0;
    while position < text.len() {
        let rest = &text.as_bytes()[position..];
        if rest.starts_with(b"/*") {
            (depth, position) = (depth + 1, position + 2);
        } else if rest.starts_with(b"*/") {
            (depth, position) = (depth - 1, position + 2);
            if depth == 0 {
                return position;
            }
        } else {
            position += 1;
        }
    }
    text.len()
}

/// The length of a raw string, from its hashes on.
fn raw_string(text: &str, hashes: usize) -> usize {
    let end = format!("\"{}", "#".repeat(hashes));
    let body = hashes + 1;
    text[body..].find(&end).map_or(text.len(), |found| body + found + end.len())
}

fn quoted(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((position, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return position + 1;
        }
    }
    text.len()
}

/// A character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    let (_, first) = characters.next()?;
    let (_, second) = characters.next()?;
    (first == '\\' || second == '\'').then(|| quoted(text, '\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let source =
            "let a = \"x.unwrap()\"; // panic!\nlet b = 'a'; /* a\n/* b */ */ fn f<'a>() {}\n";
        let code = code_of(source);
        assert_eq!(code.lines().count(), source.lines().count());
        assert!(!code.contains("unwrap") && !code.contains("panic"), "{code}");
        assert!(code.contains("fn f<'a>() {}"), "{code}");
    }

    #[test]
    fn raw_and_byte_strings_end_where_they_end() {
        for literal in [r##"r#"a " b"#"##, r#"b"a\"b""#, r#"r"a\""#, "b'\\''", "'\\u{1f}'"] {
            assert_eq!(code_of(&format!("{literal};x")).trim(), ";x", "{literal}");
        }
    }

    #[test]
    fn identifiers_that_end_in_a_prefix_are_no_literals() {
        assert_eq!(code_of("for r in b {}"), "for r in b {}");
        assert_eq!(code_of("attr\"x\""), "attr   ");
    }

    #[test]
    fn test_modules_are_left_out() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { }\n}\nfn c() {}\n";
        let kept = without_test_modules(code);
        assert!(kept.contains("fn a") && kept.contains("fn c") && !kept.contains("fn b"));
        assert_eq!(kept.lines().count(), code.lines().count());
        let declared = without_test_modules("#[cfg(test)]\nmod tests;\nfn a() {}");
        assert!(declared.contains("fn a"));
    }

    #[test]
    fn a_block_is_found_behind_its_signature() {
        let code = "fn a(x: [u8; 4]) -> u8 { { x } }";
        let (start, end) = block(code).unwrap();
        assert_eq!(&code[start..end], "{ { x } }");
        assert_eq!(block("fn a(); fn b() {}"), None);
    }
}
