//! Where a statement goes. Pure: what plugins said, what the session holds, which servers live.

use tidegate_config::Balance;
use tidegate_hook::{Member, Target};

/// What a server is to its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Neither configured nor found out.
    Unknown,
    Primary,
    Replica,
}

/// A server as routing sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) role: Role,
    /// It may be tried: not ejected, or its pause is over.
    pub(crate) usable: bool,
    /// It is not ejected.
    pub(crate) up: bool,
    /// As a replica, it is near enough to its primary.
    pub(crate) fit: bool,
    /// It is known to have executed what the session has written; true where nobody asks for that.
    pub(crate) caught_up: bool,
    pub(crate) leased: usize,
}

/// A server: the positions of its upstream and of itself in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) upstream: usize,
    pub(crate) server: usize,
}

/// What binds a session to a server, strongest first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bonds {
    /// State that lives on one connection only.
    pub(crate) pin: Option<Place>,
    /// An open transaction, or autocommit that is off.
    pub(crate) transaction: Option<Place>,
}

/// Where a statement must or should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To the connection that the session holds there, whatever anyone wishes.
    Held(Place),
    To(Target),
}

/// Bonds go before the verdict, the verdict before the session's own target.
pub(crate) fn route(bonds: Bonds, verdict: Option<Target>, default: Target) -> Route {
    match bonds.pin.or(bonds.transaction) {
        Some(place) => Route::Held(place),
        None => Route::To(verdict.unwrap_or(default)),
    }
}

/// Whether a server with this role serves a target.
pub(crate) fn serves(member: Member, server: usize, role: Role) -> bool {
    match member {
        Member::Any | Member::Primary => role == Role::Primary,
        Member::Replica => role == Role::Replica,
        Member::Server(wanted) => server == wanted,
    }
}

/// Chooses a server for a target. `turn` counts up (round robin) or is random; `tried` have failed
/// for this statement already.
pub(crate) fn choose(
    servers: impl Iterator<Item = Candidate> + Clone,
    member: Member,
    balance: Balance,
    turn: usize,
    tried: &[usize],
) -> Option<usize> {
    let pick = |member: Member, wanted: fn(&Candidate) -> bool| {
        let able = servers.clone().enumerate().filter(move |(at, server)| {
            !tried.contains(at) && serves(member, *at, server.role) && wanted(server)
        });
        balanced(able, balance, turn)
    };
    let up = |member| pick(member, |server| server.up);
    let usable = |member| pick(member, |server| server.usable);
    if member != Member::Replica {
        return up(member).or_else(|| usable(member));
    }
    pick(member, |replica| replica.up && replica.fit && replica.caught_up)
        .or_else(|| pick(member, |replica| replica.up && replica.fit))
        .or_else(|| pick(member, |replica| replica.usable && replica.fit))
        // With no good replica alive, reads go where writes go.
        .or_else(|| up(Member::Primary))
        .or_else(|| usable(Member::Primary))
        .or_else(|| usable(member))
}

fn balanced(
    able: impl Iterator<Item = (usize, Candidate)> + Clone,
    balance: Balance,
    turn: usize,
) -> Option<usize> {
    let count = able.clone().count().max(1);
    // Servers change while they are counted; the first of them is always a good answer.
    let nth = |n: usize| able.clone().nth(n % count).or_else(|| able.clone().next());
    let (chosen, _) = match balance {
        Balance::RoundRobin => nth(turn)?,
        Balance::Random => {
            let (one, other) = (nth(turn)?, nth(turn / count + turn + 1)?);
            if other.1.leased < one.1.leased { other } else { one }
        }
        // Among equals it is everyone's turn once, or the first would get all the quiet traffic.
        Balance::LeastConnections => {
            let rank = |position: usize| (position + count - turn % count) % count;
            let ranked = able.enumerate().map(|(position, server)| (rank(position), server));
            ranked.min_by_key(|(rank, (_, server))| (server.leased, *rank))?.1
        }
    };
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(role: Role, up: bool, leased: usize) -> Candidate {
        Candidate { role, usable: up, up, fit: true, caught_up: true, leased }
    }

    fn least(servers: &[Candidate], member: Member) -> Option<usize> {
        choose(servers.iter().copied(), member, Balance::LeastConnections, 0, &[])
    }

    #[test]
    fn bonds_go_before_wishes() {
        let default = Target { upstream: 0, member: Member::Any };
        let wish = Target { upstream: 0, member: Member::Replica };
        let (pin, transaction) =
            (Place { upstream: 0, server: 1 }, Place { upstream: 0, server: 2 });
        let bonds = |pin, transaction| Bonds { pin, transaction };
        assert_eq!(route(bonds(None, None), None, default), Route::To(default));
        assert_eq!(route(bonds(None, None), Some(wish), default), Route::To(wish));
        let held = route(bonds(None, Some(transaction)), Some(wish), default);
        assert_eq!(held, Route::Held(transaction));
        let held = route(bonds(Some(pin), Some(transaction)), Some(wish), default);
        assert_eq!(held, Route::Held(pin));
    }

    #[test]
    fn roles_are_respected_and_reads_fall_back_to_the_primary() {
        let mut servers = [
            server(Role::Primary, true, 9),
            server(Role::Replica, true, 5),
            server(Role::Replica, true, 3),
        ];
        assert_eq!(least(&servers, Member::Any), Some(0));
        assert_eq!(least(&servers, Member::Primary), Some(0));
        assert_eq!(least(&servers, Member::Replica), Some(2));
        assert_eq!(least(&servers, Member::Server(1)), Some(1));
        (servers[1], servers[2]) =
            (server(Role::Replica, false, 0), server(Role::Replica, false, 0));
        assert_eq!(least(&servers, Member::Replica), Some(0));
        servers[0] = server(Role::Primary, false, 0);
        assert_eq!(least(&servers, Member::Replica), None);
        assert_eq!(least(&servers, Member::Primary), None);
    }

    #[test]
    fn a_server_on_trial_is_used_only_when_no_other_is_up() {
        let trial = Candidate { usable: true, ..server(Role::Replica, false, 0) };
        let servers = [trial, server(Role::Replica, true, 50)];
        assert_eq!(least(&servers, Member::Replica), Some(1));
        assert_eq!(least(&servers[..1], Member::Replica), Some(0));
    }

    #[test]
    fn who_is_not_known_to_be_the_primary_takes_no_writes() {
        let servers = [server(Role::Unknown, true, 0), server(Role::Replica, true, 0)];
        assert_eq!(least(&servers, Member::Any), None);
        assert_eq!(least(&servers, Member::Primary), None);
        assert_eq!(least(&servers, Member::Replica), Some(1));
    }

    #[test]
    fn replicas_that_are_behind_are_the_last_resort() {
        let behind = Candidate { fit: false, ..server(Role::Replica, true, 0) };
        let mut servers =
            [behind, server(Role::Primary, true, 90), server(Role::Replica, true, 50)];
        assert_eq!(least(&servers, Member::Replica), Some(2));
        assert_eq!(least(&servers, Member::Server(0)), Some(0), "who asks for it gets it");
        servers[2] = behind;
        assert_eq!(least(&servers, Member::Replica), Some(1));
        servers[1] = server(Role::Primary, false, 0);
        assert_eq!(least(&servers, Member::Replica), Some(0));
    }

    #[test]
    fn replicas_that_have_caught_up_with_the_session_come_first() {
        let late = Candidate { caught_up: false, ..server(Role::Replica, true, 0) };
        let servers = [late, server(Role::Replica, true, 50), server(Role::Primary, true, 0)];
        assert_eq!(least(&servers, Member::Replica), Some(1));
        let servers = [late, server(Role::Primary, true, 0)];
        assert_eq!(least(&servers, Member::Replica), Some(0), "it may be waited for");
    }

    #[test]
    fn what_was_tried_is_not_tried_again() {
        let servers = [server(Role::Replica, true, 0), server(Role::Replica, true, 7)];
        let choose = |tried: &[usize]| {
            choose(servers.iter().copied(), Member::Replica, Balance::LeastConnections, 0, tried)
        };
        assert_eq!((choose(&[]), choose(&[0]), choose(&[0, 1])), (Some(0), Some(1), None));
    }

    #[test]
    fn equals_take_turns() {
        let servers = [server(Role::Replica, true, 1); 3];
        for balance in [Balance::LeastConnections, Balance::RoundRobin] {
            let mut seen: Vec<_> = (0..3)
                .filter_map(|turn| choose(servers.into_iter(), Member::Replica, balance, turn, &[]))
                .collect();
            seen.sort_unstable();
            assert_eq!(seen, [0, 1, 2], "{balance:?}");
        }
    }
}
