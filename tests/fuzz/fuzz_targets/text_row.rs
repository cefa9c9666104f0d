#![no_main]

use tidegate_fuzz::decoders::text_row;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    text_row(data);
});
