#![no_main]

use tidegate_fuzz::mysql::decoders::greeting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    greeting(data);
});
