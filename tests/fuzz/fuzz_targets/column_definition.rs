#![no_main]

use tidegate_fuzz::mysql::decoders::column_definition;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    column_definition(data);
});
