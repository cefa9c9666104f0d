#![no_main]

use tidegate_fuzz::mysql::decoders::ssl_request;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    ssl_request(data);
});
