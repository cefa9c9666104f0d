#![no_main]

use tidegate_fuzz::mysql::decoders::lenenc;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    lenenc(data);
});
