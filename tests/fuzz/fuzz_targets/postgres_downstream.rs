#![no_main]

use tidegate_fuzz::postgres::machines::downstream;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    downstream(data);
});
