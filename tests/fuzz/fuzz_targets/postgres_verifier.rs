#![no_main]

use tidegate_fuzz::postgres::decoders::verifier;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    verifier(data);
});
