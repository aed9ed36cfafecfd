//! Requests of A2A 0.3: no input panics; what is accepted can be said again and then says the same; what is refused
//! is refused in JSON.
#![no_main]

use dify_a2a::edge::a2a_v03::V03;
use libfuzzer_sys::fuzz_target;
use support::dialect::{Subject, read};

const SUBJECT: Subject = Subject {
    dialect: &V03,
    params: |message| format!(r#"{{"message":{message}}}"#),
    max_page: 100,
    deepens: false,
};

fuzz_target!(|data: &[u8]| read(SUBJECT, data));
