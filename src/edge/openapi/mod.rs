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
//! Three members of a path in these files are instructions and not OpenAPI: see [`assemble`].

mod assemble;

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Map, Value, json};

use super::{Edge, answer};

/// A JSON object.
type Object = Map<String, Value>;

static WHOLE: LazyLock<Object> = LazyLock::new(assemble::whole);

/// Serves it.
pub async fn document(State(edge): State<Arc<Edge>>, headers: HeaderMap, uri: Uri) -> Response {
    let base = edge.cards.base_url(&headers, &uri);
    answer::json(StatusCode::OK, Value::Object(served(&base, |_| true)).to_string())
}

/// The document of a gateway at `base` with these bindings.
fn served(base: &str, is_on: impl Fn(&str) -> bool) -> Object {
    let mut document = WHOLE.clone();
    document.insert("servers".to_owned(), json!([{ "url": base }]));
    if let Some(Value::Object(paths)) = document.get_mut("paths") {
        assemble::keep_bindings(paths, is_on);
    }
    document
}

#[cfg(test)]
mod schema_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(is_on: impl Fn(&str) -> bool) -> Vec<String> {
        let document = served("http://a.example/x", is_on);
        let Some(Value::Object(paths)) = document.get("paths") else { panic!("{document:?}") };
        assert!(
            paths.values().all(|item| item.as_object().unwrap().keys().all(|key| !key.starts_with("x-")))
        );
        paths.keys().cloned().collect()
    }

    #[test]
    fn what_is_off_is_not_described() {
        let has = |paths: &[String], path: &str| paths.iter().any(|known| known == path);
        let (both, rpc, http) = (paths(|_| true), paths(|it| it == "jsonrpc"), paths(|it| it == "http"));
        for path in ["/", "/a2a", "/tasks/get"] {
            assert!(has(&both, path) && has(&rpc, path) && !has(&http, path), "{path}");
        }
        for path in ["/message:send", "/{tenant}/tasks/{id}:cancel", "/v1/tasks"] {
            assert!(has(&both, path) && !has(&rpc, path) && has(&http, path), "{path}");
        }
        for path in ["/.well-known/agent-card.json", "/openapi.json", "/health"] {
            assert!(has(&both, path) && has(&rpc, path) && has(&http, path), "{path}");
        }
    }

    #[test]
    fn it_says_where_and_what_it_is() {
        let document = served("http://a.example/x", |_| true);
        assert_eq!(document["servers"], json!([{ "url": "http://a.example/x" }]));
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
