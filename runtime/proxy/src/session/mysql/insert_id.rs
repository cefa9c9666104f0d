//! What `LAST_INSERT_ID()` answers a session whose connections change.
//!
//! An idle connection answers 0. What a session has inserted is asked of its connection when that is
//! given back, and told to the next one that the session asks for it on. The number in an OK packet
//! would not do: it may be one that the client has chosen, which `LAST_INSERT_ID()` does not answer.

use std::collections::VecDeque;

use tidegate_mysql_wire::command::Command;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::Session;
use crate::pool::ServerLost;
use crate::pool::mysql::LAST_INSERT_ID;
use crate::route::Place;

/// The number of the row that the session has inserted last, as far as it has been asked for.
#[derive(Debug, Default)]
pub(super) struct InsertId {
    known: u64,
    /// Asked of connections when they were given back, the latest last. 0 leaves it as it was.
    asked: VecDeque<oneshot::Receiver<u64>>,
}

impl InsertId {
    pub(super) fn ask(&mut self, answer: oneshot::Receiver<u64>) {
        while let Some(first) = self.asked.front_mut() {
            match first.try_recv() {
                Ok(id) => self.learn(id),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Closed) => {}
            }
            self.asked.pop_front();
        }
        self.asked.push_back(answer);
    }

    fn learn(&mut self, id: u64) {
        if id != 0 {
            self.known = id;
        }
    }

    /// Waits for what was asked.
    async fn resolve(&mut self) -> Result<u64, ServerLost> {
        while let Some(answer) = self.asked.pop_front() {
            self.learn(answer.await.map_err(|_| ServerLost::Closed)?);
        }
        Ok(self.known)
    }
}

impl Session {
    /// Has a connection answer `LAST_INSERT_ID()` as the session expects.
    pub(super) async fn tell_insert_id(&mut self, place: Place) -> Result<(), ServerLost> {
        let mut id = self.insert_id.resolve().await?;
        for held in self.leases.iter_mut().filter(|held| held.inserted) {
            let asked = held.leased.connection().query_number(LAST_INSERT_ID).await?;
            if asked != 0 {
                id = asked;
                self.insert_id.known = id;
            }
            // The statement is where the last change was, if that connection is still held.
            if asked != 0 && held.place == place {
                held.knows_insert_id = true;
                return Ok(());
            }
        }
        let Some(held) = self.leases.at(place) else {
            return Ok(());
        };
        if id != 0 {
            let command = format!("SET last_insert_id = {id}");
            let commands = [(Command::Query, command.as_bytes())];
            // A server that refuses has no such variable to read either.
            drop(held.leased.connection().exchange(&commands).await?);
            // It must answer 0 again before the next session has it.
            held.inserted = true;
        }
        held.knows_insert_id = true;
        Ok(())
    }
}
