#![no_main]

use tidegate_fuzz::mysql::decoders::gtid_set;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gtid_set(data);
});
