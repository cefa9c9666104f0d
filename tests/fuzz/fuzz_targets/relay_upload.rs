#![no_main]

use tidegate_fuzz::mysql::machines::relay_upload;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    relay_upload(data);
});
