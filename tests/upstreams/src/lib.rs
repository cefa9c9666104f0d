//! Small MySQL servers over one SQLite file: a primary and its replicas, without a database to install.
//!
//! They speak the wire protocol as real clients and proxies expect it, know SQLite's SQL and what
//! drivers ask of MySQL, and say who they are: `SELECT @@hostname`. They are for demonstrations; of a
//! server's durability, speed and privileges there is nothing here.

mod answer;
mod connection;
mod database;
mod dialect;
mod login;
mod parameters;
mod session;
mod show;
mod variables;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fmt, io, thread};

/// The one database that every server has.
pub const DATABASE: &str = "app";

/// Who may log in, and with what password; all by `mysql_native_password`.
pub const USERS: [(&str, &str); 3] =
    [("app", "apppw"), ("boss", "bosspw"), ("tidegate", "probepw")];

/// What a server is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes reads and writes.
    Primary,
    /// Reads the primary's file, and refuses to write with error 1290.
    Replica,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        })
    }
}

/// One server, as its sessions know it.
#[derive(Clone, Debug)]
struct Server {
    role: Role,
    id: u32,
    path: PathBuf,
}

impl Server {
    /// What `@@hostname` answers.
    fn hostname(&self) -> String {
        format!("{}-{}", self.role, self.id)
    }
}

/// Starts a server on a free port of the loopback interface; it runs until the process ends.
///
/// Each client has a thread: SQLite blocks, and demonstrations have few clients. The primary must
/// be started before its replicas, because it creates the file.
///
/// # Errors
/// The port cannot be had, or the file not be opened.
pub fn start(role: Role, server_id: u32, path: &Path) -> io::Result<SocketAddr> {
    let server = Arc::new(Server { role, id: server_id, path: path.to_owned() });
    if role == Role::Primary {
        database::create(path).map_err(io::Error::other)?;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::Builder::new().name(server.hostname()).spawn(move || accept(&listener, &server))?;
    Ok(address)
}

fn accept(listener: &TcpListener, server: &Arc<Server>) {
    let connections = AtomicU32::new(1);
    // An error here is of one client that has already gone.
    for client in listener.incoming().flatten() {
        let server = Arc::clone(server);
        let id = connections.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}#{id}", server.hostname());
        let serve = move || serve(client, id, &server);
        if let Err(error) = thread::Builder::new().name(name).spawn(serve) {
            eprintln!("a client was turned away: {error}");
        }
    }
}

fn serve(client: TcpStream, id: u32, server: &Server) {
    if let Err(error) = session::serve(client, id, server) {
        eprintln!("{}: connection {id}: {error:#}", server.hostname());
    }
}
