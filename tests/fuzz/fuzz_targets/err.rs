#![no_main]

use tidegate_fuzz::decoders::err;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    err(data);
});
