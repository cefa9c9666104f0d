#![no_main]

use tidegate_fuzz::mysql::decoders::text_row;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    text_row(data);
});
