//! The collations that clients log in with, by the number that the handshake carries.

/// Collation number → (character set, collation), as `SHOW COLLATION` of MySQL and MariaDB says.
/// A connection with any other is not used for a second session.
const COLLATIONS: [(u8, &str, &str); 17] = [
    (5, "latin1", "latin1_german1_ci"),
    (8, "latin1", "latin1_swedish_ci"),
    (9, "latin2", "latin2_general_ci"),
    (11, "ascii", "ascii_general_ci"),
    (26, "cp1250", "cp1250_general_ci"),
    (28, "gbk", "gbk_chinese_ci"),
    (33, "utf8", "utf8_general_ci"),
    (45, "utf8mb4", "utf8mb4_general_ci"),
    (46, "utf8mb4", "utf8mb4_bin"),
    (47, "latin1", "latin1_bin"),
    (48, "latin1", "latin1_general_ci"),
    (51, "cp1251", "cp1251_general_ci"),
    (63, "binary", "binary"),
    (83, "utf8", "utf8_bin"),
    (192, "utf8", "utf8_unicode_ci"),
    (224, "utf8mb4", "utf8mb4_unicode_ci"),
    // MariaDB does not know it and takes its default for it; nobody's default is another set.
    (255, "utf8mb4", ""),
];

/// The statement that gives a connection the character set that its login gave it.
pub(crate) fn set_names(collation: u8) -> Option<String> {
    let (_, set, collation) = COLLATIONS.iter().find(|(number, ..)| *number == collation)?;
    Some(match *collation {
        "" => format!("SET NAMES {set}"),
        collation => format!("SET NAMES {set} COLLATE {collation}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_logins_can_be_reset_and_unknown_ones_cannot() {
        assert_eq!(set_names(45).unwrap(), "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci");
        assert_eq!(set_names(255).unwrap(), "SET NAMES utf8mb4");
        assert_eq!(set_names(1), None);
    }
}
