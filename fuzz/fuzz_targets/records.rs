//! Keys and values of the internal topics, and the consumer protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| milena_fuzz::records(data));
