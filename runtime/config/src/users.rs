//! Who may log in, where tidegate is told so by the configuration or by a users file.

use crate::secret::{self, Secret};
use crate::table::{Seen, Table, all};
use crate::upstream::Protocol;
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
    Password {
        password: Secret,
        /// How clients must prove it; `None` for the way that they begin with.
        method: Option<AuthMethod>,
    },
    /// As a server stores it, or SHA512(password) as 128 hexadecimal digits.
    Verifier(Secret),
    /// Nothing: the servers are asked about the password.
    Servers,
    /// That its certificate says who it is; of PostgreSQL only.
    Certificate {
        /// What servers are told, where they ask for it.
        password: Option<Secret>,
    },
}

/// An authentication method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMethod {
    #[default]
    MysqlNativePassword,
    CachingSha2Password,
    Sha256Password,
    ClientEd25519,
    Parsec,
    MysqlClearPassword,
}

const METHODS: [(&str, AuthMethod); 6] = [
    ("mysql_native_password", AuthMethod::MysqlNativePassword),
    ("caching_sha2_password", AuthMethod::CachingSha2Password),
    ("sha256_password", AuthMethod::Sha256Password),
    ("client_ed25519", AuthMethod::ClientEd25519),
    ("parsec", AuthMethod::Parsec),
    ("mysql_clear_password", AuthMethod::MysqlClearPassword),
];

/// Reads the root of a users file.
pub(crate) fn file(root: &mut Table<'_>, protocol: Option<Protocol>) -> Option<Vec<User>> {
    root.tables("user", |table, seen| user(table, seen, protocol))
}

/// Reads the `users` array of a listener.
pub(crate) fn array(value: &Value<'_>, protocol: Option<Protocol>) -> Option<Vec<User>> {
    let mut seen = Seen::default();
    let items = value.items_of_tables()?;
    all(items.iter().map(|item| item.table(|table| user(table, &mut seen, protocol))))
}

fn user(table: &mut Table<'_>, seen: &mut Seen, protocol: Option<Protocol>) -> Option<User> {
    let name = table.required("name", |value| {
        let name = value.text()?;
        if name.chars().count() > LONGEST_NAME {
            return value.fail(format!("is longer than {LONGEST_NAME} characters"));
        }
        seen.claim(value, name);
        Some(name.to_owned())
    });
    let [password, verifier, check] = ["password", "verifier", "check"].map(|key| table.get(key));
    let method =
        table.optional_of("method", protocol, Protocol::Mysql, |value| value.choice(&METHODS));
    if password.is_none() && method.is_some() {
        return table.fail("method", "goes with a `password`");
    }
    let check = check.map(|value| checker(&value, protocol));
    let secret = match (password, verifier, check) {
        (Some(password), None, None) => with_password(&password, method),
        (None, Some(verifier), None) => verifier_of(&verifier, protocol).map(UserSecret::Verifier),
        (None, None, Some(Some(Checker::Servers))) => Some(UserSecret::Servers),
        (password, None, Some(Some(Checker::Certificate))) => with_certificate(password),
        // What is wrong with it is said.
        (_, _, Some(None)) => None,
        _ => table.fail("password", "give one of `password`, `verifier` and `check`"),
    };
    Some(User { name: name?, secret: secret? })
}

/// What checks a user of whom no password is held.
#[derive(Clone, Copy)]
enum Checker {
    Servers,
    Certificate,
}

fn checker(value: &Value<'_>, protocol: Option<Protocol>) -> Option<Checker> {
    let servers = ("servers", Checker::Servers);
    match protocol {
        Some(Protocol::Mysql) => value.choice(&[servers]),
        _ => value.choice(&[servers, ("certificate", Checker::Certificate)]),
    }
}

fn with_certificate(password: Option<Value<'_>>) -> Option<UserSecret> {
    let password = match password {
        Some(password) => Some(secret::read(&password)?),
        None => None,
    };
    Some(UserSecret::Certificate { password })
}

fn with_password(password: &Value<'_>, method: Option<AuthMethod>) -> Option<UserSecret> {
    let password = secret::read(password);
    Some(UserSecret::Password { password: password?, method })
}

fn verifier_of(value: &Value<'_>, protocol: Option<Protocol>) -> Option<Secret> {
    let secret = secret::read(value)?;
    if protocol == Some(Protocol::Postgres) {
        return match is_postgres_verifier(secret.expose()) {
            true => Some(secret),
            false => value.fail(
                "is of no form that servers store, such as `SCRAM-SHA-256$4096:…` or `md5` with \
                 32 hexadecimal digits",
            ),
        };
    }
    let decoded = secret.expose().strip_prefix("0x").map_or(Some(secret.clone()), from_hex);
    match decoded {
        Some(verifier) if is_verifier(verifier.expose()) => Some(verifier),
        _ => value.fail(
            "is of no form that servers store, such as `*` with 40 hexadecimal digits or `$A$005$` \
             with salt and hash",
        ),
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

fn is_verifier(text: &str) -> bool {
    is_native(text)
        || is_caching_sha2(text.as_bytes())
        || is_sha256(text.as_bytes())
        || is_base64(text.as_bytes(), 43)
        || is_parsec(text.as_bytes())
        || is_hex(text.as_bytes(), 128)
}

/// `SCRAM-SHA-256$`, iterations, `:`, salt, `$`, two keys with a `:` between them; or `md5` and 32
/// digits.
fn is_postgres_verifier(text: &str) -> bool {
    let is_md5 = |digits: &str| is_hex(digits.as_bytes(), 32);
    let is_scram = |rest: &str| {
        let parts: Vec<&str> = rest.split(['$', ':']).collect();
        parts.len() == 4 && parts.iter().all(|part| !part.is_empty())
    };
    text.strip_prefix("md5").is_some_and(is_md5)
        || text.strip_prefix("SCRAM-SHA-256$").is_some_and(is_scram)
}

fn is_native(text: &str) -> bool {
    text.strip_prefix('*').is_some_and(|digits| is_hex(digits.as_bytes(), 40))
}

/// `$A$`, the rounds in thousands as three hexadecimal digits, `$`, 20 bytes of salt, 43 of hash;
/// or `$B$`, the same, and 88 of another hash.
fn is_caching_sha2(text: &[u8]) -> bool {
    match text {
        [b'$', kind, b'$', a, b, c, b'$', rest @ ..] => {
            let len = match kind {
                b'A' => 20 + 43,
                b'B' => 20 + 88,
                _ => return false,
            };
            is_hex(&[*a, *b, *c], 3) && rest.len() == len
        }
        _ => false,
    }
}

/// `$5$`, 20 bytes of salt, `$`, 43 of hash.
fn is_sha256(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"$5$");
    rest.is_some_and(|rest| rest.len() == 20 + 1 + 43 && rest.get(20) == Some(&b'$'))
}

/// `P`, a digit, `:`, a salt, `:`, a public key.
fn is_parsec(text: &[u8]) -> bool {
    match text {
        [b'P', b'0'..=b'3', b':', rest @ ..] if rest.len() == 24 + 1 + 43 => {
            let (salt, key) = rest.split_at(24);
            is_base64(salt, 24) && key.strip_prefix(b":").is_some_and(|key| is_base64(key, 43))
        }
        _ => false,
    }
}

fn is_hex(text: &[u8], len: usize) -> bool {
    text.len() == len && text.iter().all(u8::is_ascii_hexdigit)
}

fn is_base64(text: &[u8], len: usize) -> bool {
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.len() == len && text.iter().all(valid)
}
