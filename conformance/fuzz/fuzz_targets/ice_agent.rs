#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weft_conformance::fuzz::run("ice_agent", data));
