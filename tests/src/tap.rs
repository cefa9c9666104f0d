//! A wire that counts what it carries, and can be cut: between a client and the proxy, or the proxy
//! and a server.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Clients connect to its port as they would to the proxy.
#[derive(Debug)]
pub struct Tap {
    port: u16,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
    /// How often it was cut.
    cuts: Arc<AtomicU64>,
}

impl Tap {
    /// In front of a port on this machine.
    ///
    /// # Panics
    /// When nothing can be listened on.
    #[must_use]
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let tap = Self {
            port: listener.local_addr().expect("it is bound").port(),
            up: Arc::default(),
            down: Arc::default(),
            cuts: Arc::default(),
        };
        let (up, down) = (Arc::clone(&tap.up), Arc::clone(&tap.down));
        let cuts = Arc::clone(&tap.cuts);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(proxy) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
                    continue;
                };
                let uncut = || (Arc::clone(&cuts), cuts.load(Ordering::SeqCst));
                let there = carry(&client, &proxy, &up, Some(uncut()));
                drop(there.and_then(|()| carry(&proxy, &client, &down, None)));
            }
        });
        tap
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection that is open now, as soon as its client says something: that is lost.
    pub fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
    }

    /// Bytes from clients, and to clients, since the last time that this was asked.
    #[allow(clippy::must_use_candidate, reason = "asking begins a new count")]
    pub fn carried(&self) -> (u64, u64) {
        (self.up.swap(0, Ordering::Relaxed), self.down.swap(0, Ordering::Relaxed))
    }
}

/// Copies and counts until one side closes, or there were more cuts than these.
fn carry(
    from: &TcpStream,
    to: &TcpStream,
    count: &Arc<AtomicU64>,
    uncut: Option<(Arc<AtomicU64>, u64)>,
) -> io::Result<()> {
    let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
    let count = Arc::clone(count);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if uncut.as_ref().is_some_and(|(cuts, seen)| cuts.load(Ordering::SeqCst) > *seen) {
                break;
            }
            count.fetch_add(length as u64, Ordering::Relaxed);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    });
    Ok(())
}
