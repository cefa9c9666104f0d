#![no_main]

use tidegate_fuzz::mysql::decoders::err;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    err(data);
});
