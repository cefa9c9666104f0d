//! One client: its connection, the model of what it must find, and the log of what it did.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tidegate_tests::server::users;
use tidegate_tests::{PATIENCE, wait_for};

use super::operations;
use super::random::Random;
use super::session::{Session, Table};
use super::wire::{AUTOCOMMIT, Answer, IN_TRANSACTION, Row, Wire};
use super::world::World;

/// So much of its log a client remembers.
const LOG_MAX: usize = 300;
/// So many operations it carries out before it lets go of what holds a connection.
const HOLD_MAX: usize = 7;

/// Why an operation did not come to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// No connection was free: nothing was carried out.
    Refused,
    /// A read was ended by another client.
    Interrupted,
    /// The session is gone, or what has become of it cannot be known.
    Gone,
    /// What must not be.
    Wrong(String),
}

pub(super) type Outcome<T = ()> = Result<T, Stop>;

pub(super) struct Client {
    pub(super) number: usize,
    pub(super) world: Arc<World>,
    pub(super) random: Random,
    pub(super) wire: Wire,
    /// What must hold in this session.
    pub(super) session: Session,
    /// What is stored in its two databases.
    pub(super) stored: [Table; 2],
    /// What may be stored instead, where the answer to a change was not heard.
    maybe: Option<[Table; 2]>,
    serial: u32,
    log: VecDeque<String>,
    status: Option<u16>,
}

impl Client {
    pub(super) fn new(number: usize, world: Arc<World>, seed: u64) -> Self {
        let wire = connect(&world, number);
        let random = Random::new(seed ^ (number as u64 + 1).wrapping_mul(0x1234_5678_9abc_def1));
        let mut client = Self {
            number,
            world,
            random,
            wire,
            session: Session::default(),
            stored: Default::default(),
            maybe: None,
            serial: 0,
            log: VecDeque::new(),
            status: None,
        };
        client.note(format!("-- session {}", client.wire.id));
        client
    }

    /// Lives until the time is over; `Err` says what was wrong.
    pub(super) fn live(mut self) -> Result<(), String> {
        while !self.world.is_over() {
            if let Err(wrong) = self.step() {
                self.world.stop();
                let log: Vec<String> = self.log.into();
                let log = log.join("\n");
                let processes = self.world.processes();
                return Err(format!(
                    "client {}: {wrong}\n--- what it did\n{log}\n--- what servers do\n{processes}",
                    self.number
                ));
            }
        }
        self.world.unlock(None, self.wire.id);
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        let operation = match self.session.is_holding() && self.session.held >= HOLD_MAX {
            true => operations::LET_GO,
            false => operations::choose(&mut self.random),
        };
        self.session.held = if self.session.is_holding() { self.session.held + 1 } else { 0 };
        self.note(format!("# {}", operation.name));
        self.world.count(operation.name);
        match (operation.run)(self).and_then(|()| self.check_status()) {
            Ok(()) | Err(Stop::Interrupted | Stop::Refused) => Ok(()),
            Err(Stop::Gone) => self.start_again(),
            Err(Stop::Wrong(wrong)) => Err(wrong),
        }
    }

    /// The flags of the last reply are those of this session.
    fn check_status(&mut self) -> Outcome {
        let Some(status) = self.status.take() else {
            return Ok(());
        };
        let autocommit = status & AUTOCOMMIT != 0;
        self.equal("autocommit in the reply", &autocommit, &self.session.autocommit.clone())?;
        if self.session.autocommit {
            let open = status & IN_TRANSACTION != 0;
            self.equal("transaction in the reply", &open, &self.session.work.is_some())?;
        }
        Ok(())
    }

    /// A new session, as the old one is not to be used any more. What it had not committed is lost.
    pub(super) fn start_again(&mut self) -> Result<(), String> {
        self.world.unlock(None, self.wire.id);
        // What the old session holds, the new one may need.
        self.wire.close();
        self.session = Session::default();
        self.status = None;
        self.wire = connect(&self.world, self.number);
        self.note(format!("-- session {}", self.wire.id));
        match self.maybe.take() {
            Some(maybe) => self.find_out(maybe),
            None => Ok(()),
        }
    }

    /// Looks which of two states is stored, as soon as nobody may change it any more.
    fn find_out(&mut self, maybe: [Table; 2]) -> Result<(), String> {
        let started = Instant::now();
        wait_for("what was sent to be carried out", || {
            (started.elapsed() > Duration::from_millis(300)).then_some(())
        });
        let mut found: [Table; 2] = Default::default();
        for (database, table) in found.iter_mut().enumerate() {
            let text = format!(
                "/* tidegate: route=primary */ select id, tag from {}.stored order by id",
                self.database_name(database)
            );
            *table = loop {
                match self.rows(&text) {
                    Ok(rows) => break table_of(&rows),
                    Err(Stop::Wrong(wrong)) => return Err(wrong),
                    Err(Stop::Gone) => {
                        self.maybe = Some(maybe);
                        return self.start_again();
                    }
                    Err(Stop::Refused | Stop::Interrupted) => {}
                }
            };
        }
        // Which numbers the rows would have got, nobody has said.
        let is = |expected: &[Table; 2]| {
            found.iter().zip(expected).all(|(found, table)| found.values().eq(table.values()))
        };
        if !is(&self.stored) && !is(&maybe) {
            return Err(format!("stored is {found:?}, and not {:?} or {maybe:?}", self.stored));
        }
        self.stored = found;
        Ok(())
    }

    // What operations are made of.

    /// A text that nobody else ever says.
    pub(super) fn tag(&mut self) -> String {
        self.serial += 1;
        format!("c{:02}-{}", self.number, self.serial)
    }

    pub(super) fn database_name(&self, database: usize) -> String {
        format!("m{}{}", self.number, ["a", "b"][database])
    }

    pub(super) fn note(&mut self, line: String) {
        self.world.clients[self.number].says(&line);
        if self.log.len() == LOG_MAX {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }

    /// A statement that changes nothing, so that it may be ended.
    pub(super) fn ask(&mut self, text: &str) -> Outcome<Answer> {
        let mut answers = self.carry_out(text, false, |wire| wire.command(3, text.as_bytes()))?;
        answers.pop().ok_or_else(|| Stop::Wrong("no answer".to_owned()))
    }

    /// A statement that changes something: if somebody ends it, nobody knows what it has done.
    pub(super) fn act(&mut self, text: &str) -> Outcome<Answer> {
        let mut answers = self.carry_out(text, true, |wire| wire.command(3, text.as_bytes()))?;
        answers.pop().ok_or_else(|| Stop::Wrong("no answer".to_owned()))
    }

    /// A statement that stores something: if its answer is not heard, either may be.
    pub(super) fn store(&mut self, text: &str, then: &[Table; 2]) -> Outcome<Answer> {
        self.storing(then, |client| client.act(text))
    }

    pub(super) fn storing<T>(
        &mut self,
        then: &[Table; 2],
        act: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        self.maybe = Some(then.clone());
        let outcome = act(self);
        if !matches!(outcome, Err(Stop::Gone)) {
            self.maybe = None;
        }
        outcome
    }

    /// Sends something and looks for what may always happen.
    pub(super) fn carry_out(
        &mut self,
        what: &str,
        acts: bool,
        send: impl FnOnce(&mut Wire) -> io::Result<Vec<Answer>>,
    ) -> Outcome<Vec<Answer>> {
        let over = self.world.clients[self.number].over();
        let started = Instant::now();
        self.note(format!("> {what:.300}"));
        let answers = match send(&mut self.wire) {
            Ok(answers) => answers,
            Err(error) => {
                self.note(format!("< {error} after {:?}", started.elapsed()));
                return Err(self.lost(&error));
            }
        };
        let aimed =
            if self.world.clients[self.number].may_be_hit(over) { ", aimed at" } else { "" };
        self.note(format!("< {answers:.300?} after {:?}{aimed}", started.elapsed()));
        for answer in &answers {
            match answer {
                Answer::Ok { status, .. } | Answer::Rows { status, .. } => {
                    self.status = Some(*status);
                }
                Answer::Error { code, message } => {
                    self.world.count(&format!("error {code}"));
                    self.heard_error(*code, message, acts, over)?;
                }
            }
        }
        Ok(answers)
    }

    fn heard_error(&self, code: u16, message: &str, acts: bool, over: u64) -> Outcome {
        let doomed = self.world.is_doomed(self.wire.id);
        match code {
            1040 if message.contains("are in use") => Err(Stop::Refused),
            1317 if self.world.clients[self.number].may_be_hit(over) => {
                Err(if acts { Stop::Gone } else { Stop::Interrupted })
            }
            1317 | 1927 | 2013 if doomed => Err(Stop::Gone),
            _ => Ok(()),
        }
    }

    fn lost(&self, error: &io::Error) -> Stop {
        if self.world.is_doomed(self.wire.id) && error.kind() != io::ErrorKind::InvalidData {
            Stop::Gone
        } else {
            Stop::Wrong(format!("the session was lost: {error}"))
        }
    }

    pub(super) fn rows(&mut self, text: &str) -> Outcome<Vec<Row>> {
        let answer = self.ask(text)?;
        self.rows_of(answer)
    }

    pub(super) fn rows_of(&self, answer: Answer) -> Outcome<Vec<Row>> {
        match answer {
            Answer::Rows { rows, .. } => Ok(rows),
            other => Err(Stop::Wrong(format!("{other:?} where rows must come"))),
        }
    }

    /// Asks for one row.
    pub(super) fn row(&mut self, text: &str) -> Outcome<Row> {
        let mut rows = self.rows(text)?;
        match rows.pop() {
            Some(row) if rows.is_empty() => Ok(row),
            _ => Err(Stop::Wrong("not one row".to_owned())),
        }
    }

    /// Carries out what must succeed without rows: rows affected, and the number of the inserted row.
    pub(super) fn done(&self, answer: &Answer) -> Outcome<(u64, u64)> {
        match answer {
            Answer::Ok { affected, insert_id, .. } => Ok((*affected, *insert_id)),
            other => Err(Stop::Wrong(format!("{other:?} where OK must come"))),
        }
    }

    pub(super) fn act_done(&mut self, text: &str) -> Outcome {
        let answer = self.act(text)?;
        self.done(&answer).map(drop)
    }

    /// The answer must be this error, and about this.
    pub(super) fn error(&self, answer: &Answer, code: u16, about: &str) -> Outcome {
        match answer {
            Answer::Error { code: found, message } if *found == code && message.contains(about) => {
                Ok(())
            }
            other => Err(Stop::Wrong(format!("{other:?} where error {code} on {about} must come"))),
        }
    }

    pub(super) fn equal<T: PartialEq + std::fmt::Debug>(
        &self,
        what: &str,
        found: &T,
        expected: &T,
    ) -> Outcome {
        if found == expected {
            return Ok(());
        }
        Err(Stop::Wrong(format!("{what} is {found:?} and must be {expected:?}")))
    }
}

/// A new session, as soon as there is room for one.
fn connect(world: &World, number: usize) -> Wire {
    let started = Instant::now();
    loop {
        match Wire::login(world.port, users::NO_PASSWORD.0) {
            Ok(wire) => {
                world.clients[number].session.store(wire.id, Ordering::SeqCst);
                return wire;
            }
            Err(error) => {
                world.count(&format!("login refused: {error:.60}"));
                assert!(started.elapsed() < PATIENCE, "client {number} cannot log in: {error}");
            }
        }
    }
}

/// The rows of `select id, tag`.
pub(super) fn table_of(rows: &[Row]) -> Table {
    rows.iter()
        .filter_map(|row| match row.as_slice() {
            [Some(id), Some(tag)] => Some((id.parse().ok()?, tag.clone())),
            _ => None,
        })
        .collect()
}
