#![no_main]

use tidegate_fuzz::mysql::decoders::prepare_ok;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    prepare_ok(data);
});
