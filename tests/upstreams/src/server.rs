//! Servers: what each of them is, and how it takes its clients in.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fmt, io, thread};

use crate::postgres::Sessions;
use crate::{mysql, postgres, store};

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    MySql,
    Postgres,
}

/// What a server is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes reads and writes.
    Primary,
    /// Reads the primary's file, and refuses to write: with error 1290, or with SQLSTATE 25006.
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
pub(crate) struct Server {
    pub(crate) role: Role,
    pub(crate) id: u32,
    pub(crate) path: PathBuf,
}

impl Server {
    /// What it calls itself when it is asked.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.role, self.id)
    }
}

/// Serves one client, with the number of its connection, until it leaves.
type Serve = dyn Fn(TcpStream, u32) -> anyhow::Result<()> + Send + Sync;

/// Starts a server on a free port of the loopback interface; it runs until the process ends.
///
/// Each client has a thread: SQLite blocks, and demonstrations have few clients. The primary must
/// be started before its replicas, because it creates the file.
///
/// # Errors
/// The port cannot be had, or the file not be opened.
pub fn start(
    protocol: Protocol,
    role: Role,
    server_id: u32,
    path: &Path,
) -> io::Result<SocketAddr> {
    let server = Server { role, id: server_id, path: path.to_owned() };
    if role == Role::Primary {
        store::create(path).map_err(io::Error::other)?;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let name = server.name();
    let serve: Arc<Serve> = match protocol {
        Protocol::MySql => Arc::new(move |client, id| mysql::serve(client, id, &server)),
        Protocol::Postgres => {
            let sessions = Sessions::default();
            Arc::new(move |client, id| postgres::serve(client, id, &server, &sessions))
        }
    };
    thread::Builder::new().name(name.clone()).spawn(move || accept(&listener, &name, &serve))?;
    Ok(address)
}

fn accept(listener: &TcpListener, name: &str, serve: &Arc<Serve>) {
    let connections = AtomicU32::new(1);
    // An error here is of one client that has already gone.
    for client in listener.incoming().flatten() {
        let serve = Arc::clone(serve);
        let id = connections.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}#{id}");
        let session = move || {
            if let Err(error) = serve(client, id) {
                eprintln!("{}: {error:#}", thread::current().name().unwrap_or_default());
            }
        };
        if let Err(error) = thread::Builder::new().name(name).spawn(session) {
            eprintln!("a client was turned away: {error}");
        }
    }
}
