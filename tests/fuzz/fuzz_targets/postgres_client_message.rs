#![no_main]

use tidegate_fuzz::postgres::decoders::client_message;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    client_message(data);
});
