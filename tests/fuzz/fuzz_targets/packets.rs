#![no_main]

use tidegate_fuzz::mysql::machines::packets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    packets(data);
});
