//! Where a request can go: every name that a plugin may use, interned.

use std::collections::HashMap;
use std::num::NonZeroU32;

/// An interned target, as plugins hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetId(NonZeroU32);

impl TargetId {
    /// The number that crosses to the plugin; never 0.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

/// Which server of an upstream is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Member {
    /// `orders`: the primary where there is one.
    Any,
    /// `orders/primary`.
    Primary,
    /// `orders/replica`: balanced; the primary when no replica is alive.
    Replica,
    /// `orders@10.0.0.2:3306`: the server at this position in the upstream's list.
    Server(usize),
}

/// A place where a request can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The position of the upstream in the configuration.
    pub upstream: usize,
    pub member: Member,
}

/// No upstream, role or server has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTarget {
    pub name: String,
    /// All the names that there are, for the message.
    pub known: Vec<String>,
}

impl std::fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no target {:?}; there are: {}", self.name, self.known.join(", "))
    }
}

impl std::error::Error for UnknownTarget {}

/// Every target of a configuration, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    list: Vec<(String, Target)>,
    by_name: HashMap<String, TargetId>,
}

impl Targets {
    /// Interns the targets of all upstreams, given as (name, addresses of its servers).
    pub fn new<'a>(upstreams: impl IntoIterator<Item = (&'a str, Vec<String>)>) -> Self {
        let mut targets = Self::default();
        for (upstream, (name, servers)) in upstreams.into_iter().enumerate() {
            targets.add(name.to_owned(), Target { upstream, member: Member::Any });
            targets.add(format!("{name}/primary"), Target { upstream, member: Member::Primary });
            targets.add(format!("{name}/replica"), Target { upstream, member: Member::Replica });
            for (position, address) in servers.into_iter().enumerate() {
                let member = Member::Server(position);
                targets.add(format!("{name}@{address}"), Target { upstream, member });
            }
        }
        targets
    }

    fn add(&mut self, name: String, target: Target) {
        self.list.push((name.clone(), target));
        let number = u32::try_from(self.list.len()).ok().and_then(NonZeroU32::new);
        if let Some(number) = number {
            self.by_name.insert(name, TargetId(number));
        }
    }

    /// Finds a target by the name that a plugin uses.
    ///
    /// # Errors
    /// [`UnknownTarget`], which lists the names that there are.
    pub fn resolve(&self, name: &str) -> Result<TargetId, UnknownTarget> {
        self.by_name.get(name).copied().ok_or_else(|| UnknownTarget {
            name: name.to_owned(),
            known: self.list.iter().map(|(name, _)| name.clone()).collect(),
        })
    }

    /// The target of a number that came from a plugin; `None` if the plugin made it up.
    #[must_use]
    pub fn by_number(&self, number: u32) -> Option<TargetId> {
        let id = TargetId(NonZeroU32::new(number)?);
        self.get(id).map(|_| id)
    }

    /// What an id stands for.
    #[must_use]
    pub fn get(&self, id: TargetId) -> Option<Target> {
        self.entry(id).map(|(_, target)| *target)
    }

    /// The name of an id, for logs.
    #[must_use]
    pub fn name(&self, id: TargetId) -> &str {
        self.entry(id).map_or("", |(name, _)| name)
    }

    fn entry(&self, id: TargetId) -> Option<&(String, Target)> {
        self.list.get(usize::try_from(id.get()).ok()?.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_resolves_to_what_it_says() {
        let targets = Targets::new([
            ("orders", vec!["10.0.0.1:3306".to_owned(), "10.0.0.2:3306".to_owned()]),
            ("users", vec!["db:3306".to_owned()]),
        ]);
        let at = |name: &str| targets.get(targets.resolve(name).unwrap()).unwrap();
        assert_eq!(at("orders"), Target { upstream: 0, member: Member::Any });
        assert_eq!(at("orders/replica"), Target { upstream: 0, member: Member::Replica });
        assert_eq!(at("orders@10.0.0.2:3306"), Target { upstream: 0, member: Member::Server(1) });
        assert_eq!(at("users/primary"), Target { upstream: 1, member: Member::Primary });
        let id = targets.resolve("users").unwrap();
        assert_eq!(targets.by_number(id.get()), Some(id));
        assert_eq!(targets.name(id), "users");
    }

    #[test]
    fn what_is_not_there_is_refused_with_the_names_that_are() {
        let targets = Targets::new([("orders", vec![])]);
        let error = targets.resolve("order").unwrap_err().to_string();
        assert!(error.contains("\"order\"") && error.contains("orders/replica"), "{error}");
        assert_eq!(targets.by_number(0), None);
        assert_eq!(targets.by_number(4), None);
    }
}
