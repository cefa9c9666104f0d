//! What a server says about itself when a probe asks: its role, its replication, its transactions.
//! Pure.

use std::fmt;
use std::time::Duration;

/// A server's answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report<G> {
    pub(crate) writable: bool,
    pub(crate) replication: Replication,
    /// What it has executed, where that was asked for and is known.
    pub(crate) executed: Option<G>,
}

/// How a server gets what others have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replication {
    /// It does not tell us.
    Unknown,
    /// It follows no other server.
    None,
    /// It follows none, but shares their storage.
    Shared,
    /// It follows another, and is so far behind; not known while it has lost the other.
    Running { lag: Option<Duration> },
    /// It was stopped, or by an error with this number.
    Stopped { error: u32 },
}

/// Why a replica should not serve reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    Lags(Duration),
    LagUnknown,
    FollowsNobody,
    Stopped { error: u32 },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lags(lag) => write!(f, "it is {lag:?} behind"),
            Self::LagUnknown => f.write_str("it has lost its primary, so its lag is not known"),
            Self::FollowsNobody => f.write_str("it follows no other server"),
            Self::Stopped { error: 0 } => f.write_str("its replication is stopped"),
            Self::Stopped { error } => write!(f, "its replication is broken by error {error}"),
        }
    }
}

impl<G> Report<G> {
    /// Whether the server, as a replica, may serve reads.
    pub(crate) fn fitness(&self, max_lag: Option<Duration>) -> Result<(), Unfit> {
        match (self.replication, max_lag) {
            (Replication::Stopped { error }, _) => Err(Unfit::Stopped { error }),
            (Replication::None, None) if !self.writable => Ok(()),
            (Replication::None, _) => Err(Unfit::FollowsNobody),
            (Replication::Running { lag: Some(lag) }, Some(max)) if lag > max => {
                Err(Unfit::Lags(lag))
            }
            (Replication::Running { lag: None }, Some(_)) => Err(Unfit::LagUnknown),
            (Replication::Running { .. } | Replication::Shared | Replication::Unknown, _) => Ok(()),
        }
    }

    /// It replicates from another server.
    pub(crate) fn follows(&self) -> bool {
        matches!(self.replication, Replication::Running { .. })
    }

    pub(crate) fn lag(&self) -> Option<Duration> {
        match self.replication {
            Replication::Running { lag } => lag,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn running(lag: u64) -> Replication {
        Replication::Running { lag: Some(Duration::from_secs(lag)) }
    }

    const LOST: Replication = Replication::Running { lag: None };

    #[test]
    fn a_replica_must_be_near_enough() {
        let fitness = |replication, max: Option<u64>| {
            let report = Report::<()> { writable: false, replication, executed: None };
            report.fitness(max.map(Duration::from_secs))
        };
        for fit in [running(10), Replication::Unknown, Replication::Shared] {
            assert_eq!(fitness(fit, Some(10)), Ok(()), "{fit:?}");
        }
        for fit in [running(9999), LOST, Replication::None] {
            assert_eq!(fitness(fit, None), Ok(()), "{fit:?}");
        }
        assert_eq!(fitness(running(11), Some(10)), Err(Unfit::Lags(Duration::from_secs(11))));
        assert_eq!(fitness(LOST, Some(10)), Err(Unfit::LagUnknown));
        assert_eq!(fitness(Replication::None, Some(10)), Err(Unfit::FollowsNobody));
        let broken = Replication::Stopped { error: 1062 };
        assert_eq!(fitness(broken, None), Err(Unfit::Stopped { error: 1062 }));
        let rival = Report::<()> { writable: true, replication: Replication::None, executed: None };
        assert_eq!(rival.fitness(None), Err(Unfit::FollowsNobody));
    }
}
