//! A client's connection, with replies read to their end. Every column of a prepared statement must
//! be a string.

use std::io;

use tidegate_tests::raw::{Frame, RawClient};

pub(super) const IN_TRANSACTION: u16 = 1;
pub(super) const AUTOCOMMIT: u16 = 2;
const MORE_RESULTS: u16 = 8;
pub(super) const CURSOR_EXISTS: u16 = 64;
pub(super) const LAST_ROW_SENT: u16 = 128;

pub(super) type Row = Vec<Option<String>>;

/// What one statement was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ok { affected: u64, insert_id: u64, status: u16, warnings: u16 },
    Rows { rows: Vec<Row>, status: u16, warnings: u16 },
    Error { code: u16, message: String },
}

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Binary,
}

#[derive(Debug)]
pub(super) struct Wire {
    raw: Option<RawClient>,
    /// The number by which others can kill it.
    pub(super) id: u32,
}

impl Wire {
    pub(super) fn login(port: u16, user: &str) -> io::Result<Self> {
        let raw = RawClient::login(port, user)?;
        let version = raw.greeting.iter().position(|byte| *byte == 0).unwrap_or(0);
        let mut id = Bytes(&raw.greeting[version + 1..]);
        let id = id.number(4)?.try_into().map_err(io::Error::other)?;
        Ok(Self { raw: Some(raw), id })
    }

    /// Ends the connection without a word.
    pub(super) fn close(&mut self) {
        self.raw = None;
    }

    fn raw(&mut self) -> io::Result<&mut RawClient> {
        self.raw.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Sends a command and reads all that it is answered.
    pub(super) fn command(&mut self, code: u8, body: &[u8]) -> io::Result<Vec<Answer>> {
        self.send(code, body)?;
        self.answers(Form::Text)
    }

    /// Executes a prepared statement. `types`: say of which type the parameters are.
    pub(super) fn execute(
        &mut self,
        statement: u32,
        cursor: bool,
        parameters: &[Option<&str>],
        types: bool,
    ) -> io::Result<Vec<Answer>> {
        let mut body = statement.to_le_bytes().to_vec();
        body.push(u8::from(cursor));
        body.extend(1_u32.to_le_bytes());
        if !parameters.is_empty() {
            // What was sent as long data is left out, and is not NULL.
            body.extend(vec![0; parameters.len().div_ceil(8)]);
            body.push(u8::from(types));
            if types {
                parameters.iter().for_each(|_| body.extend([253, 0]));
            }
            for parameter in parameters.iter().flatten() {
                body.push(u8::try_from(parameter.len()).map_err(io::Error::other)?);
                body.extend(parameter.as_bytes());
            }
        }
        self.send(0x17, &body)?;
        self.answers(Form::Binary)
    }

    /// Logs in anew on the same connection, without a password.
    pub(super) fn change_user(&mut self, user: &str, database: &str) -> io::Result<Vec<Answer>> {
        const UTF8MB4: u8 = 45;
        let mut body = [user.as_bytes(), b"\0\0", database.as_bytes(), b"\0"].concat();
        body.extend([UTF8MB4, 0]);
        body.extend(b"mysql_native_password\0");
        self.send(0x11, &body)?;
        let mut first = self.raw()?.read()?;
        if first.payload.first() == Some(&0xfe) {
            self.raw()?.send(first.sequence + 1, b"")?;
            first = self.raw()?.read()?;
        }
        Ok(vec![finished(&first)?])
    }

    /// Prepares a statement: its number, or the error.
    pub(super) fn prepare(&mut self, text: &str) -> io::Result<Result<u32, Answer>> {
        self.send(0x16, text.as_bytes())?;
        let mut sequence = 1;
        let first = self.frame(&mut sequence)?;
        if let Some(error) = error(&first) {
            return Ok(Err(error));
        }
        let mut bytes = Bytes(&first.payload[1..]);
        let id = u32::try_from(bytes.number(4)?).map_err(io::Error::other)?;
        for _ in 0..2 {
            if bytes.number(2)? > 0
                && let Err(error) = self.definitions(&mut sequence)?
            {
                return Ok(Err(error));
            }
        }
        Ok(Ok(id))
    }

    /// Fetches so many rows of a cursor.
    pub(super) fn fetch(
        &mut self,
        statement: u32,
        columns: usize,
        rows: u32,
    ) -> io::Result<Answer> {
        self.send(0x1c, &[statement.to_le_bytes(), rows.to_le_bytes()].concat())?;
        self.rows(columns, Form::Binary, &mut 1)
    }

    /// Sends a command, and reads nothing.
    pub(super) fn send(&mut self, code: u8, body: &[u8]) -> io::Result<()> {
        self.raw()?.command(code, body)
    }

    /// Sends bytes that are no whole command.
    pub(super) fn send_part(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.raw()?.send_bytes(bytes)
    }

    /// Reads a few frames, wherever in a reply that leads; an error is its end.
    pub(super) fn read_some(&mut self, frames: usize) -> io::Result<()> {
        for _ in 0..frames {
            if self.raw()?.read()?.error_code().is_some() {
                break;
            }
        }
        Ok(())
    }

    fn answers(&mut self, form: Form) -> io::Result<Vec<Answer>> {
        let (mut answers, mut sequence) = (Vec::new(), 1);
        loop {
            let answer = self.answer(form, &mut sequence)?;
            let more = matches!(&answer, Answer::Ok { status, .. } | Answer::Rows { status, .. }
                if status & MORE_RESULTS != 0);
            answers.push(answer);
            if !more {
                return Ok(answers);
            }
        }
    }

    fn answer(&mut self, form: Form, sequence: &mut u8) -> io::Result<Answer> {
        let first = self.frame(sequence)?;
        if first.is_ok() || first.error_code().is_some() {
            return finished(&first);
        }
        let columns = Bytes(&first.payload).length()?;
        let status = match self.definitions(sequence)? {
            Ok(status) => status,
            Err(error) => return Ok(error),
        };
        if status & CURSOR_EXISTS != 0 {
            return Ok(Answer::Rows { rows: Vec::new(), status, warnings: 0 });
        }
        self.rows(usize::try_from(columns).map_err(io::Error::other)?, form, sequence)
    }

    /// Definitions of columns or parameters, and the status behind them; a server that is hit may
    /// answer an error in their place.
    fn definitions(&mut self, sequence: &mut u8) -> io::Result<Result<u16, Answer>> {
        loop {
            let frame = self.frame(sequence)?;
            if let Some(error) = error(&frame) {
                return Ok(Err(error));
            }
            if let Some((_, status)) = end(&frame)? {
                return Ok(Ok(status));
            }
        }
    }

    fn rows(&mut self, columns: usize, form: Form, sequence: &mut u8) -> io::Result<Answer> {
        let mut rows = Vec::new();
        loop {
            let frame = self.frame(sequence)?;
            if let Some(error) = error(&frame) {
                return Ok(error);
            }
            if let Some((warnings, status)) = end(&frame)? {
                return Ok(Answer::Rows { rows, status, warnings });
            }
            rows.push(row(&frame.payload, columns, form)?);
        }
    }

    /// The next frame of a reply, which must have the next number.
    fn frame(&mut self, sequence: &mut u8) -> io::Result<Frame> {
        let frame = self.raw()?.read()?;
        // A farewell that was said before the command was heard.
        let unasked = *sequence == 1 && frame.sequence == 0 && frame.error_code().is_some();
        if frame.sequence != *sequence && !unasked {
            let message = format!("frame {} where {sequence} must come: {frame:?}", frame.sequence);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        *sequence = sequence.wrapping_add(1);
        Ok(frame)
    }
}

fn row(payload: &[u8], columns: usize, form: Form) -> io::Result<Row> {
    if form == Form::Text {
        let mut bytes = Bytes(payload);
        return (0..columns).map(|_| bytes.text()).collect();
    }
    let nulls = (columns + 2).div_ceil(8);
    let bitmap = payload.get(1..=nulls).ok_or(io::ErrorKind::InvalidData)?;
    let mut bytes = Bytes(&payload[1 + nulls..]);
    let is_null = |column: usize| bitmap[(column + 2) / 8] >> ((column + 2) % 8) & 1 == 1;
    (0..columns).map(|column| if is_null(column) { Ok(None) } else { bytes.text() }).collect()
}

/// An answer without rows.
fn finished(frame: &Frame) -> io::Result<Answer> {
    if let Some(error) = error(frame) {
        return Ok(error);
    }
    let mut bytes = Bytes(&frame.payload[1..]);
    let (affected, insert_id) = (bytes.length()?, bytes.length()?);
    let (status, warnings) = (bytes.short()?, bytes.short()?);
    Ok(Answer::Ok { affected, insert_id, status, warnings })
}

fn error(frame: &Frame) -> Option<Answer> {
    let code = frame.error_code()?;
    let message = String::from_utf8_lossy(frame.payload.get(9..).unwrap_or_default()).into_owned();
    Some(Answer::Error { code, message })
}

/// Warnings and status of an EOF packet.
fn end(frame: &Frame) -> io::Result<Option<(u16, u16)>> {
    if frame.payload.first() != Some(&0xfe) || frame.payload.len() > 8 {
        return Ok(None);
    }
    let mut bytes = Bytes(&frame.payload[1..]);
    Ok(Some((bytes.short()?, bytes.short()?)))
}

/// Reads what the protocol writes.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(io::ErrorKind::InvalidData)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> io::Result<u64> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn short(&mut self) -> io::Result<u16> {
        u16::try_from(self.number(2)?).map_err(io::Error::other)
    }

    fn length(&mut self) -> io::Result<u64> {
        match self.number(1)? {
            0xfc => self.number(2),
            0xfd => self.number(3),
            0xfe => self.number(8),
            short => Ok(short),
        }
    }

    fn text(&mut self) -> io::Result<Option<String>> {
        if self.0.first() == Some(&0xfb) {
            return self.take(1).map(|_| None);
        }
        let length = usize::try_from(self.length()?).map_err(io::Error::other)?;
        Ok(Some(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }
}
