//! One account, as a server's tables have it.

use serde::Deserialize;
use tidegate_mysql_wire::auth::Verifier;
use tracing::debug;
use zeroize::{Zeroize, Zeroizing};

use super::rules::{Locked, Rules, TlsRule};

/// A user and a host that it may come from.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) host: String,
    /// `None` if nobody may log in to it, or not through us.
    pub(super) verifier: Option<Verifier>,
    pub(super) rules: Rules,
}

/// Rows as text; `None` is NULL.
pub(super) type Row = Vec<Option<Vec<u8>>>;

impl Account {
    /// From the columns of `mysql.user`: host, plugin, authentication string, a second one; the type,
    /// cipher, issuer and subject of `REQUIRE`; whether it is locked, and expired. `None` if the
    /// row is another one.
    pub(super) fn from_columns(row: Row) -> Option<Self> {
        let columns: [Option<Vec<u8>>; 10] = row.try_into().ok()?;
        let [host, plugin, stored, second, kind, cipher, issuer, subject, locked, expired] =
            columns.map(|column| Zeroizing::new(column.unwrap_or_default()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let is_yes = |bytes: &[u8]| matches!(bytes, b"Y" | b"1");
        let host = text(&host);
        let plugin = text(&plugin);
        let first = verifier(&host, &plugin, &stored);
        let second = if second.is_empty() { None } else { verifier(&host, &plugin, &second) };
        let tls = match &**kind {
            b"" => TlsRule::None,
            b"ANY" => TlsRule::Any,
            b"X509" => TlsRule::Certificate,
            _ => TlsRule::Specified {
                subject: text(&subject),
                issuer: text(&issuer),
                cipher: text(&cipher),
            },
        };
        let locked = is_yes(&locked).then_some(Locked::MySql);
        let rules = Rules { tls, locked, expired: is_yes(&expired) };
        let verifier = Verifier::several(first.into_iter().chain(second).collect());
        Some(Self { host, verifier, rules })
    }

    /// From the columns of `mysql.global_priv` of MariaDB: host and a document. `now` is the time
    /// there, in seconds since 1970. `None` if it is a role or cannot be read.
    pub(super) fn from_document(row: Row, now: i64) -> Option<Self> {
        let [host, document]: [Option<Vec<u8>>; 2] = row.try_into().ok()?;
        let host = String::from_utf8(host?).ok()?;
        let document = Zeroizing::new(document?);
        // A list would be read as a document without any of its parts.
        document.trim_ascii_start().strip_prefix(b"{")?;
        let mut privileges: Privileges = serde_json::from_slice(&document)
            .inspect_err(|why| debug!(host, "an account that cannot be read: {why}"))
            .ok()?;
        let account = privileges.account(host, now);
        privileges.zeroize();
        (!privileges.is_role).then_some(account)
    }
}

/// `Priv` of `mysql.global_priv`, as far as logging in is concerned.
///
/// <https://mariadb.com/kb/en/mysqlglobal_priv-table/>
#[derive(Default, Deserialize)]
#[serde(default)]
struct Privileges {
    plugin: String,
    authentication_string: String,
    /// Each is enough; one that is empty stands for the two above.
    auth_or: Vec<Method>,
    ssl_type: i64,
    ssl_cipher: String,
    x509_issuer: String,
    x509_subject: String,
    account_locked: bool,
    is_role: bool,
    /// In seconds since 1970; 0 for a password that must be changed.
    password_last_changed: Option<i64>,
    /// In days, where it is more than 0.
    password_lifetime: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Method {
    plugin: Option<String>,
    authentication_string: String,
}

impl Privileges {
    fn account(&self, host: String, now: i64) -> Account {
        let own = || verifier(&host, &self.plugin, self.authentication_string.as_bytes());
        let verifiers = match self.auth_or.as_slice() {
            [] => own().into_iter().collect(),
            several => several
                .iter()
                .filter_map(|method| match &method.plugin {
                    Some(plugin) => {
                        verifier(&host, plugin, method.authentication_string.as_bytes())
                    }
                    None => own(),
                })
                .collect(),
        };
        let tls = match self.ssl_type {
            1 => TlsRule::Any,
            2 => TlsRule::Certificate,
            3 => TlsRule::Specified {
                subject: self.x509_subject.clone(),
                issuer: self.x509_issuer.clone(),
                cipher: self.ssl_cipher.clone(),
            },
            _ => TlsRule::None,
        };
        let locked = self.account_locked.then_some(Locked::MariaDb);
        let rules = Rules { tls, locked, expired: self.is_expired(now) };
        Account { host, verifier: Verifier::several(verifiers), rules }
    }

    fn is_expired(&self, now: i64) -> bool {
        const DAY: i64 = 86_400;
        self.password_last_changed.is_some_and(|changed| {
            let lifetime = self.password_lifetime.saturating_mul(DAY);
            changed == 0 || (lifetime > 0 && changed.saturating_add(lifetime) < now)
        })
    }

    fn zeroize(&mut self) {
        self.authentication_string.zeroize();
        self.auth_or.iter_mut().for_each(|method| method.authentication_string.zeroize());
    }
}

fn verifier(host: &str, plugin: &str, stored: &[u8]) -> Option<Verifier> {
    let verifier = Verifier::parse_stored(plugin, stored);
    verifier.inspect_err(|why| debug!(host, "a way in that is of no use here: {why}")).ok()
}

#[cfg(test)]
mod tests {
    use tidegate_mysql_wire::auth::{Flow, Method};

    use super::*;

    /// The second of 2026.
    const NOW: i64 = 1_767_225_601;

    fn document(text: &str) -> Option<Account> {
        Account::from_document(vec![Some(b"%".to_vec()), Some(text.into())], NOW)
    }

    fn flow(account: &Account) -> Option<Flow> {
        account.verifier.as_ref().map(Verifier::flow)
    }

    /// What MariaDB 11.8 has written.
    const SEVERAL: &str = r#"{"access":0,"version_id":110806,"plugin":"mysql_native_password",
        "authentication_string":"*305D7BCA9D65D8D5C4677F05CD2EA2EBE350158F","auth_or":[
        {"plugin":"ed25519","authentication_string":"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"},
        {}],"password_last_changed":1795262690}"#;

    #[test]
    fn an_account_of_mariadb_may_have_several_methods() {
        let account = document(SEVERAL).unwrap();
        let Some(Verifier::Several(verifiers)) = &account.verifier else { panic!("{account:?}") };
        assert_eq!(format!("{verifiers:?}"), "[Hash(..), Native(..)]");
        // What takes no password is passed over, and what no password fits.
        let socket = SEVERAL.replace("ed25519", "unix_socket");
        assert_eq!(flow(&document(&socket).unwrap()), Some(Flow::Only(Method::NativePassword)));
        let invalid = SEVERAL.replace("*305D7BCA9D65D8D5C4677F05CD2EA2EBE350158F", "invalid");
        let invalid = document(&invalid).unwrap();
        assert_eq!(flow(&invalid), Some(Flow::Only(Method::CachingSha2Password)));
    }

    #[test]
    fn an_account_without_a_method_has_no_password() {
        let root = document(r#"{"access":18446744073709551615}"#).unwrap();
        assert!(matches!(root.verifier, Some(Verifier::Empty)), "{root:?}");
        assert_eq!(root.rules, Rules::default());
    }

    #[test]
    fn roles_and_nonsense_are_no_accounts() {
        assert!(document(r#"{"access":0,"version_id":110806,"is_role":true}"#).is_none());
        for nonsense in ["", "{", "[]", r#"{"plugin":1}"#, r#"{"auth_or":{}}"#] {
            assert!(document(nonsense).is_none(), "{nonsense}");
        }
        assert!(Account::from_document(vec![None, None], NOW).is_none());
        assert!(Account::from_document(Vec::new(), NOW).is_none());
    }

    #[test]
    fn demands_of_mariadb_are_kept() {
        let rules = |text: &str| document(text).unwrap().rules;
        assert_eq!(rules(r#"{"ssl_type":0}"#).tls, TlsRule::None);
        assert_eq!(rules(r#"{"ssl_type":1,"ssl_cipher":""}"#).tls, TlsRule::Any);
        assert_eq!(rules(r#"{"ssl_type":2}"#).tls, TlsRule::Certificate);
        let specified = rules(
            r#"{"ssl_type":3,"ssl_cipher":"x","x509_issuer":"/CN=b","x509_subject":"/C=SE/CN=a"}"#,
        );
        assert_eq!(
            specified.tls,
            TlsRule::Specified {
                subject: "/C=SE/CN=a".to_owned(),
                issuer: "/CN=b".to_owned(),
                cipher: "x".to_owned(),
            }
        );
        assert_eq!(rules(r#"{"account_locked":true}"#).locked, Some(Locked::MariaDb));
    }

    #[test]
    fn passwords_of_mariadb_expire_at_once_or_in_time() {
        let expired = |text: &str| document(text).unwrap().rules.expired;
        assert!(expired(r#"{"password_last_changed":0,"password_lifetime":-1}"#));
        assert!(!expired(r#"{"password_lifetime":1}"#));
        let changed = |seconds: i64, days: i64| {
            let at = NOW - seconds;
            expired(&format!(r#"{{"password_last_changed":{at},"password_lifetime":{days}}}"#))
        };
        assert!(changed(86_401, 1) && !changed(86_399, 1));
        assert!(!changed(1_000_000, 0) && !changed(1_000_000, -1) && !changed(1, i64::MAX));
    }

    fn columns(changes: &[(usize, &str)]) -> Account {
        let mut row: Row = vec![Some(Vec::new()); 10];
        row[0] = Some(b"%".to_vec());
        row[1] = Some(b"caching_sha2_password".to_vec());
        row[2] = Some([b"$A$005$".to_vec(), vec![b's'; 20], vec![b'h'; 43]].concat());
        for (at, text) in changes {
            row[*at] = Some(text.as_bytes().to_vec());
        }
        Account::from_columns(row).unwrap()
    }

    #[test]
    fn an_account_of_mysql_may_have_two_passwords() {
        assert!(matches!(columns(&[]).verifier, Some(Verifier::Hash(_))));
        let second = format!("$A$005${}{}", "t".repeat(20), "h".repeat(43));
        let two = columns(&[(3, &second)]);
        assert!(matches!(&two.verifier, Some(Verifier::Several(two)) if two.len() == 2));
        assert!(columns(&[(2, "invalid")]).verifier.is_none());
    }

    #[test]
    fn demands_of_mysql_are_kept() {
        assert_eq!(columns(&[]).rules, Rules::default());
        assert_eq!(columns(&[(4, "ANY")]).rules.tls, TlsRule::Any);
        assert_eq!(columns(&[(4, "X509")]).rules.tls, TlsRule::Certificate);
        let specified = columns(&[(4, "SPECIFIED"), (5, "c"), (6, "/CN=i"), (7, "/CN=s")]);
        assert_eq!(
            specified.rules.tls,
            TlsRule::Specified {
                subject: "/CN=s".to_owned(),
                issuer: "/CN=i".to_owned(),
                cipher: "c".to_owned(),
            }
        );
        let locked = columns(&[(8, "Y"), (9, "1")]).rules;
        assert_eq!((locked.locked, locked.expired), (Some(Locked::MySql), true));
        assert_eq!(columns(&[(8, "N"), (9, "0")]).rules, Rules::default());
    }
}
