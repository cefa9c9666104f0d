use super::*;

fn digest(text: &str) -> u64 {
    analyze(text.as_bytes(), Dialect::Mysql).digest
}

fn normal(text: &str) -> String {
    digest_text(text.as_bytes(), Dialect::Mysql)
}

/// Texts in a group share a digest and a normal form; texts of two groups do not.
const GROUPS: [&[&str]; 28] = [
    &["", "  \n\t", "-- nothing", "/* nothing */", "#", ";"],
    &[
        "SELECT 1",
        "select 2",
        " SELECT\n\t-17 ;",
        "SELECT 'a'",
        "SELECT 0x1f",
        "SELECT x'1f'",
        "SELECT ?",
        "SELECT 1.5e-3",
        "SELECT .5",
        "SELECT 'it''s'",
        r"SELECT 'it\'s'",
        "SELECT \"a\"",
        "SELECT _utf8mb4 'a'",
        "SELECT _utf8mb4'a'",
        "SELECT n'a'",
        "SELECT b'01'",
        "SELECT 'a' 'b'",
        "SELECT /* c */ 1",
        "SELECT 1 -- c",
        "SELECT 1 # c",
        "SELECT + 1",
        "SELECT _utf8 0x41",
        "SELECT _utf8 x'41'",
        "/* c */SELECT/**/1/* c */;",
    ],
    &["SELECT 1, 2", "SELECT -1,'b'"],
    &["SELECT a", "SELECT  A", "SELECT a -- 1", "SELECT a --\n", "SELECT a --"],
    &["SELECT `a`"],
    &["SELECT `A`"],
    &["SELECT a - 1", "SELECT a-2", "select a\n-\n3", "SELECT a - -1", "SELECT a--1"],
    &[
        "SELECT * FROM t WHERE id IN (1)",
        "SELECT * FROM t WHERE id IN (1,2,3)",
        "SELECT * FROM t WHERE id in(?, ?)",
        "SELECT * FROM t WHERE id IN (-1, 'x', NULL)",
        "SELECT * FROM t WHERE id IN (NULL)",
    ],
    &["SELECT * FROM t WHERE id IN (a, 2, 3)", "SELECT * FROM t WHERE id IN (a, 2)"],
    &[
        "SELECT * FROM t WHERE id IN (SELECT x FROM u WHERE y IN (1, 2)) AND z = 1",
        "SELECT * FROM t WHERE id IN (SELECT x FROM u WHERE y IN (1)) AND z = 2",
    ],
    &[
        "SELECT * FROM t WHERE (a, b) IN ((1, 2))",
        "SELECT * FROM t WHERE (a, b) IN ((1, 2), (3, 4))",
    ],
    &["SELECT * FROM t WHERE id = NULL"],
    &[
        "INSERT INTO t (a, b) VALUES (1, 'x')",
        "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')",
        "insert into t(a,b) values (?,?),(?,?),(?,?);",
        "INSERT INTO t (a, b) VALUES (NULL, true), (1, -2)",
    ],
    &[
        "INSERT INTO t (a, b) VALUES (1, now())",
        "INSERT INTO t (a, b) VALUES (1, now()), (2, NOW())",
    ],
    &[
        "INSERT INTO t (a, b) VALUES (1, now()), (2, 3)",
        "INSERT INTO t (a, b) VALUES (1, now()), (2, 3), (4, 5)",
    ],
    &[
        "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a), b = VALUES(b)",
        "INSERT INTO t (a) VALUES (1), (2) ON DUPLICATE KEY UPDATE a = VALUES(a), b = VALUES(b)",
    ],
    &["INSERT INTO t (a) VALUES (1), (2) ON DUPLICATE KEY UPDATE a = VALUES(a), c = VALUES(b)"],
    &["SELECT 1; SELECT 2", "SELECT 1;SELECT 2;"],
    &["SELECT f(1)"],
    &["SELECT f(1, 2)"],
    &["SELECT @a"],
    &["SELECT @b"],
    &["SELECT @@a"],
    &["/*!40101 SET NAMES utf8 */", "/*!40101   set names /* really */ utf8*/;"],
    &["/*!40102 SET NAMES utf8 */"],
    &["SET NAMES utf8"],
    &["SELECT 12345678 FROM t.1a", "SELECT 1 FROM t.1a"],
    &["SELECT 1 FROM t.1", "SELECT 2 FROM t.1"],
];

#[test]
fn texts_of_one_group_and_no_others_are_equal() {
    for (index, group) in GROUPS.iter().enumerate() {
        for text in *group {
            assert_eq!(digest(text), digest(group[0]), "{text}");
            assert_eq!(normal(text), normal(group[0]), "{text}");
        }
        for (other, texts) in GROUPS.iter().enumerate().filter(|(other, _)| *other != index) {
            assert_ne!(normal(group[0]), normal(texts[0]), "{index} {other}");
            assert_ne!(digest(group[0]), digest(texts[0]), "{index} {other}");
        }
    }
}

/// Numbers that are different each time they are asked for, and the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// What statements are made of, between which space may stand.
const PIECES: [&str; 44] = [
    "SELECT",
    "a",
    "long_column_name",
    "FROM",
    "t",
    ".",
    "WHERE",
    "=",
    "<",
    ">",
    "(",
    ")",
    ",",
    "IN",
    "IN (1, 2",
    "VALUES",
    "VALUES (1, 'a'), (2, 'b')",
    "NULL",
    "1",
    "-",
    "+",
    "1.5",
    "'x'",
    "\"y\"",
    "?",
    "`q`",
    "@v",
    "@@s",
    "*",
    "/",
    ";",
    "AND",
    "NOT",
    "x'0f'",
    "_utf8 'a'",
    "0x1f",
    "12345678",
    "select",
    "f(",
    "(1, 2)",
    "BETWEEN",
    "größe",
    "INSERT",
    ":=",
];

const SPACES: [&str; 7] = [" ", "  ", "\n", "\t ", " /* c */ ", " -- c\n", " # 'c\n"];

fn statement(random: &mut Random) -> Vec<&'static str> {
    (0..random.below(24)).map(|_| random.pick(&PIECES)).collect()
}

#[test]
fn space_and_comments_never_matter() {
    let mut random = Random(1);
    for _ in 0..5_000 {
        let pieces = statement(&mut random);
        let plain = pieces.join(" ");
        let spaced: String =
            pieces.iter().map(|p| format!("{}{p}", random.pick(&SPACES))).collect();
        let expected = analyze(plain.as_bytes(), Dialect::Mysql);
        assert_eq!(analyze(spaced.as_bytes(), Dialect::Mysql), expected, "{plain}\n{spaced}");
        assert_eq!(normal(&spaced), normal(&plain));
    }
}

#[test]
fn literals_never_matter() {
    const LITERALS: [&str; 8] = ["1", "'x'", "0x1f", "1.5", "12345678", "?", "x'0f'", "\"y\""];
    let mut random = Random(2);
    for _ in 0..5_000 {
        let pieces = statement(&mut random);
        // A literal beside another is one with it if both are strings, so that these are left alone.
        let changed: Vec<&str> = (0..pieces.len())
            .map(|at| {
                let lonely = |at: Option<usize>| {
                    !at.and_then(|at| pieces.get(at)).is_some_and(|piece| {
                        piece.ends_with(['\'', '"']) || piece.starts_with(['\'', '"', 'x', '_'])
                    })
                };
                let alone = lonely(at.checked_sub(1)) && lonely(Some(at + 1));
                let literal = LITERALS.contains(&pieces[at]) && alone;
                if literal { random.pick(&LITERALS) } else { pieces[at] }
            })
            .collect();
        let (one, other) = (pieces.join(" "), changed.join(" "));
        let neighbours = changed.windows(2).any(|pair| {
            let string = |piece: &str| piece.ends_with(['\'', '"']);
            string(pair[0]) && string(pair[1])
        });
        if !neighbours {
            assert_eq!(normal(&other), normal(&one), "{one}\n{other}");
            assert_eq!(digest(&other), digest(&one), "{one}\n{other}");
        }
    }
}

#[test]
fn digests_are_equal_where_normal_forms_are() {
    let mut random = Random(3);
    let mut digests = std::collections::HashMap::new();
    let mut forms = std::collections::HashMap::new();
    for _ in 0..20_000 {
        let pieces: Vec<_> = (0..random.below(6)).map(|_| random.pick(&PIECES)).collect();
        let text = pieces.join(" ");
        let (digest, form) = (digest(&text), normal(&text));
        assert_eq!(digests.entry(form.clone()).or_insert(digest), &digest, "{text}");
        assert_eq!(forms.entry(digest).or_insert_with(|| form.clone()), &form, "{text}");
    }
    assert!(forms.len() > 5_000, "the statements are too much alike");
}

#[test]
fn any_bytes_will_do() {
    const BYTES: &[u8] = b"$[]Eu&'\"`\\/*!#-@.?;:=()_xbnN019aZ \n\t\0\x7f\x80\xff,+eMIN";
    let mut random = Random(4);
    for _ in 0..20_000 {
        let length = random.below(150);
        let text: Vec<u8> = (0..length).map(|_| BYTES[random.below(BYTES.len())]).collect();
        for dialect in [Dialect::Mysql, Dialect::Postgres] {
            let whole = analyze(&text, dialect);
            assert_eq!(analyze(&text, dialect), whole);
            let _ = digest_text(&text, dialect);
            // Tokens cover the text in order.
            let covered: usize = crate::tokens(&text, dialect).map(|t| t.bytes.len()).sum();
            assert!(covered <= text.len());
        }
    }
}

#[test]
fn every_prefix_is_a_text_of_its_own() {
    let text = "INSERT INTO `t` (a, b) VALUES (-1, 'it''s'), (0x1f, _utf8 'b') /* c */ -- d\n; \
                SELECT * FROM t WHERE a IN (1, 2, 3) AND (a, b) IN ((1, 2), (3, 4)) /*!50100 x */";
    for end in 0..=text.len() {
        let prefix = &text[..end];
        // White space at the end is in a name that is not closed, and in nothing else that counts.
        if prefix.matches('`').count() % 2 == 1 {
            continue;
        }
        assert_eq!(digest(&format!("{prefix} ")), digest(prefix), "{prefix}");
        assert_eq!(normal(&normal(prefix)), normal(prefix), "{prefix}");
    }
}

#[test]
fn several_statements_are_told() {
    for (text, several) in [
        ("SELECT 1", false),
        ("SELECT 1;", false),
        ("SELECT 1; -- done", false),
        ("SELECT ';'", false),
        ("SELECT 1; SELECT 2", true),
        ("SELECT 1;;", true),
        ("INSERT INTO t VALUES (1); SELECT 2", true),
        ("SELECT 1; -1", true),
        ("; SELECT 1", true),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; END", true),
    ] {
        assert_eq!(analyze(text.as_bytes(), Dialect::Mysql).multiple, several, "{text}");
    }
}

#[test]
fn the_normal_form_is_made_to_be_read() {
    for (text, form) in [
        ("SELECT  a.b,count( * )FROM t WHERE c>=-1", "select a.b, count (*) from t where c >= ?"),
        ("INSERT INTO t(a)VALUES(1),(2)", "insert into t (a) values (?)"),
        ("SELECT 1 WHERE a IN(1,2) OR `B` <> @c", "select ? where a in (?) or `B` <> @c"),
        ("SELECT @a:=1; SELECT 2;", "select @a := ?; select ?"),
    ] {
        assert_eq!(normal(text), form);
    }
}

fn postgres(text: &str) -> (u64, String) {
    let (text, dialect) = (text.as_bytes(), Dialect::Postgres);
    (analyze(text, dialect).digest, digest_text(text, dialect))
}

/// The same for PostgreSQL.
const POSTGRES_GROUPS: [&[&str]; 12] = [
    &["", "  \n\t", "--nothing", "/* /* nothing */ */", ";"],
    &[
        "SELECT 1",
        "select 'a'",
        "SELECT $1",
        "SELECT E'it\\'s'",
        "SELECT $$a$$",
        "SELECT $a$ $$ $a$",
        "SELECT U&'a'",
        "SELECT -1_000",
        "SELECT 0x1f",
        "SELECT 'a'\n'b'",
        "SELECT 1--c",
        "SELECT 1/* /* c */ */;",
    ],
    &["SELECT \"a\""],
    &["SELECT a"],
    &["SELECT a[1] - 1", "select a[2]-$1"],
    &["SELECT a[1]"],
    &["SELECT a::int - 1", "SELECT a::int - 'x'"],
    &[
        "SELECT * FROM t WHERE id IN (1)",
        "SELECT * FROM t WHERE id in($1,$2, $3)",
        "SELECT * FROM t WHERE id IN (NULL, 'a')",
    ],
    &["INSERT INTO t (a, b) VALUES ($1, $2)", "INSERT INTO t (a, b) VALUES (1, E'a'), ($1, NULL)"],
    &["SELECT a # 1", "SELECT a # 2"],
    &["SELECT a @ b"],
    &["SELECT 1; SELECT $1", "select 'a';select 2;"],
];

#[test]
fn texts_of_postgres_share_a_digest_by_its_rules() {
    for (index, group) in POSTGRES_GROUPS.iter().enumerate() {
        for text in *group {
            assert_eq!(postgres(text), postgres(group[0]), "{text}");
        }
        for texts in POSTGRES_GROUPS.iter().skip(index + 1) {
            let (one, other) = (postgres(group[0]), postgres(texts[0]));
            assert!(one.0 != other.0 && one.1 != other.1, "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_normal_form_of_postgres_is_made_to_be_read() {
    for (text, form) in [
        ("SELECT a::int, b[1]->>'x' FROM t", "select a :: int, b[?] ->> ? from t"),
        ("SELECT 1 WHERE a@>$1 AND b!~*'c'||$2", "select ? where a @> ? and b !~* ? || ?"),
        ("SELECT a <@ b, c && d, e #>> f", "select a <@ b, c && d, e #>> f"),
    ] {
        assert_eq!(postgres(text).1, form);
    }
}

/// What only PostgreSQL reads, and what it reads otherwise.
const POSTGRES_PIECES: [&str; 24] = [
    "SELECT",
    "a",
    "$1",
    "$$x$$",
    "$t$ $$ $t$",
    "E'\\''",
    "U&'a'",
    "\"q\"",
    "::",
    "[",
    "]",
    "(",
    ")",
    ",",
    "IN (1, $2",
    "VALUES ($1, 'a'), ($2, 'b')",
    "-",
    "1",
    "1_000",
    "INTO",
    "@",
    "#",
    ";",
    "?",
];

#[test]
fn space_and_comments_never_matter_to_postgres() {
    const SPACES: [&str; 6] = [" ", "  ", "\n", " /* /* c */ ' */ ", " --c\n", " -- $$ 'c\r"];
    let mut random = Random(5);
    for _ in 0..5_000 {
        let pieces: Vec<_> = (0..random.below(24)).map(|_| random.pick(&POSTGRES_PIECES)).collect();
        let plain = pieces.join(" ");
        let spaced: String =
            pieces.iter().map(|p| format!("{}{p}", random.pick(&SPACES))).collect();
        // A string may go on in the next line.
        if !plain.contains("E'\\'' E") {
            assert_eq!(postgres(&spaced), postgres(&plain), "{plain}\n{spaced}");
        }
    }
}
