#![no_main]

use tidegate_fuzz::postgres::decoders::startup_packet;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    startup_packet(data);
});
