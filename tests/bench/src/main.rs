//! The floor of every benchmark: a TCP relay that does nothing but move bytes.
//!
//! One thread, one epoll instance, one read and one write for each piece of a conversation. It knows
//! no protocol, no limits and no time-outs; what a proxy costs above it is what that proxy decided to do.
//!
//! `tidegate-bench-relay 127.0.0.1:7000 127.0.0.1:3306` relays from the first address to the second, and
//! prints the first: its port may be 0.

mod epoll;
mod pair;
mod relay;

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let (listen, upstream) = addresses()?;
    let listener =
        TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    println!("{}", listener.local_addr()?);
    relay::Relay::new(listener, upstream)?.run()
}

fn addresses() -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream] = arguments.as_slice() else {
        bail!("usage: tidegate-bench-relay LISTEN UPSTREAM");
    };
    let address = |text: &str| text.parse().with_context(|| format!("{text:?} is no address"));
    Ok((address(listen)?, address(upstream)?))
}
