//! `statement`: the bytes of the statement in hand, and what is attached to it.

use crate::bindings::tidegate::plugin::{sql_types, statement, types};
use crate::state::State;

impl types::Host for State {}
impl sql_types::Host for State {}

impl statement::Host for State {
    fn bytes(&mut self, offset: u64, length: u32) -> wasmtime::Result<Vec<u8>> {
        Ok(part(&self.statement, offset, length).to_vec())
    }

    fn attribute(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let found = self.attributes.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, value)| value.clone()))
    }
}

/// What there is of the wanted bytes.
fn part(bytes: &[u8], offset: u64, length: u32) -> &[u8] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let end = start.saturating_add(length).min(bytes.len());
    bytes.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn beyond_the_end_there_is_nothing() {
        assert_eq!(part(b"select", 2, 3), b"lec");
        assert_eq!(part(b"select", 4, 100), b"ct");
        assert_eq!(part(b"select", 6, 1), b"");
        assert_eq!(part(b"select", u64::MAX, u32::MAX), b"");
    }
}
