#![no_main]

use tidegate_fuzz::postgres::decoders::server_message;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    server_message(data);
});
