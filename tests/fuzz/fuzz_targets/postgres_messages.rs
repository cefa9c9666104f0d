#![no_main]

use tidegate_fuzz::postgres::machines::messages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    messages(data);
});
