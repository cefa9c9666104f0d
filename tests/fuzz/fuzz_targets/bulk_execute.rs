#![no_main]

use tidegate_fuzz::mysql::decoders::bulk_execute;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bulk_execute(data);
});
