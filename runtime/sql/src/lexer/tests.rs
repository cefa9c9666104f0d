use super::*;

#[test]
fn a_string_ends_at_its_own_quote() {
    let kinds: Vec<_> = tokens(b"'a\\'b''c' x", Dialect::Mysql).map(|t| t.kind).collect();
    assert_eq!(kinds, [TokenKind::String, TokenKind::Word]);
}
