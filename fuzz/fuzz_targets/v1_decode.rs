//! Requests of A2A 1.0: no input panics; what is accepted can be said again and then says the same; what is refused
//! is refused in JSON.
#![no_main]

use dify_a2a::edge::a2a_v1::V1;
use libfuzzer_sys::fuzz_target;
use support::dialect::{Subject, read};

const SUBJECT: Subject = Subject {
    dialect: &V1,
    params: |message| format!(r#"{{"message":{message}}}"#),
    max_page: 100,
    deepens: false,
};

fuzz_target!(|data: &[u8]| read(SUBJECT, data));
