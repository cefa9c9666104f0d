#![no_main]

use tidegate_fuzz::postgres::machines::scanner;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    scanner(data);
});
