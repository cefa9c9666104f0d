use super::*;

#[test]
fn the_first_word_tells() {
    assert_eq!(classify(b" /* c */ SeLeCT 1"), Kind::Read);
    assert_eq!(classify(b"rollback to a"), Kind::SessionState);
    assert_eq!(classify(b""), Kind::Unknown);
}
