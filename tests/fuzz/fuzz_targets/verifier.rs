#![no_main]

use tidegate_fuzz::mysql::decoders::verifier;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    verifier(data);
});
