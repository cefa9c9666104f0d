#![no_main]

use tidegate_fuzz::postgres::decoders::userlist;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    userlist(data);
});
