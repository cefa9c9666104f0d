#![no_main]

use tidegate_fuzz::mysql::decoders::handshake_response;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    handshake_response(data);
});
