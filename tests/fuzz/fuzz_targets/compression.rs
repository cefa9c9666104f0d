#![no_main]

use tidegate_fuzz::machines::compression;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    compression(data);
});
