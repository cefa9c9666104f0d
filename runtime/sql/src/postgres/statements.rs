//! The statements of a simple query.

use std::ops::Range;

use crate::chunk::key;
use crate::lexer::{Lexeme, Lexer, Postgres, TokenKind};

/// Where the statements of a text stand: between the semicolons, with the comments there. Those that
/// hold nothing but comments are passed over.
///
/// Semicolons in parentheses (`CREATE RULE`) and in the body of a function (`BEGIN ATOMIC`) are part
/// of a statement.
///
/// ```
/// use tidegate_sql::postgres::statements;
///
/// let text = "BEGIN; ; SELECT ';' -- c\n; COMMIT";
/// let found: Vec<&str> = statements(text.as_bytes()).map(|range| &text[range]).collect();
/// assert_eq!(found, ["BEGIN", "SELECT ';' -- c", "COMMIT"]);
/// ```
#[must_use]
pub fn statements(text: &[u8]) -> Statements<'_> {
    Statements { lexer: Lexer::new(text) }
}

/// The iterator that [`statements`] answers.
#[derive(Clone, Debug)]
pub struct Statements<'a> {
    lexer: Lexer<'a, Postgres>,
}

impl Iterator for Statements<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let mut statement = Statement::default();
        // Of the first and the last token, comments included.
        let mut range: Option<Range<usize>> = None;
        while let Some(lexeme) = self.lexer.next() {
            if statement.ends(&lexeme, self.lexer.bytes(&lexeme)) {
                if statement.words > 0 {
                    return range;
                }
                (statement, range) = (Statement::default(), None);
                continue;
            }
            let start = range.map_or(lexeme.start, |range| range.start);
            range = Some(start..lexeme.end);
        }
        range.filter(|_| statement.words > 0)
    }
}

/// What was read of a statement.
#[derive(Default)]
struct Statement {
    /// Tokens that are no comments.
    words: usize,
    depth: usize,
    creates: bool,
    /// It creates a function or procedure, whose body may hold statements.
    routine: bool,
    /// Open blocks of such a body.
    blocks: usize,
}

impl Statement {
    /// Is this token the semicolon that ends the statement?
    fn ends(&mut self, lexeme: &Lexeme, bytes: &[u8]) -> bool {
        const BEGIN: u64 = key("begin");
        const CASE: u64 = key("case");
        const CREATE: u64 = key("create");
        const END: u64 = key("end");
        match (lexeme.kind, lexeme.byte()) {
            (TokenKind::Comment, _) => return false,
            (TokenKind::Punctuation, b';') if self.depth == 0 && self.blocks == 0 => return true,
            (TokenKind::Punctuation, b'(') => self.depth += 1,
            (TokenKind::Punctuation, b')') => self.depth = self.depth.saturating_sub(1),
            (TokenKind::Word, _) => match lexeme.packed {
                CREATE if self.words == 0 => self.creates = true,
                BEGIN if self.routine => self.blocks += 1,
                CASE if self.blocks > 0 => self.blocks += 1,
                END => self.blocks = self.blocks.saturating_sub(1),
                // `CREATE OR REPLACE FUNCTION`
                0 if self.creates && self.words <= 3 => self.routine |= is_routine(bytes),
                _ => {}
            },
            _ => {}
        }
        self.words += 1;
        false
    }
}

fn is_routine(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"function") || word.eq_ignore_ascii_case(b"procedure")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        statements(text.as_bytes()).map(|range| &text[range]).collect()
    }

    #[test]
    fn each_of_these_is_one_statement() {
        for text in [
            "SELECT 1",
            "SELECT ';', \";\", $$;$$, E'\\';' /* ; /* ; */ ; */ -- ;\n + 1",
            "CREATE RULE r AS ON UPDATE TO t DO (SELECT 1; SELECT 2)",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END",
            "create or replace procedure f() begin atomic end",
            "/* c */ SELECT 1 -- c",
        ] {
            assert_eq!(cut(text), [text]);
            assert_eq!(cut(&format!(" ;; {text}\n;")), [text]);
        }
    }

    #[test]
    fn semicolons_part_statements_and_empty_ones_are_passed_over() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("$$; a", &["$$; a"]),
            ("a; 'b; c", &["a", "'b; c"]),
            (" ; -- c\n;/* c */", &[]),
            ("a;b", &["a", "b"]),
            (
                "BEGIN; CREATE TABLE function (a int); END; c",
                &["BEGIN", "CREATE TABLE function (a int)", "END", "c"],
            ),
            ("a); b", &["a)", "b"]),
            (
                "CREATE FUNCTION f() AS $$ BEGIN; $$; b",
                &["CREATE FUNCTION f() AS $$ BEGIN; $$", "b"],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(cut(text), expected, "{text}");
        }
    }
}
