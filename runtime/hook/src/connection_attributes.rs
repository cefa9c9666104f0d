//! What a client has said about itself when it logged in.

use std::fmt;

/// No more attributes of a client than this are kept, nor more bytes of them with their lengths; what
/// is over is passed over, as servers do.
const ATTRIBUTES_MAX: usize = 32;
const BYTES_MAX: usize = 4096;

/// Names and values, in one piece of memory: an idle session pays for little more than their bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionAttributes {
    /// For each attribute the length of its name and of its value, and then both.
    packed: Box<[u8]>,
}

const LENGTH: usize = size_of::<u16>();

impl ConnectionAttributes {
    /// The value of the first attribute of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// All of them, in the order in which the client gave them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &*self.packed;
        std::iter::from_fn(move || Some((take(&mut rest)?, take(&mut rest)?)))
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (length, behind) = rest.split_first_chunk::<LENGTH>()?;
    let (text, behind) = behind.split_at_checked(u16::from_le_bytes(*length).into())?;
    *rest = behind;
    str::from_utf8(text).ok()
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for ConnectionAttributes {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(attributes: I) -> Self {
        let mut packed = Vec::new();
        let mut kept = 0;
        for (key, value) in attributes {
            let texts = [key.as_ref(), value.as_ref()];
            let length: usize = texts.iter().map(|text| LENGTH + text.len()).sum();
            if kept == ATTRIBUTES_MAX || packed.len() + length > BYTES_MAX {
                continue;
            }
            kept += 1;
            for text in texts {
                // No text is longer than all may be together, which fits.
                let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
                packed.extend_from_slice(&length.to_le_bytes());
                packed.extend_from_slice(text.as_bytes());
            }
        }
        Self { packed: packed.into_boxed_slice() }
    }
}

impl fmt::Debug for ConnectionAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_under_its_name() {
        let said = [("program_name", "shop"), ("_pid", ""), ("", "nameless"), ("_pid", "7")];
        let attributes: ConnectionAttributes = said.into_iter().collect();
        assert!(attributes.iter().eq(said));
        assert_eq!(attributes.get("program_name"), Some("shop"));
        assert_eq!(attributes.get("_pid"), Some(""));
        assert_eq!(attributes.get(""), Some("nameless"));
        assert_eq!(attributes.get("program"), None);
        assert_eq!(ConnectionAttributes::default().get(""), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many = (0..100).map(|n| (n.to_string(), "v"));
        assert_eq!(many.collect::<ConnectionAttributes>().iter().count(), ATTRIBUTES_MAX);
        let long = "x".repeat(BYTES_MAX - 2 * LENGTH - 1);
        let said = [("l", long.as_str()), ("k", "v"), ("m", "")];
        let kept: ConnectionAttributes = said.into_iter().collect();
        assert!(kept.iter().eq([("l", long.as_str())]));
        let longer = format!("{long}x");
        let kept: ConnectionAttributes = [("l", longer.as_str()), ("k", "v")].into_iter().collect();
        assert!(kept.iter().eq([("k", "v")]));
    }
}
