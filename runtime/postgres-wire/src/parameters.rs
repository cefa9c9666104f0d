//! Settings of a session that its server tells.

use std::fmt;

use tidegate_wire::Violation;

use crate::message::ParameterStatus;

/// Names and values are no longer than this, all together, in bytes. A server has some twenty.
const BYTES_MAX: usize = 64 << 10;

/// The last value of each setting, in the order in which they were first told.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(Vec<u8>, Vec<u8>)>);

impl Parameters {
    /// Takes note of a value.
    ///
    /// # Errors
    /// A violation if there are more of them than makes sense.
    pub fn set(&mut self, status: &ParameterStatus<'_>) -> Result<(), Violation> {
        let ParameterStatus { name, value } = *status;
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.0.push((name.to_vec(), value.to_vec())),
        }
        let len: usize = self.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        match len > BYTES_MAX {
            false => Ok(()),
            true => {
                let (len, max) = (len as u64, BYTES_MAX as u64);
                Err(Violation::TooLong { what: "what a server tells of its settings", len, max })
            }
        }
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| known == name.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }

    pub fn iter(&self) -> impl Iterator<Item = ParameterStatus<'_>> {
        self.0.iter().map(|(name, value)| ParameterStatus { name, value })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let entries = self.0.iter().map(|(name, value)| (shown(name), shown(value)));
        f.debug_map().entries(entries).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts() {
        let mut parameters = Parameters::default();
        for (name, value) in [("TimeZone", "UTC"), ("DateStyle", "ISO"), ("TimeZone", "CET")] {
            let status = ParameterStatus { name: name.as_bytes(), value: value.as_bytes() };
            parameters.set(&status).unwrap();
        }
        assert_eq!(parameters.get("TimeZone"), Some(&b"CET"[..]));
        assert_eq!(parameters.get("timezone"), None);
        assert_eq!(format!("{parameters:?}"), r#"{"TimeZone": "CET", "DateStyle": "ISO"}"#);
        let names: Vec<_> = parameters.iter().map(|status| status.name).collect();
        assert_eq!(names, [&b"TimeZone"[..], b"DateStyle"]);
    }

    #[test]
    fn a_server_cannot_fill_the_memory() {
        let mut parameters = Parameters::default();
        let set = |parameters: &mut Parameters, number: u32| {
            let name = format!("name{number}");
            parameters.set(&ParameterStatus { name: name.as_bytes(), value: &[b'x'; 1000] })
        };
        assert!((0..60).all(|number| set(&mut parameters, number).is_ok()));
        assert!((0..60).all(|number| set(&mut parameters, number).is_ok()), "the same again");
        assert!((60..70).any(|number| set(&mut parameters, number).is_err()));
    }
}
