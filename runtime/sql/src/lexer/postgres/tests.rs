use crate::{Dialect, TokenKind, tokens};
use TokenKind::{Comment, Number, Placeholder, Punctuation, QuotedName, String, Word};

/// The tokens of a text as text.
fn cut(text: &str) -> Vec<(TokenKind, &str)> {
    tokens(text.as_bytes(), Dialect::Postgres)
        .map(|token| (token.kind, str::from_utf8(token.bytes).unwrap()))
        .collect()
}

#[test]
fn each_of_these_is_one_token() {
    let kinds: [(TokenKind, &[&str]); 6] = [
        (Word, &["a", "select", "a1", "_a", "a$1", "a$b$c", "größe", "e", "u", "_utf8", "E1"]),
        (
            QuotedName,
            &[
                "\"a\"",
                "\"a b\"",
                "\"a\"\"b\"",
                r#""a\""#,
                "\"",
                "\"a",
                "\"'\"",
                "U&\"a\"",
                "u&\"a",
            ],
        ),
        (
            String,
            &[
                "'a'",
                "''",
                "'it''s'",
                r"'\'",
                r"'a\\'",
                "'\"'",
                "'",
                "'a",
                "x'0f'",
                "X'0F'",
                "b'01'",
                "n'a'",
                "N'a'",
                r"E'it\'s'",
                r"e'\\'",
                r"E'\'",
                "E'it''s'",
                "E'a'\n'b'",
                "E'a' -- c ' \n -- '\n\t'\\'b'",
                "U&'a'",
                r"u&'\'",
                "$$a$$",
                "$$$$",
                "$$ ' \" /* -- $a$ $ $$",
                "$a$ $$ $b$ $a $a$",
                "$a$ $A$ $a$",
                "$_ä1$ $$ $_ä1$",
                "$a$b$a$",
                "$$",
                "$$a",
                "$a$ a $a",
                "'a;b--c/*d*/#e'",
            ],
        ),
        (
            Number,
            &[
                "1",
                "123456789012345678901",
                "1.5",
                "1.",
                ".5",
                "1e5",
                "1E-5",
                "1.5e+5",
                ".5e1",
                "0x1F",
                "0X_1f",
                "0o17",
                "0b01",
                "1_000",
                "1_000.000_1e1_0",
                ".5_1e-1_0",
            ],
        ),
        (Placeholder, &["$1", "$12345678", "$0"]),
        (
            Comment,
            &[
                "/**/",
                "/* a */",
                "/*a",
                "/*",
                "/*/ */",
                "/* * / */",
                "/*+ hint */",
                "/*! a */",
                "--",
                "-- a",
                "--a",
                "--a /*",
                "/* /* */ */",
                "/* /* */",
                "/*/*/ */*/",
                "/*a**/",
                "/* ' */",
            ],
        ),
    ];
    for (kind, texts) in kinds {
        for text in texts {
            assert_eq!(cut(text), [(kind, *text)]);
            assert_eq!(cut(&format!("  {text}")), [(kind, *text)]);
            let in_a_long_text = format!("{} {text}", "x,".repeat(40));
            assert_eq!(cut(&in_a_long_text)[80..], [(kind, *text)]);
        }
    }
}

#[test]
fn tokens_end_where_the_next_one_starts() {
    let cases: [(&str, &[(TokenKind, &str)]); 28] = [
        ("", &[]),
        (" \t\r\n\u{b}\u{c}", &[]),
        ("a.b", &[(Word, "a"), (Punctuation, "."), (Word, "b")]),
        ("\"a\".\"b\"", &[(QuotedName, "\"a\""), (Punctuation, "."), (QuotedName, "\"b\"")]),
        ("a::b", &[(Word, "a"), (Punctuation, ":"), (Punctuation, ":"), (Word, "b")]),
        ("a:=b", &[(Word, "a"), (Punctuation, ":"), (Punctuation, "="), (Word, "b")]),
        ("$1::int", &[(Placeholder, "$1"), (Punctuation, ":"), (Punctuation, ":"), (Word, "int")]),
        ("=$1", &[(Punctuation, "="), (Placeholder, "$1")]),
        ("$1$2", &[(Placeholder, "$1"), (Placeholder, "$2")]),
        ("$1a", &[(Placeholder, "$1"), (Word, "a")]),
        ("$1$$a$$", &[(Placeholder, "$1"), (String, "$$a$$")]),
        ("$ $a", &[(Punctuation, "$"), (Punctuation, "$"), (Word, "a")]),
        ("a$$ $$", &[(Word, "a$$"), (String, "$$")]),
        ("1$$a$$", &[(Number, "1"), (String, "$$a$$")]),
        ("1a", &[(Number, "1"), (Word, "a")]),
        ("1e'\\''", &[(Number, "1"), (String, "e'\\''")]),
        ("1e+a", &[(Number, "1"), (Word, "e"), (Punctuation, "+"), (Word, "a")]),
        ("0xg", &[(Number, "0"), (Word, "xg")]),
        ("1..10", &[(Number, "1"), (Punctuation, "."), (Punctuation, "."), (Number, "10")]),
        (
            "a[1:2]",
            &[
                (Word, "a"),
                (Punctuation, "["),
                (Number, "1"),
                (Punctuation, ":"),
                (Number, "2"),
                (Punctuation, "]"),
            ],
        ),
        ("1--1\n2", &[(Number, "1"), (Comment, "--1"), (Number, "2")]),
        ("1--1\r2", &[(Number, "1"), (Comment, "--1"), (Number, "2")]),
        ("a+/*b*/c", &[(Word, "a"), (Punctuation, "+"), (Comment, "/*b*/"), (Word, "c")]),
        ("'a'\n'b\\'", &[(String, "'a'"), (String, "'b\\'")]),
        ("E'a' 'b\\'", &[(String, "E'a'"), (String, "'b\\'")]),
        ("E'a' /* \n */ 'b\\'", &[(String, "E'a'"), (Comment, "/* \n */"), (String, "'b\\'")]),
        ("ae'\\'", &[(Word, "ae"), (String, "'\\'")]),
        (
            "u&b@c?#`{",
            &[
                (Word, "u"),
                (Punctuation, "&"),
                (Word, "b"),
                (Punctuation, "@"),
                (Word, "c"),
                (Punctuation, "?"),
                (Punctuation, "#"),
                (Punctuation, "`"),
                (Punctuation, "{"),
            ],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(cut(text), expected, "{text}");
    }
}
