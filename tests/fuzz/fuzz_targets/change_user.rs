#![no_main]

use tidegate_fuzz::mysql::decoders::change_user;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    change_user(data);
});
