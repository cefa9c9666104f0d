#![no_main]

use tidegate_fuzz::mysql::decoders::session_changes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    session_changes(data);
});
