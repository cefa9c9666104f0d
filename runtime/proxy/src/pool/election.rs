//! Which server of an upstream is the primary, from what each of them says about itself. Pure.

use std::time::Instant;

use crate::route::Role;

/// Keeps one primary at a time, whatever servers say.
#[derive(Debug)]
pub(crate) struct Election {
    seats: Vec<Seat>,
    primary: Option<usize>,
    /// Until then, the first choice waits for servers that were not heard yet.
    patience: Instant,
}

/// What is known of one server.
#[derive(Clone, Copy, Debug)]
struct Seat {
    /// The role that it was given; it has no say then.
    given: Option<Role>,
    voice: Voice,
    /// It has been said that it can be written to and is not the primary.
    is_reported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    /// Nobody has asked it yet.
    Unheard,
    /// It does not answer. What it has said last is no longer true, but shows what it is.
    Silent(Option<Claim>),
    Says(Claim),
}

/// What a server says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) writable: bool,
    /// It replicates from another server.
    pub(crate) follows: bool,
}

/// What is worth a line in the log. Servers are given by their positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Promoted {
        server: usize,
    },
    /// The primary can no longer be written to, and nobody else can.
    Vacant {
        before: usize,
    },
    /// A second server can be written to; the primary stays what it is.
    Contested {
        by: usize,
        primary: usize,
    },
}

impl Election {
    /// `given` are the roles of the configuration, `None` where they are to be found out.
    pub(crate) fn new(given: impl Iterator<Item = Option<Role>>, patience: Instant) -> Self {
        let seat = |given| Seat { given, voice: Voice::Unheard, is_reported: false };
        let seats: Vec<_> = given.map(seat).collect();
        let primary = seats.iter().position(|seat| seat.given == Some(Role::Primary));
        Self { seats, primary, patience }
    }

    /// A server has answered.
    pub(crate) fn heard(&mut self, server: usize, claim: Claim, now: Instant) -> Vec<News> {
        if let Some(seat) = self.seats.get_mut(server) {
            seat.voice = Voice::Says(claim);
            seat.is_reported &= claim.writable;
        }
        self.decide(now)
    }

    /// A server has not answered, though it was asked. If it once did, it counts as silent only
    /// when it is taken out.
    pub(crate) fn missed(&mut self, server: usize, is_out: bool, now: Instant) -> Vec<News> {
        if let Some(seat) = self.seats.get_mut(server) {
            seat.voice = match seat.voice {
                Voice::Unheard => Voice::Silent(None),
                Voice::Says(claim) if is_out => Voice::Silent(Some(claim)),
                voice => voice,
            };
        }
        self.decide(now)
    }

    pub(crate) fn role(&self, server: usize) -> Role {
        let Some(seat) = self.seats.get(server) else {
            return Role::Unknown;
        };
        match (seat.given, seat.voice) {
            (Some(role), _) => role,
            (None, _) if self.primary == Some(server) => Role::Primary,
            (None, Voice::Unheard | Voice::Silent(None)) => Role::Unknown,
            (None, Voice::Says(claim)) if claim.writable && self.primary.is_none() => Role::Unknown,
            (None, Voice::Says(_) | Voice::Silent(Some(_))) => Role::Replica,
        }
    }

    fn decide(&mut self, now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        if !self.primary.is_some_and(|primary| self.keeps_its_role(primary)) {
            let best = self.best(now);
            match (self.primary, best) {
                (_, Some(server)) => {
                    self.primary = Some(server);
                    news.push(News::Promoted { server });
                }
                // One that does not answer has nobody to leave its role to.
                (Some(before), None) if !matches!(self.seats[before].voice, Voice::Silent(_)) => {
                    self.primary = None;
                    news.push(News::Vacant { before });
                }
                (_, None) => {}
            }
        }
        if let Some(primary) = self.primary {
            let contested = |by| News::Contested { by, primary };
            news.extend(self.rivals(primary).into_iter().map(contested));
        }
        news
    }

    fn keeps_its_role(&self, primary: usize) -> bool {
        let seat = &self.seats[primary];
        seat.given.is_some() || matches!(seat.voice, Voice::Says(claim) if claim.writable)
    }

    /// The best server to be the primary from now on: one that follows nobody, the first of them.
    ///
    /// One that follows another is a replica whose `read_only` was forgotten, as long as the other
    /// may be the true primary and only out of reach.
    fn best(&self, now: Instant) -> Option<usize> {
        let discovered = || self.seats.iter().filter(|seat| seat.given.is_none());
        let is_unheard = discovered().any(|seat| seat.voice == Voice::Unheard);
        if is_unheard && now < self.patience {
            return None;
        }
        let all_speak = discovered().all(|seat| matches!(seat.voice, Voice::Says(_)));
        let claims = self.seats.iter().enumerate().filter_map(|(at, seat)| match seat.voice {
            Voice::Says(claim) if seat.given.is_none() => Some((at, claim)),
            _ => None,
        });
        claims
            .filter(|(_, claim)| claim.writable && (all_speak || !claim.follows))
            .min_by_key(|(_, claim)| claim.follows)
            .map(|(at, _)| at)
    }

    /// Servers that are writable beside the primary, and have not been reported yet.
    fn rivals(&mut self, primary: usize) -> Vec<usize> {
        let mut rivals = Vec::new();
        for (at, seat) in self.seats.iter_mut().enumerate() {
            let is_rival = at != primary
                && seat.given.is_none()
                && matches!(seat.voice, Voice::Says(claim) if claim.writable);
            if is_rival && !seat.is_reported {
                seat.is_reported = true;
                rivals.push(at);
            }
        }
        rivals
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PRIMARY: Claim = Claim { writable: true, follows: false };
    const REPLICA: Claim = Claim { writable: false, follows: true };
    const STOPPED: Claim = Claim { writable: false, follows: false };
    /// A replica whose `read_only` was forgotten.
    const OPEN: Claim = Claim { writable: true, follows: true };

    /// Two or more servers to discover, at a time of their own.
    struct Test {
        election: Election,
        now: Instant,
    }

    impl Test {
        fn new(servers: usize) -> Self {
            Self::given(&vec![None; servers])
        }

        fn given(given: &[Option<Role>]) -> Self {
            let now = Instant::now();
            let patience = now + Duration::from_secs(1);
            Self { election: Election::new(given.iter().copied(), patience), now }
        }

        fn heard(&mut self, server: usize, claim: Claim) -> Vec<News> {
            self.election.heard(server, claim, self.now)
        }

        fn out(&mut self, server: usize) -> Vec<News> {
            self.election.missed(server, true, self.now)
        }

        fn roles(&self) -> Vec<Role> {
            (0..self.election.seats.len()).map(|at| self.election.role(at)).collect()
        }
    }

    use News::{Contested, Promoted, Vacant};
    use Role::{Primary, Replica, Unknown};

    #[test]
    fn who_can_be_written_to_is_the_primary() {
        let mut test = Test::new(3);
        assert_eq!(test.roles(), [Unknown; 3]);
        assert_eq!(test.heard(1, REPLICA), []);
        assert_eq!(test.heard(2, PRIMARY), []);
        assert_eq!(test.roles(), [Unknown, Replica, Unknown], "until all were heard");
        assert_eq!(test.heard(0, REPLICA), [Promoted { server: 2 }]);
        assert_eq!(test.roles(), [Replica, Replica, Primary]);
        assert_eq!(test.heard(2, PRIMARY), []);
    }

    #[test]
    fn the_first_choice_does_not_wait_for_ever() {
        let mut test = Test::new(2);
        assert_eq!(test.heard(1, PRIMARY), []);
        test.now += Duration::from_secs(1);
        assert_eq!(test.heard(1, PRIMARY), [Promoted { server: 1 }]);
        let mut test = Test::new(2);
        assert_eq!(test.heard(1, PRIMARY), []);
        assert_eq!(test.election.missed(0, false, test.now), [Promoted { server: 1 }]);
        assert_eq!(test.roles(), [Unknown, Primary]);
    }

    #[test]
    fn a_switchover_is_followed_in_either_order() {
        let mut test = Test::new(2);
        test.heard(0, PRIMARY);
        test.heard(1, REPLICA);
        assert_eq!(test.heard(0, STOPPED), [Vacant { before: 0 }]);
        assert_eq!(test.roles(), [Replica, Replica]);
        assert_eq!(test.heard(1, PRIMARY), [Promoted { server: 1 }]);
        assert_eq!(test.heard(0, PRIMARY), [Contested { by: 0, primary: 1 }]);
        assert_eq!(test.roles(), [Replica, Primary]);
        assert_eq!(test.heard(1, STOPPED), [Promoted { server: 0 }]);
        assert_eq!(test.roles(), [Primary, Replica]);
    }

    #[test]
    fn a_primary_that_is_gone_is_replaced_and_does_not_take_over_when_it_is_back() {
        let mut test = Test::new(2);
        test.heard(0, PRIMARY);
        test.heard(1, REPLICA);
        assert_eq!(test.out(0), []);
        assert_eq!(test.roles(), [Primary, Replica], "it may come back");
        assert_eq!(test.heard(1, PRIMARY), [Promoted { server: 1 }]);
        assert_eq!(test.roles(), [Replica, Primary]);
        assert_eq!(test.heard(0, PRIMARY), [Contested { by: 0, primary: 1 }]);
        assert_eq!(test.heard(0, PRIMARY), [], "once is enough");
        assert_eq!(test.roles(), [Replica, Primary]);
        test.heard(0, REPLICA);
        assert_eq!(test.heard(0, PRIMARY), [Contested { by: 0, primary: 1 }], "it is new again");
    }

    #[test]
    fn one_missed_probe_changes_nothing() {
        let mut test = Test::new(2);
        test.heard(0, PRIMARY);
        test.heard(1, PRIMARY);
        assert_eq!(test.election.missed(0, false, test.now), []);
        assert_eq!(test.roles(), [Primary, Replica]);
        assert_eq!(test.out(0), [Promoted { server: 1 }]);
    }

    #[test]
    fn who_follows_another_is_promoted_only_when_all_speak() {
        let mut test = Test::new(2);
        test.heard(0, OPEN);
        assert_eq!(
            test.heard(1, PRIMARY),
            [Promoted { server: 1 }, Contested { by: 0, primary: 1 }]
        );
        assert_eq!(test.out(1), [], "it may be out of our reach only");
        assert_eq!(test.heard(0, OPEN), []);
        assert_eq!(test.roles(), [Replica, Primary]);
        assert_eq!(test.heard(1, STOPPED), [Promoted { server: 0 }]);
        let mut circle = Test::new(2);
        circle.heard(1, OPEN);
        assert_eq!(
            circle.heard(0, OPEN),
            [Promoted { server: 0 }, Contested { by: 1, primary: 0 }]
        );
    }

    #[test]
    fn given_roles_stay() {
        let mut test = Test::given(&[Some(Primary), Some(Replica), None]);
        assert_eq!(test.roles(), [Primary, Replica, Unknown]);
        assert_eq!(test.heard(0, STOPPED), []);
        assert_eq!(test.heard(1, PRIMARY), []);
        assert_eq!(test.heard(2, PRIMARY), [Contested { by: 2, primary: 0 }]);
        assert_eq!(test.roles(), [Primary, Replica, Replica]);
        assert_eq!(test.out(0), []);
        assert_eq!(test.roles(), [Primary, Replica, Replica]);
    }
}
