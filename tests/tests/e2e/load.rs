//! Sessions that work without pause while something happens to the servers, and what became of it.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row};
use tidegate_tests::clients::Login;
use tidegate_tests::{Tidegate, wait_for};

use crate::support::{connect, run, try_connect};

/// What a session does, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// A row of its own, without a transaction.
    Insert,
    /// The same with a prepared statement.
    Execute,
    /// Two rows in a transaction: both are stored or none is.
    Transaction,
    /// Reads what anybody has stored.
    Read,
}

/// How often something was done, and how it failed.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) done: u32,
    /// By the number of the error, or the words for a session that ended.
    pub(crate) errors: BTreeMap<String, u32>,
}

/// What became of each kind of work.
#[derive(Debug, Default)]
pub(crate) struct Report(pub(crate) BTreeMap<Work, Tally>);

impl Report {
    /// How often that was done, by whoever did it.
    pub(crate) fn done(&self, work: Work) -> u32 {
        self.0.get(&work).map_or(0, |tally| tally.done)
    }

    /// The errors of all.
    pub(crate) fn errors(&self) -> BTreeMap<String, u32> {
        let mut errors = BTreeMap::new();
        for (kind, count) in self.0.values().flat_map(|tally| &tally.errors) {
            *errors.entry(kind.clone()).or_default() += count;
        }
        errors
    }

    /// Only these errors were seen by whoever did that work.
    #[track_caller]
    pub(crate) fn assert_only(&self, work: Work, kinds: &[&str]) {
        let tally = &self.0[&work];
        let other = tally.errors.keys().find(|kind| !kinds.contains(&&***kind));
        assert_eq!(other, None, "{work:?}: {tally:?}");
    }
}

/// A table with a line for each kind of work, and a column for each kind of error.
impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let errors = self.errors();
        write!(f, "{:<12}{:>8}", "", "done")?;
        errors.keys().try_for_each(|kind| write!(f, "  {kind:>8}"))?;
        for (work, tally) in &self.0 {
            write!(f, "\n{:<12}{:>8}", format!("{work:?}"), tally.done)?;
            for kind in errors.keys() {
                let count = tally.errors.get(kind).copied().unwrap_or_default();
                write!(f, "  {count:>width$}", width = kind.len().max(8))?;
            }
        }
        Ok(())
    }
}

/// Sessions at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    sessions: Vec<(Work, Arc<AtomicU32>, tokio::task::JoinHandle<Tally>)>,
}

impl Load {
    /// Makes the table `app.written`, and starts a session for each of these.
    pub(crate) async fn start(tidegate: &Tidegate, works: &[Work]) -> Self {
        let mut connection = connect(tidegate, "app").await;
        let table = "create table written (writer int, n int, part int) engine=InnoDB";
        run(&mut connection, table).await;
        let stop = Arc::<AtomicBool>::default();
        let sessions = (0..).zip(works).map(|(writer, work)| {
            let done = Arc::<AtomicU32>::default();
            let worker = Worker {
                port: tidegate.port(),
                writer,
                work: *work,
                stop: Arc::clone(&stop),
                done: Arc::clone(&done),
            };
            (*work, done, tokio::spawn(worker.work()))
        });
        let sessions = sessions.collect();
        Self { stop, sessions }
    }

    /// Waits until every session has done its work so many times more.
    pub(crate) fn progress(&self, times: u32) {
        for (work, done, _) in &self.sessions {
            let goal = done.load(Ordering::Relaxed) + times;
            wait_for(&format!("{work:?} to go on"), || {
                (done.load(Ordering::Relaxed) >= goal).then_some(())
            });
        }
    }

    pub(crate) async fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let mut report = Report::default();
        for (work, _, session) in self.sessions {
            let tally = session.await.unwrap();
            let sum = report.0.entry(work).or_default();
            sum.done += tally.done;
            for (kind, count) in tally.errors {
                *sum.errors.entry(kind).or_default() += count;
            }
        }
        report
    }
}

struct Worker {
    port: u16,
    writer: u32,
    work: Work,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU32>,
}

impl Worker {
    async fn work(self) -> Tally {
        let mut tally = Tally::default();
        let mut session = None;
        for n in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let outcome = match &mut session {
                Some(connection) => self.once(connection, n).await,
                None => match try_connect(Login::app(self.port, "app")).await {
                    Ok(new) => {
                        session = Some(new);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            let kind = match outcome {
                Ok(()) => {
                    tally.done += 1;
                    self.done.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Err(Error::Server(error)) => error.code.to_string(),
                Err(_) => {
                    session = None;
                    "ended".to_owned()
                }
            };
            *tally.errors.entry(kind).or_default() += 1;
        }
        tally
    }

    async fn once(&self, connection: &mut Conn, n: u32) -> Result<(), Error> {
        let writer = self.writer;
        let insert = |part: u32| format!("insert into written values ({writer}, {n}, {part})");
        match self.work {
            Work::Insert => connection.query_drop(insert(0)).await,
            Work::Execute => {
                let text = "insert into written values (?, ?, 0)";
                connection.exec_drop(text, (writer, n)).await
            }
            Work::Transaction => {
                connection.query_drop("begin").await?;
                connection.query_drop(insert(1)).await?;
                connection.query_drop(insert(2)).await?;
                connection.query_drop("commit").await
            }
            Work::Read => {
                let _: Vec<Row> =
                    connection.query("select n from written order by n limit 3").await?;
                Ok(())
            }
        }
    }
}
