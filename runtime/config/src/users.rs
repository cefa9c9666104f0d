//! Who may log in, where tidegate is told so by the configuration or by a users file.

use crate::secret::{self, Secret};
use crate::table::{Seen, Table, all};
use crate::value::Value;

/// MySQL refuses longer ones, in characters.
const LONGEST_NAME: usize = 80;

/// One user and the proof that is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub secret: UserSecret,
}

/// What is held about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserSecret {
    Password(Secret),
    /// As a server stores it: `*` and 40 hexadecimal digits (`mysql_native_password`), or
    /// `$A$005$`, salt and hash (`caching_sha2_password`).
    Verifier(Secret),
}

/// Reads the root of a users file.
pub(crate) fn file(root: &mut Table<'_>) -> Option<Vec<User>> {
    root.tables("user", user)
}

/// Reads the `users` array of a listener.
pub(crate) fn array(value: &Value<'_>) -> Option<Vec<User>> {
    let mut seen = Seen::default();
    let items = value.items_of_tables()?;
    all(items.iter().map(|item| item.table(|table| user(table, &mut seen))))
}

fn user(table: &mut Table<'_>, seen: &mut Seen) -> Option<User> {
    let name = table.required("name", |value| {
        let name = value.text()?;
        if name.chars().count() > LONGEST_NAME {
            return value.fail(format!("is longer than {LONGEST_NAME} characters"));
        }
        seen.claim(value, name);
        Some(name.to_owned())
    });
    let password = table.get("password");
    let verifier = table.get("verifier");
    let secret = match (password, verifier) {
        (Some(value), None) => secret::read(&value).map(UserSecret::Password),
        (None, Some(value)) => verifier_of(&value).map(UserSecret::Verifier),
        _ => table.fail("password", "give either `password` or `verifier`"),
    };
    Some(User { name: name?, secret: secret? })
}

fn verifier_of(value: &Value<'_>) -> Option<Secret> {
    let secret = secret::read(value)?;
    let decoded = secret.expose().strip_prefix("0x").map_or(Some(secret.clone()), from_hex);
    match decoded {
        Some(verifier) if is_native(&verifier) || is_caching_sha2(&verifier) => Some(verifier),
        _ => {
            value.fail("is neither `*` with 40 hexadecimal digits nor `$A$005$` with salt and hash")
        }
    }
}

/// `SHOW CREATE USER` writes verifiers in hexadecimal where `print_identified_with_as_hex` is on.
fn from_hex(digits: &str) -> Option<Secret> {
    let nibble = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let nibbles: Vec<u8> = digits.chars().map(nibble).collect::<Option<_>>()?;
    let bytes = nibbles.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    String::from_utf8(bytes.collect::<Option<_>>()?).ok().map(Secret::new)
}

fn is_native(verifier: &Secret) -> bool {
    let digits = verifier.expose().strip_prefix('*');
    digits.is_some_and(|d| d.len() == 40 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `$A$`, the rounds in thousands as three hexadecimal digits, `$`, 20 bytes of salt, 43 of hash.
fn is_caching_sha2(verifier: &Secret) -> bool {
    let Some(rest) = verifier.expose().as_bytes().strip_prefix(b"$A$") else {
        return false;
    };
    let rounds = rest.get(..3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    rounds && rest.get(3) == Some(&b'$') && rest.len() == 4 + 20 + 43
}
