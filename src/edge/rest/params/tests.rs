use http::Method;
use proptest::prelude::*;

use super::*;
use crate::edge::rest::table::{self, Looked};

fn params(method: Method, uri: &str, body: &str) -> Result<String, String> {
    let uri: http::Uri = uri.parse().unwrap();
    let Looked::Found(found) = table::find(&method, uri.path()) else { panic!("{uri}") };
    match read(&found, uri.query(), body.as_bytes()) {
        Ok(params) => {
            Ok(params.map_or_else(|| "nothing".to_owned(), |params| params.into_owned().get().to_owned()))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn get(uri: &str) -> String {
    params(Method::GET, uri, "").unwrap()
}

fn post(uri: &str, body: &str) -> Result<String, String> {
    params(Method::POST, uri, body)
}

#[test]
fn r02_a_query_becomes_fields() {
    assert_eq!(get("/tasks"), "nothing");
    assert_eq!(get("/tasks?pageSize=5&includeArtifacts=true"), r#"{"pageSize":"5","includeArtifacts":true}"#);
    assert_eq!(get("/tasks?includeArtifacts=True"), r#"{"includeArtifacts":"True"}"#);
    assert_eq!(
        get("/tasks?contextId=true&status=a%22b+c%20d"),
        r#"{"contextId":"true","status":"a\"b c d"}"#
    );
    assert_eq!(get("/tasks/x?historyLength=0&page=1&id=y"), r#"{"id":"x","historyLength":"0"}"#);
    assert_eq!(get("/tasks?pageSize=1&pageSize=2"), r#"{"pageSize":"1","pageSize":"2"}"#);
    assert_eq!(get("/tasks?A2A-Version=1.0&&=&x"), "nothing");
    assert_eq!(get("/tasks?page_size=1&pageSize=2&pagesize=3"), r#"{"pageSize":"1","pageSize":"2"}"#);
    assert_eq!(get("/v1/tasks/x?history_length=3"), r#"{"id":"x","historyLength":"3"}"#);
    assert_eq!(get("/v1/tasks/x?historyLength=3&tenant=a"), r#"{"id":"x","historyLength":"3"}"#);
}

#[test]
fn r10_the_path_names_the_tenant_and_nothing_else_may() {
    assert_eq!(get("/acme/tasks?tenant=acme"), r#"{"tenant":"acme"}"#);
    assert_eq!(get("/tasks?tenant=acme"), r#"{"tenant":"acme"}"#);
    let other = params(Method::GET, "/acme/tasks?tenant=other", "").unwrap_err();
    assert_eq!(other, "invalid parameters: tenant: contradicts the path, which says \"acme\"");
    assert_eq!(post("/acme/message:send", r#"{"message":{}}"#).unwrap(), r#"{"tenant":"acme","message":{}}"#);
    assert_eq!(post("/acme/message:send", r#"{"tenant":"acme"}"#).unwrap(), r#"{"tenant":"acme"}"#);
    assert!(post("/acme/message:send", r#"{"tenant":"other"}"#).unwrap_err().contains("tenant: contradicts"));
    assert!(post("/acme/message:send", r#"{"tenant":7}"#).unwrap_err().contains("tenant: must be a string"));
}

#[test]
fn r13_a_body_may_be_empty_or_repeat_the_path() {
    for body in ["", " \r\n", "null", "{}", " { } ", r#"{"id":"x"}"#] {
        assert_eq!(post("/tasks/x:cancel", body).unwrap(), r#"{"id":"x"}"#, "{body:?}");
    }
    let said = post("/a/tasks/x:cancel", r#" {"metadata" : {"id":"y"}} "#).unwrap();
    assert_eq!(said, r#"{"tenant":"a","id":"x","metadata" : {"id":"y"}}"#);
    for body in [r#"{"id":"y"}"#, r#"{"id":""}"#, r#"{"id":"x","id":"y"}"#] {
        assert!(post("/tasks/x:cancel", body).unwrap_err().contains("id:"), "{body}");
    }
}

#[test]
fn a_body_that_says_it_all_is_passed_on_as_it_is() {
    let body = r#"{"message": {"parts":[{"data":1.0}]}}"#;
    let Looked::Found(found) = table::find(&Method::POST, "/message:send") else { panic!() };
    let read = read(&found, Some("x=1"), body.as_bytes()).unwrap().unwrap();
    assert!(matches!(read, Cow::Borrowed(raw) if raw.get() == body));
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in ["{", "x", "{} {}", "\u{feff}{}", "{\"a\":}"] {
        assert!(post("/message:send", body).unwrap_err().starts_with("invalid JSON"), "{body}");
    }
    for body in ["[]", "1", "\"x\"", "true"] {
        assert!(post("/message:send", body).unwrap_err().ends_with("body: must be an object"), "{body}");
        assert!(post("/tasks/x:cancel", body).unwrap_err().ends_with("body: must be an object"), "{body}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_becomes_one_object_or_a_refusal(
        query in "(pageSize|tenant|contextId|includeArtifacts|x|=|&|%[0-9a-f]{2}|true|\\PC){0,12}",
        body in "\\PC{0,12}|\\{(\"(id|tenant|message)\":(1|\"acme\"|\"x\"|null|\\{\\}),?){0,3}\\}",
        tenant in "\\PC{1,8}",
    ) {
        for (method, path) in [(Method::GET, "/t/tasks"), (Method::POST, "/t/tasks/x:cancel"), (Method::GET, "/tasks")] {
            let Looked::Found(mut found) = table::find(&method, path) else { panic!("{path}") };
            found.fields.iter_mut().filter(|(name, _)| *name == "tenant").for_each(|(_, value)| value.clone_from(&tenant));
            match read(&found, Some(&query), body.as_bytes()) {
                Ok(Some(params)) => {
                    let is_object = serde_json::from_str::<serde_json::Value>(params.get()).unwrap().is_object();
                    prop_assert!(is_object);
                }
                Ok(None) => {}
                Err(error) => prop_assert!(!error.to_string().contains("internal"), "{}", error),
            }
        }
    }
}
