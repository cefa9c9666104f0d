//! Tells in one pass over a text which of many patterns cannot match it.
//!
//! Of each pattern, strings are found of which every match holds at least one. All strings of all
//! patterns are then looked for at once, and only patterns whose strings are there are tried.

use aho_corasick::AhoCorasick;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Shorter strings are in most texts, and more of them in one pattern rule little out.
const LENGTH_MIN: usize = 3;
const STRINGS_MAX: usize = 16;

/// The strings of a list of patterns.
#[derive(Debug)]
pub(crate) struct Prefilter {
    strings: Option<AhoCorasick>,
    /// Whose string it is, by the number of the string.
    owners: Vec<usize>,
    /// By the number of the pattern: nothing rules it out.
    unknown: Vec<bool>,
}

impl Prefilter {
    /// Of patterns, and whether each is compared without regard to case; `None` counts, but is not one.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = Option<(&'a str, bool)>>) -> Self {
        let (mut strings, mut owners, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (number, pattern) in patterns.into_iter().enumerate() {
            let of_one = pattern.and_then(|(pattern, caseless)| strings_of(pattern, caseless));
            unknown.push(of_one.is_none());
            for string in of_one.into_iter().flatten() {
                strings.push(string);
                owners.push(number);
            }
        }
        let search = AhoCorasick::builder().ascii_case_insensitive(true).build(strings);
        match search {
            Ok(search) => Self { strings: Some(search), owners, unknown },
            // There are too many: then nothing is ruled out.
            Err(_) => Self { strings: None, owners, unknown: vec![true; unknown.len()] },
        }
    }

    /// By the number of the pattern: might it match?
    pub(crate) fn possible(&self, text: &str) -> Vec<bool> {
        let mut possible = self.unknown.clone();
        match &self.strings {
            // Some letters beyond ASCII are the same as ASCII letters but for their case.
            _ if !text.is_ascii() => possible.fill(true),
            None => {}
            Some(strings) => {
                for found in strings.find_overlapping_iter(text) {
                    let owner = self.owners.get(found.pattern().as_usize());
                    if let Some(possible) = owner.and_then(|owner| possible.get_mut(*owner)) {
                        *possible = true;
                    }
                }
            }
        }
        possible
    }
}

/// Strings of which every match holds one, without regard to the case of ASCII letters.
fn strings_of(pattern: &str, caseless: bool) -> Option<Vec<String>> {
    let hir = ParserBuilder::new().case_insensitive(caseless).build().parse(pattern).ok()?;
    required(&hir).filter(|strings| worth(strings) >= LENGTH_MIN && strings.len() <= STRINGS_MAX)
}

/// The shortest decides: it is found most often.
fn worth(strings: &[String]) -> usize {
    strings.iter().map(String::len).min().unwrap_or(0)
}

fn required(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => None,
        HirKind::Literal(_) | HirKind::Class(_) => fixed(hir).map(|string| vec![string]),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Repetition(_) => None,
        HirKind::Concat(parts) => required_in_row(parts),
        HirKind::Alternation(parts) => {
            let each: Option<Vec<_>> = parts.iter().map(required).collect();
            each.map(|each| each.concat())
        }
    }
}

/// The best of what the parts require, where neighbours with fixed texts are one.
fn required_in_row(parts: &[Hir]) -> Option<Vec<String>> {
    let (mut best, mut row) = (None::<Vec<String>>, String::new());
    let mut offer = |strings: Vec<String>| {
        if best.as_deref().is_none_or(|best| worth(&strings) > worth(best)) {
            best = Some(strings);
        }
    };
    for part in parts {
        if let Some(string) = fixed(part) {
            row.push_str(&string);
            continue;
        }
        offer(vec![std::mem::take(&mut row)]);
        required(part).into_iter().for_each(&mut offer);
    }
    offer(vec![row]);
    best
}

/// The one text that it matches, but for case.
fn fixed(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => str::from_utf8(&literal.0).ok().map(str::to_owned),
        HirKind::Class(Class::Unicode(class)) => {
            let mut letters = class.iter().flat_map(|range| range.start()..=range.end()).map(fold);
            let first = letters.next()?.filter(char::is_ascii)?;
            // A class of more letters ends this soon.
            letters.all(|letter| letter == Some(first)).then(|| first.to_string())
        }
        _ => None,
    }
}

/// The lower-case ASCII letter that it is a form of, or itself where it is in ASCII.
fn fold(letter: char) -> Option<char> {
    match letter {
        '\u{212a}' => Some('k'),
        '\u{17f}' => Some('s'),
        ascii if ascii.is_ascii() => Some(ascii.to_ascii_lowercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(pattern: &str) -> Option<Vec<String>> {
        strings_of(pattern, true)
    }

    #[test]
    fn the_longest_string_of_a_pattern_is_taken() {
        let one = |string: &str| Some(vec![string.to_owned()]);
        assert_eq!(strings("^SELECT .*FROM orders"), one("from orders"));
        assert_eq!(strings("^select"), one("select"));
        assert_eq!(strings("(?s)^(?:\\s|/\\*.*?\\*/)*SELECT\\b.*\\bFROM\\b"), one("select"));
        assert_eq!(strings("sk[sk]+ask"), one("ask"));
        assert_eq!(strings("(orders)+"), one("orders"));
        assert_eq!(strings("(?:orders){2,3}"), one("orders"));
    }

    #[test]
    fn each_branch_has_its_own() {
        let found = strings("^(INSERT|UPDATE|DELETE) ").unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(strings("orders|x.*"), None);
        assert_eq!(strings("orders|"), None);
    }

    #[test]
    fn where_nothing_is_required_nothing_is_ruled_out() {
        for pattern in ["", ".*", "^$", "[a-z]+", "(orders)?", "(orders)*", "ab", "\\d{10}", "[^o]"]
        {
            assert_eq!(strings(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn patterns_without_their_strings_are_ruled_out() {
        let patterns = ["^SELECT", "FOR UPDATE$", "[0-9]+", "orders|users"];
        let mut list: Vec<_> = patterns.into_iter().map(|pattern| Some((pattern, true))).collect();
        list.insert(1, None);
        let prefilter = Prefilter::new(list);
        let possible = |text| prefilter.possible(text);
        assert_eq!(possible("select 1"), [true, true, false, true, false]);
        assert_eq!(possible("SELECT a FROM USERS FOR UPDATE"), [true; 5]);
        assert_eq!(possible("BEGIN"), [false, true, false, true, false]);
        assert_eq!(possible("\u{17f}elect"), [true; 5]);
    }

    /// Whatever matches must be possible: over patterns and texts made of the same few pieces.
    #[test]
    fn what_matches_is_never_ruled_out() {
        let pieces = [
            "select",
            "(?:a|bc|orders)",
            ".*",
            "[sk]",
            "from",
            "x?",
            "(?-i:From)",
            "\\s+",
            "\u{212a}",
        ];
        let texts =
            ["select", "bc", " ", "s", "FROM", "x", "From", "\n", "\u{212a}", "\u{17f}", "orders"];
        let mut seed = 7_u64;
        let mut next = |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below
        };
        let mut matched = 0;
        for _ in 0..500 {
            let pattern: String = (0..=next(4)).map(|_| pieces[next(pieces.len())]).collect();
            let text: String = (0..=next(5)).map(|_| texts[next(texts.len())]).collect();
            let regex = regex::RegexBuilder::new(&pattern).case_insensitive(true).build().unwrap();
            if regex.is_match(&text) {
                matched += 1;
                let possible = Prefilter::new([Some((pattern.as_str(), true))]).possible(&text);
                assert_eq!(possible, [true], "{pattern} in {text}");
            }
        }
        assert!(matched > 40, "{matched}");
    }
}
