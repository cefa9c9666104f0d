#![no_main]

use tidegate_fuzz::mysql::decoders::auth_more_data;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    auth_more_data(data);
});
