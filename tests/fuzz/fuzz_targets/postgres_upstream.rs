#![no_main]

use tidegate_fuzz::postgres::machines::upstream;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    upstream(data);
});
