//! Responses of every API, as a broker reads them from another.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| milena_fuzz::response(data));
