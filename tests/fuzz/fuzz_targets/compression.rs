#![no_main]

use tidegate_fuzz::mysql::machines::compression;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    compression(data);
});
