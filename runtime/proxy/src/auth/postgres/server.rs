//! Users as the servers of the upstream know them, read by its service account.

mod interrogator;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidegate_postgres_wire::auth::Flow;

use self::interrogator::{Answer, Interrogator};
use super::users::{Making, User};
use super::{Decoys, Found, Unavailable, ask};
use crate::locked;
use crate::pool::postgres::Upstream;

/// What was read is good for so long. A proof by SCRAM is for one salt: when the password is changed,
/// it cannot be judged again by what is stored now.
const FRESH: Duration = Duration::from_secs(1);
/// A wrong password has a user read again, but not more often than this.
const REREAD: Duration = Duration::from_millis(100);
/// A connection is asked for so long; how users are led is asked with each new one.
const CONNECTION_AGE: Duration = Duration::from_secs(300);
/// Names are made up by whoever knocks; no more than this are remembered.
const KNOWN_MAX: usize = 10_000;
/// Users are led by no more flows than this.
const FLOWS_MAX: usize = 16;

pub(super) struct ServerUsers {
    upstream: Arc<Upstream>,
    /// What is asked instead of the catalogue.
    query: Option<String>,
    known: Mutex<HashMap<String, Known>>,
    /// One connection to ask over, kept between logins: whoever comes meanwhile waits, and may find
    /// the answer there.
    connection: tokio::sync::Mutex<Option<Interrogator>>,
    /// How the users are led that a query has found.
    flows: Mutex<Vec<Flow>>,
}

#[derive(Clone)]
struct Known {
    /// `None`: nobody can log in by this name.
    user: Option<Arc<User>>,
    may_login: bool,
    read: Instant,
}

impl ServerUsers {
    pub(super) fn new(upstream: Arc<Upstream>, query: Option<String>) -> Self {
        let (known, connection) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { upstream, query, known, connection, flows: Mutex::default() }
    }

    pub(super) async fn find(
        &self,
        user: &str,
        making: &Making,
        decoys: &Decoys,
    ) -> Result<Option<Found>, Unavailable> {
        self.find_within(FRESH, user, making, decoys).await
    }

    /// Reads a user again whose password did not match, unless it was read a moment ago.
    pub(super) async fn find_again(
        &self,
        user: &str,
        making: &Making,
        decoys: &Decoys,
    ) -> Result<Option<Found>, Unavailable> {
        self.find_within(REREAD, user, making, decoys).await
    }

    async fn find_within(
        &self,
        age: Duration,
        user: &str,
        making: &Making,
        decoys: &Decoys,
    ) -> Result<Option<Found>, Unavailable> {
        let Known { user: known, may_login, .. } = self.read(age, user, making, decoys).await?;
        let Some(known) = known else { return Ok(None) };
        let found = known.found(user, None, making).await.map_err(Unavailable::Aside)?;
        Ok(found.map(|found| Found { may_login, ..found }))
    }

    pub(super) fn forget(&self, user: &str) {
        locked(&self.known).remove(user);
    }

    /// As [`Self::forget`], unless it was read a moment ago: who guesses has nobody asked each time.
    pub(super) fn forget_old(&self, user: &str) {
        if self.known(user, REREAD).is_none() {
            self.forget(user);
        }
    }

    /// What was read of a user, if that is not older.
    fn known(&self, user: &str, age: Duration) -> Option<Known> {
        locked(&self.known).get(user).filter(|known| known.read.elapsed() < age).cloned()
    }

    async fn read(
        &self,
        age: Duration,
        user: &str,
        making: &Making,
        decoys: &Decoys,
    ) -> Result<Known, Unavailable> {
        if let Some(known) = self.known(user, age) {
            return Ok(known);
        }
        let mut slot = self.connection.lock().await;
        // Somebody may have asked meanwhile.
        if let Some(known) = self.known(user, age) {
            return Ok(known);
        }
        let Answer { secret, may_login } = self.ask(&mut slot, user, decoys).await?;
        drop(slot);
        let found = secret.as_deref().and_then(|secret| self.user(secret)).map(Arc::new);
        self.note_flow(found.as_deref(), making.flow, decoys);
        let mut known = locked(&self.known);
        let before = known.get(user).and_then(|known| known.user.clone());
        let same = before.filter(|before| found.as_ref().is_some_and(|user| user.is_same(before)));
        let read = Known { user: same.or(found), may_login, read: Instant::now() };
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(user.to_owned(), read.clone());
        Ok(read)
    }

    /// A query may know passwords.
    fn user(&self, secret: &str) -> Option<User> {
        match self.query {
            Some(_) => User::unlabelled(secret),
            None => User::stored(secret),
        }
    }

    /// A query cannot be asked how all users are led; those that it has found stand for them.
    fn note_flow(&self, user: Option<&User>, flow: Flow, decoys: &Decoys) {
        let Some(flow) = user.and_then(|user| user.flow(flow)) else { return };
        let mut flows = locked(&self.flows);
        if self.query.is_some() && !flows.contains(&flow) && flows.len() < FLOWS_MAX {
            flows.push(flow);
            decoys.set(flows.iter().copied());
        }
    }

    async fn ask(
        &self,
        slot: &mut Option<Interrogator>,
        user: &str,
        decoys: &Decoys,
    ) -> Result<Answer, Unavailable> {
        // Whoever gives up while the server is silent takes the connection along.
        if let Some(mut connection) = slot.take()
            && connection.age() < CONNECTION_AGE
            && let Ok(answer) = connection.ask(self.query.as_deref(), user).await
        {
            *slot = Some(connection);
            return answer.map_err(refused);
        }
        let mut connection = Interrogator::new(ask::connect(&self.upstream).await?);
        if self.query.is_none() {
            decoys.set(connection.flows().await?.into_iter().take(FLOWS_MAX));
        }
        let answer = connection.ask(self.query.as_deref(), user).await?;
        *slot = Some(connection);
        answer.map_err(refused)
    }
}

fn refused(error: tidegate_postgres_wire::message::ErrorResponse) -> Unavailable {
    Unavailable::Refused(error.to_string())
}
