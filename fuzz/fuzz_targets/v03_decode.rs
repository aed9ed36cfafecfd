//! Requests of A2A 0.3: no input panics; what is accepted can be said again and then says the same; what is refused
//! is refused in JSON.
#![no_main]

use dify_a2a::edge::a2a_v03::V03;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|data: &[u8]| support::dialect::read(&V03, data, |message| json!({ "message": message })));
