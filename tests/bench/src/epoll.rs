//! The three epoll calls, made safe. Level-triggered, so that one read a wake-up is enough.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, c_int, epoll_event};

const EVENTS_AT_ONCE: usize = 256;
const READABLE: u32 = flag(libc::EPOLLIN);
const WRITABLE: u32 = flag(libc::EPOLLOUT);

/// What a socket is watched for. A socket that is watched for nothing still reports that it broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Interest {
    pub(crate) const READ: Self = Self { read: true, write: false };

    fn events(self) -> u32 {
        let read = if self.read { READABLE } else { 0 };
        let write = if self.write { WRITABLE } else { 0 };
        read | write
    }
}

/// One epoll instance and the room for what it reports.
pub(crate) struct Epoll {
    fd: OwnedFd,
    reported: [epoll_event; EVENTS_AT_ONCE],
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = checked(unsafe { libc::epoll_create1(EPOLL_CLOEXEC) })?;
        // SAFETY: the call above has just opened it for us alone.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let reported = [epoll_event { events: 0, u64: 0 }; EVENTS_AT_ONCE];
        Ok(Self { fd, reported })
    }

    /// Watches a socket until it is closed. Its events carry `token`.
    pub(crate) fn add(
        &self,
        socket: &impl AsRawFd,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.control(EPOLL_CTL_ADD, socket, token, interest)
    }

    /// Watches a socket for something else.
    pub(crate) fn change(
        &self,
        socket: &impl AsRawFd,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.control(EPOLL_CTL_MOD, socket, token, interest)
    }

    /// Waits until a socket is ready and answers how many are; [`Self::token`] tells which.
    pub(crate) fn wait(&mut self) -> io::Result<usize> {
        let (fd, room) = (self.fd.as_raw_fd(), self.reported.as_mut_ptr());
        let capacity = c_int::try_from(EVENTS_AT_ONCE).expect("a small constant");
        // SAFETY: `room` points to EVENTS_AT_ONCE events that nobody else holds during the call.
        let count = checked(unsafe { libc::epoll_wait(fd, room, capacity, -1) })?;
        Ok(usize::try_from(count).expect("checked to be no error"))
    }

    /// The token of an event that the last [`Self::wait`] reported.
    pub(crate) fn token(&self, index: usize) -> Option<u64> {
        self.reported.get(index).map(|event| event.u64)
    }

    fn control(
        &self,
        operation: c_int,
        socket: &impl AsRawFd,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let mut event = epoll_event { events: interest.events(), u64: token };
        let (epoll, socket) = (self.fd.as_raw_fd(), socket.as_raw_fd());
        // SAFETY: `event` lives until the call returns, and the kernel keeps no pointer to it.
        checked(unsafe { libc::epoll_ctl(epoll, operation, socket, &raw mut event) }).map(drop)
    }
}

fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

const fn flag(bits: c_int) -> u32 {
    bits.cast_unsigned()
}
