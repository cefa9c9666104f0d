#![no_main]

use tidegate_fuzz::mysql::decoders::ok;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    ok(data);
});
