//! Everything end to end, in one binary: one link, and one pair of servers for all who share it.

mod harness;
