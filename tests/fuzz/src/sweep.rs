//! Trying targets over their seeds, and over mutations of them that are the same in every run.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::{fs, io};

use crate::target::Target;

/// Tries as many mutations of a target's seeds as `count` says.
pub fn mutations_break_no_law(targets: &[Target], count: impl Fn(&Target) -> u32) {
    for target in targets {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..count(target) {
            run(target, &mutated(target.seeds, &mut random));
        }
    }
}

pub fn every_seed_is_understood(targets: &[Target]) {
    for target in targets {
        for seed in target.seeds {
            assert!(run(target, seed), "{} refuses b\"{}\"", target.name, seed.escape_ascii());
        }
    }
}

pub fn every_prefix_of_a_seed_breaks_no_law(targets: &[Target]) {
    for target in targets {
        for seed in target.seeds {
            for len in 0..seed.len() {
                run(target, &seed[..len]);
            }
        }
    }
}

/// Each has a file in `folder` and a place in its manifest; and of the files whose names `belong`
/// here, none is left over.
pub fn every_target_has_its_file(
    targets: &[Target],
    folder: &Path,
    belong: fn(&str) -> bool,
) -> io::Result<()> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
    let mut files = BTreeSet::new();
    for file in fs::read_dir(folder.join("fuzz_targets"))? {
        let path = file?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if belong(&name) {
            files.insert(name.into_owned());
        }
    }
    let names: BTreeSet<String> = targets.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(files, names);
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is in the manifest");
    }
    Ok(())
}

fn run(target: &Target, data: &[u8]) -> bool {
    let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(data)));
    assert!(ran.is_ok(), "{} fails for b\"{}\"", target.name, data.escape_ascii());
    ran.unwrap_or_default()
}

/// A seed with a few bytes changed, dropped, added, repeated, or taken from another seed.
fn mutated(seeds: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() + 1);
        match random.below(6) {
            0 => data.truncate(at),
            1 => data.insert(at, random.byte()),
            2 => drop(data.splice(at..at, seeds[random.below(seeds.len())].iter().copied())),
            3 => drop(data.drain(at..(at + random.below(8)).min(data.len()))),
            _ => {
                if let Some(byte) = data.get_mut(at) {
                    *byte = random.byte();
                }
            }
        }
    }
    data
}

/// Xorshift: not random at all, and that is why a failure comes back.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Less than `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("less than a usize")
    }

    /// Often one of those that mean something.
    fn byte(&mut self) -> u8 {
        let [byte, choice, ..] = self.next().to_le_bytes();
        match choice % 16 {
            0 => 0,
            1 => 0xff,
            2 => 0xfe,
            3 => 0xfb,
            4 => 0xfc,
            5 => 1,
            6 => 0x80,
            _ => byte,
        }
    }
}
