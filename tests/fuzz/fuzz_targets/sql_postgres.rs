#![no_main]

use tidegate_fuzz::sql::postgresql;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    postgresql(data);
});
