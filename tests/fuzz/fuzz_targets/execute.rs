#![no_main]

use tidegate_fuzz::mysql::decoders::execute;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    execute(data);
});
