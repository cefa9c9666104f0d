#![no_main]

use tidegate_fuzz::mysql::decoders::query_attributes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    query_attributes(data);
});
