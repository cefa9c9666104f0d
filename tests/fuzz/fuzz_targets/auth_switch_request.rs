#![no_main]

use tidegate_fuzz::mysql::decoders::auth_switch_request;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    auth_switch_request(data);
});
