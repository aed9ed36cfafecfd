//! Requests of A2A 0.3 over HTTP+JSON, from clients that write files once and from those that write them twice: no input
//! panics; what is accepted can be said again and then says the same; what is refused is refused in JSON.
#![no_main]

use dify_a2a::edge::a2a_v03_http::{Once, Twice, V03Http};
use libfuzzer_sys::fuzz_target;
use support::dialect::{Subject, read};

const ONCE: Subject = Subject {
    dialect: &V03Http::<Once>::DIALECT,
    params: |message| format!(r#"{{"message":{message}}}"#),
    max_page: 100,
    deepens: true,
};

const TWICE: Subject = Subject { dialect: &V03Http::<Twice>::DIALECT, ..ONCE };

fuzz_target!(|data: &[u8]| {
    read(ONCE, data);
    read(TWICE, data);
});
