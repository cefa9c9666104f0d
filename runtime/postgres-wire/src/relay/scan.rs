//! Finding a server's messages in the bytes as they arrive.

use tidegate_wire::Violation;

use super::pipeline::{Answer, Pipeline, Request};
use crate::frame::{HEADER_LEN, Header};
use crate::message::tag::backend;
use crate::message::{
    CommandComplete, ParameterStatus, ReadyForQuery, TransactionStatus, sqlstate_of,
};
use crate::parameters::Parameters;
use crate::sqlstate::SqlState;

/// Of the bytes that are handed in, no more than these are ever left to be handed in again.
pub const HELD_MAX: usize = HEADER_LEN + STATUS_MAX;

/// A setting and its value are not longer, in bytes.
const STATUS_MAX: usize = 64 << 10;

/// What a statement was is told in no more bytes.
const COMMAND_MAX: usize = 256;

/// The state of an error stands among its first fields. So many bytes are looked at.
const ERROR_HEAD: usize = 256;

/// How far a scan came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// So many bytes from the start are for the client.
    pub forward: usize,
    pub reached: Reached,
}

/// Where a scan has stopped. Unless it is [`Reached::More`] or [`Reached::Answered`], scan on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// In a message, or before one that has not come far enough: more bytes are needed.
    More,
    /// As many bytes more are for nobody.
    Drop(usize),
    /// Before an error. The next scan passes it on.
    Error(SqlState),
    /// It is the turn of this request, which is ours to answer: write the reply behind what was
    /// forwarded, and say that it is [`answered`](Scanner::answered).
    Ours(Request),
    /// Behind the answer to a COPY: the server waits for the client's data. It has the word until
    /// it has sent all.
    CopyIn,
    /// Behind the answer to a request for replication: both sides send from now on.
    CopyBoth,
    /// Behind a `ReadyForQuery`.
    Ready,
    /// Everything that was asked has been answered.
    Answered,
}

/// What was said since it was asked for last, as far as a proxy must know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of all results.
    pub rows: u64,
    /// Rows that were changed, by all statements.
    pub changed: u64,
    /// The state of the last error.
    pub error: Option<SqlState>,
}

/// What stands at the start of the bytes.
enum Found {
    /// A message, which was taken.
    Taken,
    /// An error, which was not.
    Error(SqlState),
    /// Not enough to say.
    Part,
}

/// Follows what a server says on one connection. Its bytes are handed in as they come, and
/// forwarded as they are.
#[derive(Clone, Debug)]
pub struct Scanner {
    pipeline: Pipeline,
    /// Bytes of the message at hand that have not come yet.
    remaining: usize,
    /// The message at hand is for nobody.
    dropping: bool,
    /// Where to stop behind the message at hand.
    stop: Option<Reached>,
    /// The error at hand was told.
    error_told: bool,
    /// It is for nobody.
    drops_error: bool,
    status: TransactionStatus,
    summary: Summary,
    /// What was told of the session since it was asked for last.
    changes: Parameters,
}

impl Scanner {
    /// For a connection on which nothing is owed.
    #[must_use]
    pub fn new(status: TransactionStatus) -> Self {
        Self {
            pipeline: Pipeline::new(),
            remaining: 0,
            dropping: false,
            stop: None,
            error_told: false,
            drops_error: false,
            status,
            summary: Summary::default(),
            changes: Parameters::default(),
        }
    }

    /// A request is sent to the server; or, if it is ours to answer, held back.
    ///
    /// # Errors
    /// A violation if the server waits for the data of a COPY, and this is none. The client has
    /// broken the protocol; the request must not be sent.
    pub fn expect(&mut self, request: Request, answer: Answer) -> Result<(), Violation> {
        self.pipeline.push(request, answer)
    }

    /// Our reply to the request at [`Reached::Ours`] was written.
    pub fn answered(&mut self) {
        self.pipeline.answered();
    }

    /// Requests that are not answered yet. At [`Reached::Error`] the first of them is the one that has
    /// failed.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.pipeline.owed()
    }

    /// As [`Self::owed`], of those that are ours to answer.
    #[must_use]
    pub fn owed_by_us(&self) -> usize {
        self.pipeline.owed_by_us()
    }

    /// Has everything dropped that is owed now, an error that was [reached](Reached::Error) among it;
    /// what was to be answered here is answered by nobody.
    pub fn discard(&mut self) {
        self.pipeline.discard();
    }

    /// Has the error dropped that was [reached](Reached::Error), and nothing else: another one is told
    /// in its place.
    pub fn drop_error(&mut self) {
        self.drops_error = self.error_told;
    }

    /// Looks at the bytes that were not forwarded or dropped yet.
    ///
    /// # Errors
    /// A [`Violation`] when the server's bytes cannot be an answer to what it was asked. What came
    /// before it may have been forwarded already; the connection is of no more use.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Violation> {
        let mut at = 0;
        let stop = |forward, reached| Ok(Scan { forward, reached });
        loop {
            let piece = self.remaining.min(bytes.len() - at);
            self.remaining -= piece;
            if self.dropping && piece > 0 {
                return stop(at, Reached::Drop(piece));
            }
            at += piece;
            if self.remaining > 0 {
                return stop(at, Reached::More);
            }
            if let Some(reached) = self.stop.take() {
                return stop(at, reached);
            }
            if let Some(request) = self.pipeline.ours() {
                return stop(at, Reached::Ours(request));
            }
            at += self.bulk(&bytes[at..]);
            match self.message(&bytes[at..])? {
                Found::Taken => {}
                Found::Error(error) => return stop(at, Reached::Error(error)),
                Found::Part if self.pipeline.is_empty() && at == bytes.len() => {
                    return stop(at, Reached::Answered);
                }
                Found::Part => return stop(at, Reached::More),
            }
        }
    }

    /// So many requests wait for their answers that the client should not be read from, until some
    /// have got them. It could fill the memory else, with requests that are ours to answer.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pipeline.is_full()
    }

    /// Nothing of a message was forwarded whose end is still to come, so a message of our own could
    /// follow.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.remaining == 0 || self.dropping
    }

    /// The server has answered everything, and nothing was sent that a `Sync` has to follow: it
    /// could serve another session, if its [status](Self::status) allows that.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.remaining == 0 && self.pipeline.is_empty() && !self.pipeline.is_unsynced()
    }

    /// The server waits for the data of a COPY.
    #[must_use]
    pub fn waits_for_data(&self) -> bool {
        self.pipeline.waits_for_data()
    }

    /// Behind an error, the server passes over everything up to a `Sync`, which was not sent yet.
    #[must_use]
    pub fn is_skipping(&self) -> bool {
        self.pipeline.is_skipping()
    }

    /// Something was sent to the server since the last `Sync`: what is ours to answer is not.
    #[must_use]
    pub fn waits_for_sync(&self) -> bool {
        self.pipeline.waits_for_sync()
    }

    /// Something was sent that a `Sync` has to follow.
    #[must_use]
    pub fn is_unsynced(&self) -> bool {
        self.pipeline.is_unsynced()
    }

    /// Of the last `ReadyForQuery`.
    #[must_use]
    pub fn status(&self) -> TransactionStatus {
        self.status
    }

    /// What was said since this was asked last.
    pub fn take_summary(&mut self) -> Summary {
        std::mem::take(&mut self.summary)
    }

    /// Settings that the server has told since this was asked last. Ask after each scan: there is a
    /// limit to how many are kept.
    #[must_use]
    pub fn take_changes(&mut self) -> Parameters {
        std::mem::take(&mut self.changes)
    }

    /// Skips the rows, or the data of a COPY, that lie whole in the bytes: the inner loop of a large
    /// result.
    fn bulk(&mut self, bytes: &[u8]) -> usize {
        let Some(tag) = self.pipeline.bulk() else { return 0 };
        let (mut at, mut count) = (0, 0);
        while let Some(header) = bytes[at..].first_chunk()
            && header[0] == tag
            && let Ok(Header { len, .. }) = Header::decode(*header)
            && len <= bytes.len() - at - HEADER_LEN
        {
            at += HEADER_LEN + len;
            count += 1;
        }
        if tag == backend::DATA_ROW {
            self.summary.rows += count;
        }
        at
    }

    /// Takes the message at the start of the bytes, if enough of it has come to know it. An error is
    /// told at first, and taken the next time.
    fn message(&mut self, bytes: &[u8]) -> Result<Found, Violation> {
        let Some((header, body)) = bytes.split_first_chunk() else { return Ok(Found::Part) };
        let header = Header::decode(*header)?;
        let Some(head) = body.get(..head_len(header)?) else { return Ok(Found::Part) };
        if header.tag == backend::ERROR_RESPONSE && !std::mem::replace(&mut self.error_told, true) {
            let error = sqlstate_of(head);
            self.summary.error = Some(error);
            return Ok(Found::Error(error));
        }
        self.error_told = false;
        let answer = self.take(header.tag, head)?;
        self.dropping = answer == Answer::Drop || std::mem::take(&mut self.drops_error);
        self.remaining = HEADER_LEN + header.len;
        Ok(Found::Taken)
    }

    fn take(&mut self, tag: u8, head: &[u8]) -> Result<Answer, Violation> {
        match tag {
            // These are no answers; they come at any time.
            backend::NOTIFICATION_RESPONSE => return Ok(Answer::Forward),
            backend::NOTICE_RESPONSE | backend::PARAMETER_STATUS => {
                if tag == backend::PARAMETER_STATUS {
                    self.changes.set(&ParameterStatus::decode(head)?)?;
                }
                let dropped = self.pipeline.is_dropped();
                return Ok(if dropped { Answer::Drop } else { Answer::Forward });
            }
            _ => {}
        }
        let answer = self.pipeline.reply(tag)?;
        match tag {
            backend::DATA_ROW => self.summary.rows += 1,
            backend::COMMAND_COMPLETE => {
                let changed = CommandComplete::decode(head)?.changed_rows();
                self.summary.changed = self.summary.changed.saturating_add(changed);
            }
            backend::READY_FOR_QUERY => {
                self.status = ReadyForQuery::decode(head)?.0;
                self.stop = Some(Reached::Ready);
            }
            backend::COPY_IN_RESPONSE if self.pipeline.waits_for_data() => {
                self.stop = Some(Reached::CopyIn);
            }
            backend::COPY_BOTH_RESPONSE => self.stop = Some(Reached::CopyBoth),
            _ => {}
        }
        Ok(answer)
    }
}

/// Bytes of the payload that have to be seen.
fn head_len(Header { tag, len }: Header) -> Result<usize, Violation> {
    let max = match tag {
        backend::ERROR_RESPONSE => return Ok(len.min(ERROR_HEAD)),
        backend::READY_FOR_QUERY | backend::COMMAND_COMPLETE => COMMAND_MAX,
        backend::PARAMETER_STATUS => STATUS_MAX,
        _ => return Ok(0),
    };
    if len > max {
        let (len, max) = (len as u64, max as u64);
        return Err(Violation::TooLong { what: "message to be seen whole", len, max });
    }
    Ok(len)
}
