//! A function to try, and what such functions share.

/// A function to try, and data that it understands.
pub struct Target {
    /// Also the name of the file in `fuzz_targets/`.
    pub name: &'static str,
    /// Tells whether it has understood the data.
    pub run: fn(&[u8]) -> bool,
    pub seeds: &'static [&'static [u8]],
}

/// The first byte, which chooses a setting, and the rest; 0 and nothing if there is none.
pub fn split_first(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

pub fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
