//! `GET /openapi.json`: the whole HTTP surface in OpenAPI 3.1, for whoever makes clients, tests and pages out of such a
//! document.
//!
//! It is written by hand, in the JSON files beside this one, and held against the routes and against real answers by
//! `tests/it/openapi.rs`. What differs from one gateway to the next is put in when it is served: its version, its address,
//! and which bindings are on.
//!
//! | file | what |
//! | --- | --- |
//! | `info.json` | title, description, tags |
//! | `paths/` | the routes: JSON-RPC, HTTP+JSON of 1.0 and of 0.3, `message.send`, and those that all have in common |
//! | `components.json`, `responses.json` | parameters, headers, bodies; answers |
//! | `schemas/` | the objects: of 1.0, of 0.3 over JSON-RPC and over HTTP+JSON, of `message.send`; errors; the card |
//!
//! Three members of a path in these files are instructions and not OpenAPI: see `assemble.rs`.

mod assemble;

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Map, Value, json};

use super::binding::Bindings;
use super::{Edge, answer};

/// A JSON object.
type Object = Map<String, Value>;

static WHOLE: LazyLock<Object> = LazyLock::new(assemble::whole);

/// Serves it.
pub async fn document(State(edge): State<Arc<Edge>>, request: Parts) -> Response {
    let document = served(&edge.cards.base_url(&request), &edge.settings.bindings);
    answer::json(StatusCode::OK, Value::Object(document).to_string())
}

/// The document of a gateway at `base` with these bindings.
fn served(base: &str, bindings: &Bindings) -> Object {
    let mut document = WHOLE.clone();
    document.insert("servers".to_owned(), json!([{ "url": base }]));
    if let Some(Value::Object(paths)) = document.get_mut("paths") {
        assemble::keep_bindings(paths, |name| bindings.iter().any(|binding| binding.name() == name));
    }
    document
}

#[cfg(test)]
mod schema_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::binding::Binding;

    fn paths(bindings: &[Binding]) -> Vec<String> {
        let document = served("http://a.example/x", &Bindings::new(bindings.to_vec()).unwrap());
        let Some(Value::Object(paths)) = document.get("paths") else { panic!("{document:?}") };
        assert!(
            paths.values().all(|item| item.as_object().unwrap().keys().all(|key| !key.starts_with("x-")))
        );
        paths.keys().cloned().collect()
    }

    #[test]
    fn what_is_off_is_not_described() {
        use Binding::{Grpc, Http, JsonRpc};
        let of = [&[JsonRpc, Http][..], &[JsonRpc], &[Http], &[Grpc]].map(paths);
        let has = |path: &str| of.each_ref().map(|paths| paths.iter().any(|known| known == path));
        for path in ["/", "/a2a", "/tasks/get"] {
            assert_eq!(has(path), [true, true, false, false], "{path}");
        }
        for path in ["/message:send", "/{tenant}/tasks/{id}:cancel", "/v1/tasks"] {
            assert_eq!(has(path), [true, false, true, false], "{path}");
        }
        for path in ["/.well-known/agent-card.json", "/openapi.json", "/health"] {
            assert_eq!(has(path), [true; 4], "{path}");
        }
    }

    #[test]
    fn it_says_where_and_what_it_is() {
        let document = served("http://a.example/x", &Bindings::default());
        assert_eq!(document["servers"], json!([{ "url": "http://a.example/x" }]));
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
