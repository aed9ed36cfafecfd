//! Requests of the `message.send` dialect: no input panics; what is accepted can be said again and then says the
//! same; what is refused is refused in JSON.
#![no_main]

use dify_a2a::edge::legacy::Legacy;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|data: &[u8]| support::dialect::read(&Legacy, data, |message| json!({ "messages": [message] })));
