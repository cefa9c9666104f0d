#![no_main]

use tidegate_fuzz::mysql::machines::relay_scanner;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    relay_scanner(data);
});
