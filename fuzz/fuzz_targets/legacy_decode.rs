//! Requests of the `message.send` dialect: no input panics; what is accepted can be said again and then says the same; what is refused
//! is refused in JSON.
#![no_main]

use dify_a2a::edge::legacy::Legacy;
use libfuzzer_sys::fuzz_target;
use support::dialect::{Subject, read};

const SUBJECT: Subject = Subject {
    dialect: &Legacy,
    params: |message| format!(r#"{{"messages":[{message}]}}"#),
    max_page: 1000,
    deepens: false,
};

fuzz_target!(|data: &[u8]| read(SUBJECT, data));
