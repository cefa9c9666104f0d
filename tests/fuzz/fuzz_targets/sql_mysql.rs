#![no_main]

use tidegate_fuzz::sql::mysql;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mysql(data);
});
