//! What a test's `tidegate.toml` says.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::certificates::Certificates;
use crate::free_port;
use crate::server::{MariaDbPrograms, Pair, Programs, Server, users};

/// The name of the upstream in every test.
pub const UPSTREAM: &str = "db";
/// The name of the listener in every test.
pub const LISTENER: &str = "front";

/// A configuration with one upstream and one listener; each method changes one thing.
#[derive(Clone, Debug)]
pub struct Setup {
    protocol: &'static str,
    port: u16,
    admin_port: u16,
    servers: Vec<(String, &'static str)>,
    auth: String,
    pool: String,
    top: Vec<String>,
    upstream: Vec<String>,
    listener: Vec<String>,
    files: Vec<(String, String)>,
    whole: Option<String>,
}

impl Setup {
    /// In front of these servers of MariaDB or MySQL, given as (address, role).
    #[must_use]
    pub fn new(servers: &[(String, &'static str)]) -> Self {
        Self::of::<MariaDbPrograms>(servers)
    }

    /// In front of these servers of a product, given as (address, role).
    #[must_use]
    pub fn of<P: Programs>(servers: &[(String, &'static str)]) -> Self {
        Self {
            protocol: P::PROTOCOL,
            port: free_port(),
            admin_port: free_port(),
            servers: servers.to_vec(),
            auth: format!("{{ source = \"config\", users = [{}] }}", passwords(P::LOGINS)),
            pool: "{ max = 50, wait = \"5s\" }".to_owned(),
            top: Vec::new(),
            upstream: Vec::new(),
            listener: Vec::new(),
            files: Vec::new(),
            whole: None,
        }
    }

    /// In front of one server.
    #[must_use]
    pub fn single<P: Programs>(server: &Server<P>) -> Self {
        Self::of::<P>(&[(server.address(), "primary")])
    }

    /// In front of a primary and its replica.
    #[must_use]
    pub fn pair<P: Programs>(pair: &Pair<P>) -> Self {
        Self::of::<P>(&[(pair.primary.address(), "primary"), (pair.replica.address(), "replica")])
    }

    /// As [`Self::pair`], but tidegate has to find out which is which, and asks often.
    #[must_use]
    pub fn discovering<P: Programs>(pair: &Pair<P>) -> Self {
        Self::of::<P>(&[(pair.primary.address(), "discover"), (pair.replica.address(), "discover")])
            .account()
            .quick_probes()
    }

    /// Clients may (`prefer`) or must (`require`) use TLS.
    #[must_use]
    pub fn client_tls(self, mode: &str) -> Self {
        let certificates = Certificates::shared();
        let (certificate, key) = (certificates.certificate(), certificates.key());
        self.listener(&format!(
            "tls = {{ certificate = {certificate:?}, key = {key:?}, mode = {mode:?} }}"
        ))
    }

    /// How servers are reached: `disable`, `require`, or a mode that verifies them against `ca`.
    #[must_use]
    pub fn server_tls(self, mode: &str, ca: Option<&Path>) -> Self {
        let ca = ca.map_or_else(String::new, |ca| format!(", ca = {ca:?}"));
        self.upstream(&format!("tls = {{ mode = {mode:?}{ca} }}"))
    }

    /// Replaces the inline table `auth` of the listener.
    #[must_use]
    pub fn auth(mut self, table: &str) -> Self {
        table.clone_into(&mut self.auth);
        self
    }

    /// Replaces the inline table `pool` of the upstream.
    #[must_use]
    pub fn pool(mut self, table: &str) -> Self {
        table.clone_into(&mut self.pool);
        self
    }

    /// Gives the upstream the service account of the test servers.
    #[must_use]
    pub fn account(self) -> Self {
        let (user, password) = users::MONITOR;
        self.upstream(&format!("account = {{ user = {user:?}, password = {password:?} }}"))
    }

    /// Servers are probed often, so that a test need not wait.
    #[must_use]
    pub fn quick_probes(self) -> Self {
        self.upstream("probe = { interval = \"100ms\", timeout = \"1s\", failures = 2 }")
    }

    /// Adds a line to the upstream.
    #[must_use]
    pub fn upstream(mut self, line: &str) -> Self {
        self.upstream.push(line.to_owned());
        self
    }

    /// Adds a line to the listener.
    #[must_use]
    pub fn listener(mut self, line: &str) -> Self {
        self.listener.push(line.to_owned());
        self
    }

    /// Adds a table, or any other text, before the upstream.
    #[must_use]
    pub fn top(mut self, text: &str) -> Self {
        self.top.push(text.to_owned());
        self
    }

    /// Takes this text as `tidegate.toml`, whatever else was said. It must have [`Self::port`] and
    /// [`Self::admin_port`].
    #[must_use]
    pub fn whole(mut self, text: &str) -> Self {
        self.whole = Some(text.to_owned());
        self
    }

    /// Writes one more file beside `tidegate.toml`.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Writes the sidecar of a plugin.
    #[must_use]
    pub fn sidecar(self, plugin: &str, text: &str) -> Self {
        self.file(&format!("plugins/{plugin}.toml"), text)
    }

    /// The port of the listener.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of the admin interface.
    #[must_use]
    pub fn admin_port(&self) -> u16 {
        self.admin_port
    }

    /// Writes `tidegate.toml`, the files that it names, and an empty plugin folder.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) {
        fs::create_dir_all(folder.join("plugins")).expect("a scratch folder can be written");
        for (name, text) in &self.files {
            fs::write(folder.join(name), text).expect("and files in it");
        }
        fs::write(folder.join("tidegate.toml"), self.text()).expect("and the configuration");
    }

    /// The text of `tidegate.toml`.
    #[must_use]
    pub fn text(&self) -> String {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let lines =
            |lines: &[String]| lines.iter().fold(String::new(), |text, line| text + line + "\n");
        let protocol = self.protocol;
        let mut text = format!("[admin]\nbind = \"127.0.0.1:{}\"\n\n", self.admin_port);
        text += "[plugins]\ndir = \"plugins\"\n\n";
        text += &lines(&self.top);
        let _ = writeln!(text, "[[upstream]]\nname = {UPSTREAM:?}\nprotocol = {protocol:?}");
        let _ = writeln!(text, "servers = [{}]\npool = {}", self.servers(), self.pool_table());
        text += &lines(&self.upstream);
        let _ = writeln!(text, "\n[[listener]]\nname = {LISTENER:?}\nprotocol = {protocol:?}");
        let _ = writeln!(text, "bind = \"127.0.0.1:{}\"\nupstream = {UPSTREAM:?}", self.port);
        let _ = writeln!(text, "auth = {}", self.auth);
        text + &lines(&self.listener)
    }

    /// With the mode of the environment, where the test itself does not care.
    fn pool_table(&self) -> String {
        match std::env::var("TIDEGATE_TEST_POOL_MODE") {
            Ok(mode) if !self.pool.contains("mode") => {
                self.pool.replacen('{', &format!("{{ mode = {mode:?},"), 1)
            }
            _ => self.pool.clone(),
        }
    }

    /// A server without a role is one whose role is to be discovered.
    fn servers(&self) -> String {
        let server = |(address, role): &(String, &str)| {
            format!("{{ address = {address:?}, role = {role:?} }}")
        };
        self.servers.iter().map(server).collect::<Vec<_>>().join(", ")
    }
}

/// Users as the configuration lists them.
fn passwords(users: &[(&str, &str)]) -> String {
    users
        .iter()
        .map(|(name, password)| format!("{{ name = {name:?}, password = {password:?} }}"))
        .collect::<Vec<_>>()
        .join(", ")
}
