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
