#![no_main]

use tidegate_fuzz::postgres::machines::upload;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    upload(data);
});
