//! Sessions that work without pause while something happens to the servers, and what became of it.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tidegate_tests::clients::Login;
use tidegate_tests::{Tidegate, wait_for};
use tokio_postgres::{Client, Error};

use super::support::{connect, run, try_connect};

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
    /// By SQLSTATE, or the word for a session that ended.
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

    /// Errors of a kind, of all.
    pub(crate) fn errors(&self, kind: &str) -> u32 {
        self.0.values().filter_map(|tally| tally.errors.get(kind)).sum()
    }

    /// Only these errors were seen by whoever did that work.
    #[track_caller]
    pub(crate) fn assert_only(&self, work: Work, kinds: &[&str]) {
        let tally = &self.0[&work];
        let other = tally.errors.keys().find(|kind| !kinds.contains(&&***kind));
        assert_eq!(other, None, "{work:?}: {tally:?}");
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let line = |(work, Tally { done, errors }): (&Work, &Tally)| {
            format!("{:<12}{done:>8} {errors:?}", format!("{work:?}"))
        };
        f.write_str(&self.0.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// Sessions at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    sessions: Vec<(Work, Arc<AtomicU32>, tokio::task::JoinHandle<Tally>)>,
}

impl Load {
    /// Makes the table `written` in the database `app`, and starts a session for each of these.
    pub(crate) async fn start(tidegate: &Tidegate, works: &[Work]) -> Self {
        let client = connect(tidegate, "app").await;
        run(&client, "create table written (writer int, n int, part int)").await;
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
    writer: i32,
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
            let outcome = match &session {
                Some(client) => self.once(client, n).await,
                None => match try_connect(Login::app(self.port, "app")).await {
                    Ok(new) => {
                        session = Some(new);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match outcome {
                Ok(()) => {
                    tally.done += 1;
                    self.done.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    let kind = error.code().map_or("ended", |state| state.code());
                    *tally.errors.entry(kind.to_owned()).or_default() += 1;
                    // It may not have noticed yet that its connection is gone.
                    tokio::task::yield_now().await;
                    if session.as_ref().is_some_and(Client::is_closed) {
                        session = None;
                    }
                }
            }
        }
        tally
    }

    async fn once(&self, client: &Client, n: i32) -> Result<(), Error> {
        let writer = self.writer;
        let insert = |part: u32| format!("insert into written values ({writer}, {n}, {part})");
        match self.work {
            Work::Insert => client.batch_execute(&insert(0)).await,
            Work::Execute => {
                let text = "insert into written values ($1, $2, 0)";
                client.execute(text, &[&writer, &n]).await.map(drop)
            }
            Work::Transaction => {
                client.batch_execute("begin").await?;
                client.batch_execute(&insert(1)).await?;
                client.batch_execute(&insert(2)).await?;
                client.batch_execute("commit").await
            }
            Work::Read => {
                client.query("select n from written order by n limit 3", &[]).await.map(drop)
            }
        }
    }
}
