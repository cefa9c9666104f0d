use super::*;
use TokenKind::{
    Comment, ConditionalEnd, ConditionalStart, Number, Placeholder, Punctuation, QuotedName,
    String, SystemVariable, UserVariable, Word,
};

/// The tokens of a text as text.
fn cut(text: &str) -> Vec<(TokenKind, &str)> {
    tokens(text.as_bytes(), Dialect::Mysql)
        .map(|token| (token.kind, str::from_utf8(token.bytes).unwrap()))
        .collect()
}

#[test]
fn each_of_these_is_one_token() {
    let kinds: [(TokenKind, &[&str]); 8] = [
        (
            Word,
            &["a", "select", "a1", "_a", "$a", "größe", "1a", "information_schema", "x", "utf8"],
        ),
        (QuotedName, &["`a`", "`a b`", "`a``b`", r"`a\`", "`", "`a", "`'`"]),
        (
            String,
            &[
                "'a'",
                "''",
                "'it''s'",
                r"'it\'s'",
                r"'\\'",
                "\"a\"",
                "\"a\"\"b\"",
                "'\"'",
                "'",
                "'a",
                r"'a\",
                "x'0f'",
                "X'0F'",
                "b'01'",
                "n'a'",
                "N'a'",
                "_utf8'a'",
                "_utf8mb4 'a'",
                "_latin1\n\t\"a\"",
                "_binary x'0f'",
                "_UTF8 0x0f",
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
                "0x0f",
                "0b01",
            ],
        ),
        (Placeholder, &["?"]),
        (UserVariable, &["@a", "@a.b$c_1", "@`a b`", "@'a'", "@\"a\""]),
        (SystemVariable, &["@@a", "@@global.a", "@@`a`"]),
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
                "--",
                "-- a",
                "--\ta",
                "# a",
                "#",
                "/* /* */",
                "/*a**/",
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
    let cases: [(&str, &[(TokenKind, &str)]); 18] = [
        ("", &[]),
        (" \t\r\n\u{b}\u{c}", &[]),
        ("a.b", &[(Word, "a"), (Punctuation, "."), (Word, "b")]),
        ("t.1", &[(Word, "t"), (Punctuation, "."), (Word, "1")]),
        ("`t`.1e5", &[(QuotedName, "`t`"), (Punctuation, "."), (Word, "1e5")]),
        ("1.5 .5", &[(Number, "1.5"), (Number, ".5")]),
        ("1e", &[(Word, "1e")]),
        ("1e+a", &[(Word, "1e"), (Punctuation, "+"), (Word, "a")]),
        (
            "a<=-1",
            &[
                (Word, "a"),
                (Punctuation, "<"),
                (Punctuation, "="),
                (Punctuation, "-"),
                (Number, "1"),
            ],
        ),
        ("1--1", &[(Number, "1"), (Punctuation, "-"), (Punctuation, "-"), (Number, "1")]),
        ("1-- 1\n2", &[(Number, "1"), (Comment, "-- 1"), (Number, "2")]),
        ("'a' 'b'", &[(String, "'a'"), (String, "'b'")]),
        ("_nothing 'a'", &[(Word, "_nothing"), (String, "'a'")]),
        ("ab'a'", &[(Word, "ab"), (String, "'a'")]),
        (
            "@a:=@",
            &[(UserVariable, "@a"), (Punctuation, ":"), (Punctuation, "="), (Punctuation, "@")],
        ),
        (
            "/*!50100 a */ b */",
            &[
                (ConditionalStart, "/*!50100"),
                (Word, "a"),
                (ConditionalEnd, "*/"),
                (Word, "b"),
                (Punctuation, "*"),
                (Punctuation, "/"),
            ],
        ),
        (
            "/*M!100100 1 /* c */ */",
            &[
                (ConditionalStart, "/*M!100100"),
                (Number, "1"),
                (Comment, "/* c */"),
                (ConditionalEnd, "*/"),
            ],
        ),
        ("/*!a*/", &[(ConditionalStart, "/*!"), (Word, "a"), (ConditionalEnd, "*/")]),
    ];
    for (text, expected) in cases {
        assert_eq!(cut(text), expected, "{text}");
    }
}

#[test]
fn a_word_may_lie_across_blocks() {
    for space in 0..140 {
        for length in [1, 7, 8, 9, 63, 64, 65, 130] {
            let text = format!("{}{}(", " ".repeat(space), "a".repeat(length));
            assert_eq!(cut(&text), [(Word, &*"a".repeat(length)), (Punctuation, "(")]);
        }
    }
}
