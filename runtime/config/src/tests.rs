mod accepted;
mod documentation;
mod refused;

use std::ffi::OsString;
use std::path::Path;

use tempfile::TempDir;

use crate::{Config, Errors, parse_with};

/// A directory with the files that the texts of these tests name.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for file in ["tidegate.pem", "tidegate.key", "ca.pem", "clients.pem", "rsa.pem"] {
            place.write(file, "");
        }
        place.write("tidegate.secret", "s3cret\n");
        place.write("users.toml", "[[user]]\nname = 'app'\npassword = { env = 'APP_PASSWORD' }\n");
        std::fs::create_dir(place.path().join("plugins")).unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that only its owner may read.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
        self.chmod(name, 0o600);
    }

    fn chmod(&self, name: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path().join(name), permissions).unwrap();
    }

    fn parse(&self, text: &str) -> Result<Config, Errors> {
        parse_with(text, &self.path().join("tidegate.toml"), &environment)
    }

    /// The errors as they are shown, with `@` for the directory.
    fn errors(&self, text: &str) -> String {
        let errors = self.parse(text).expect_err("there must be errors").to_string();
        errors.replace(&format!("{}/", self.path().display()), "@")
    }
}

fn environment(name: &str) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    match name {
        "APP_PASSWORD" => Some("from the environment".into()),
        "BINARY" => Some(OsString::from_vec(vec![0xff, 0xfe])),
        _ => None,
    }
}

/// The least that is a configuration; line 6 is the last of the upstream, 7 is empty.
const LEAST: &str = r#"
[[upstream]]
name = "orders"
protocol = "mysql"
servers = ["10.0.0.1:3306"]
account = { user = "tidegate", password = "secret" }

[[listener]]
name = "orders"
protocol = "mysql"
bind = "127.0.0.1:3306"
upstream = "orders"
auth = { source = "server" }
"#;

/// [`LEAST`] with one more line in the upstream, which is line 7 then.
fn with_upstream(line: &str) -> String {
    LEAST.replace("\n\n[[listener]]", &format!("\n{line}\n\n[[listener]]"))
}

/// [`LEAST`] with one more line at the end, which is line 14.
fn with_listener(line: &str) -> String {
    format!("{LEAST}{line}\n")
}

/// [`LEAST`] with another `servers` and no account.
fn with_servers(servers: &str) -> String {
    let account = "account = { user = \"tidegate\", password = \"secret\" }\n";
    LEAST
        .replace(r#"["10.0.0.1:3306"]"#, servers)
        .replace(account, "")
        .replace(r#"{ source = "server" }"#, r#"{ source = "file", file = "users.toml" }"#)
}

/// [`LEAST`] with another `auth`, in line 13.
fn with_auth(auth: &str) -> String {
    LEAST.replace(r#"{ source = "server" }"#, auth)
}
