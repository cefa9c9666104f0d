//! Which rules can hold for a session, found out once.
//!
//! Where a client comes from, and who it is, does not change: the rules that are left are kept, and
//! their place is noted in the session's mark. The mark is, from its highest bits: whose places these
//! are, the place, and the flag with which the session's next statement starts.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use tidegate_sdk::sql::Session;

use crate::rule::{Flag, Rule, SessionConditions};

const PLACE_BITS: u32 = 24;
const FLAG_BITS: u32 = Flag::BITS;
/// More kinds of sessions than this no set of rules means to tell apart.
const PROFILES_MAX: usize = 4096;

/// The rules of a kind of sessions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// By their places among all rules, ascending.
    pub(crate) rules: Vec<usize>,
    /// Another address might have other rules.
    pub(crate) by_address: bool,
}

/// All kinds of sessions that were seen.
#[derive(Debug)]
pub(crate) struct Profiles {
    /// What rules ask about sessions; of the rest, nothing needs to be known.
    asked: Asked,
    /// Tells the marks of this instance from those of others, and of another time. Never 0.
    owner: Cell<u64>,
    seen: RefCell<Vec<Rc<Profile>>>,
}

#[derive(Debug, Default)]
struct Asked {
    listener: bool,
    port: bool,
    user: bool,
    address: bool,
}

impl Profiles {
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let any = |has: fn(&SessionConditions) -> bool| rules.iter().any(|rule| has(&rule.session));
        let asked = Asked {
            listener: any(|asked| asked.listener.is_some()),
            port: any(|asked| asked.port.is_some()),
            user: any(|asked| asked.user.is_some()),
            address: any(|asked| asked.address.is_some()),
        };
        let owner = RandomState::new().hash_one(()) >> (PLACE_BITS + FLAG_BITS);
        Self { asked, owner: Cell::new(owner.max(1)), seen: RefCell::default() }
    }

    /// The rules of this session.
    pub(crate) fn of(&self, session: &Session, rules: &[Rule]) -> Rc<Profile> {
        let mark = session.mark();
        if !self.asked.anything() {
            // All sessions are of one kind, and nothing needs to be noted.
            return self.known(0).unwrap_or_else(|| self.add(self.asked.profile(session, rules)).0);
        }
        if mark >> (PLACE_BITS + FLAG_BITS) == self.owner.get()
            && let Some(profile) = self.known(mark >> FLAG_BITS & ((1 << PLACE_BITS) - 1))
        {
            return profile;
        }
        let (profile, place) = self.add(self.asked.profile(session, rules));
        let owner = self.owner.get() << PLACE_BITS;
        session.set_mark((owner | place) << FLAG_BITS | u64::from(flag(session)));
        profile
    }

    fn known(&self, place: u64) -> Option<Rc<Profile>> {
        self.seen.borrow().get(usize::try_from(place).ok()?).cloned()
    }

    /// The profile and its place, where an equal one has the same.
    fn add(&self, profile: Profile) -> (Rc<Profile>, u64) {
        let mut seen = self.seen.borrow_mut();
        if seen.len() >= PROFILES_MAX {
            seen.clear();
            let next = (self.owner.get() + 1) % (1 << (u64::BITS - PLACE_BITS - FLAG_BITS));
            self.owner.set(next.max(1));
        }
        let place = seen.iter().position(|known| **known == profile).unwrap_or_else(|| {
            seen.push(Rc::new(profile));
            seen.len() - 1
        });
        (Rc::clone(&seen[place]), place as u64)
    }
}

impl Asked {
    fn anything(&self) -> bool {
        self.listener || self.port || self.user || self.address
    }

    fn profile(&self, session: &Session, rules: &[Rule]) -> Profile {
        let listener = self.listener.then(|| session.listener());
        let port = self.port.then(|| session.local_port());
        let user = self.user.then(|| session.user());
        let address = self.address.then(|| {
            let peer = session.peer();
            peer.map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default()
        });
        let mut profile = Profile { rules: Vec::new(), by_address: false };
        for (place, rule) in rules.iter().enumerate() {
            let asked = &rule.session;
            let fits = (asked.listener.is_none() || asked.listener == listener)
                && (asked.port.is_none() || asked.port == port)
                && (asked.user.is_none() || asked.user == user);
            let client = address.as_deref().unwrap_or_default();
            let near = asked.address.as_ref().is_none_or(|pattern| pattern.matches(client));
            profile.by_address |= fits && asked.address.is_some();
            if fits && near {
                profile.rules.push(place);
            }
        }
        profile
    }
}

/// The flag with which the session's next statement starts.
pub(crate) fn flag(session: &Session) -> Flag {
    #[expect(clippy::cast_possible_truncation, reason = "it is what the lowest bits hold")]
    let flag = session.mark() as Flag;
    flag
}

/// Sets what [`flag`] answers.
pub(crate) fn set_flag(session: &Session, flag: Flag) {
    let rest = session.mark() >> FLAG_BITS << FLAG_BITS;
    session.set_mark(rest | u64::from(flag));
}
