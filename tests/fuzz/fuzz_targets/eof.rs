#![no_main]

use tidegate_fuzz::mysql::decoders::eof;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    eof(data);
});
