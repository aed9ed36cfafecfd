//! The OpenAPI document: whole in itself, and the same routes as the router's. Whether answers are as it says is the
//! matter of `openapi_answers`.

use std::collections::BTreeSet;

use dify_a2a::edge::dialect::Operation;
use dify_a2a::edge::rest::table::ROUTES;
use http::Method;
use serde_json::{Value, json};

use super::support::api::Api;
use super::support::{FakeDify, Gateway};

/// Everything in the document that refers to something else.
fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_whole() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    let document = &api.document;
    assert_eq!(document["openapi"], "3.1.1");
    assert_eq!(document["servers"], json!([{ "url": gateway.client.base }]));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));

    let mut used = Vec::new();
    references(document, &mut used);
    for reference in &used {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for (kind, all) in document["components"].as_object().expect("components") {
        for (name, component) in all.as_object().expect("components of a kind") {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference.as_str()), "{reference} is used nowhere");
            if kind == "schemas" {
                assert!(jsonschema::meta::is_valid(component), "{name}");
                api.validator(component);
            }
        }
    }

    let tags: Vec<&Value> =
        document["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    let mut names = BTreeSet::new();
    for (method, path, operation) in api.operations() {
        let place = format!("{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().expect("a name")), "{place}");
        assert!(operation["summary"].is_string() && tags.contains(&&operation["tags"][0]), "{place}");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(!responses.is_empty(), "{place}");
        assert!(responses.values().all(|it| api.followed(it)["description"].is_string()), "{place}");
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let in_path: BTreeSet<&str> = parameters
            .map(|parameter| api.followed(parameter))
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().expect("a name"))
            .collect();
        let in_template: BTreeSet<&str> =
            path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        assert_eq!(in_path, in_template, "{place}");
        for link in responses.get("200").and_then(|it| it["links"].as_object()).into_iter().flatten() {
            assert!(names_an_operation(&api, &link.1["operationId"]), "{place}: {link:?}");
        }
    }
}

fn names_an_operation(api: &Api, id: &Value) -> bool {
    api.operations().iter().any(|(_, _, operation)| operation["operationId"] == *id)
}

#[tokio::test]
async fn every_description_is_routed_and_only_for_its_verbs() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    for (_, template, _) in api.operations() {
        let path = template.replace("{tenant}", "acme").replace("{id}", "none").replace("{taskId}", "none");
        let described: BTreeSet<Method> = api
            .operations()
            .into_iter()
            .filter(|(_, other, _)| stands_for(other, &path))
            .map(|(verb, _, _)| verb)
            .collect();
        for verb in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let request = gateway.client.http.request(verb.clone(), format!("{}{path}", gateway.client.base));
            let response = request.send().await.expect("an answer");
            let (status, allow) = (response.status().as_u16(), response.headers().get("allow").cloned());
            let text = response.text().await.expect("a body");
            let place = format!("{verb} {template}: {status} {text}");
            assert!(!text.contains("there is nothing at") && (status != 404 || !text.is_empty()), "{place}");
            assert_eq!(status != 405, described.contains(&verb), "{place}");
            if status == 405 {
                let allow = allow.expect("the verbs that there are");
                let allowed = allow.to_str().expect("text").split(',').map(str::trim);
                let allowed: BTreeSet<&str> = allowed.filter(|verb| *verb != "HEAD").collect();
                assert_eq!(allowed, described.iter().map(Method::as_str).collect(), "{place}");
            }
        }
    }
}

/// Whether a path is one that a template stands for. What follows a colon belongs to the template.
fn stands_for(template: &str, path: &str) -> bool {
    let (templates, segments) = (template.split('/'), path.split('/'));
    templates.clone().count() == segments.clone().count()
        && templates.zip(segments).all(|(template, segment)| match template.split_once('}') {
            Some((_, action)) => {
                segment.split_once(':').map_or(!segment.is_empty() && action.is_empty(), |(_, it)| {
                    action.strip_prefix(':') == Some(it)
                })
            }
            None => template == segment,
        })
}

/// Routes that the document leaves out, and why.
const LEFT_OUT: [&str; 0] = [];

#[tokio::test]
async fn every_route_is_described() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    let source = include_str!("../../src/edge/routes.rs");
    let routes: Vec<&str> =
        source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(routes.len() > 10, "{routes:?}");
    for route in routes {
        let described = api.document["paths"].get(route).is_some();
        assert!(described != LEFT_OUT.contains(&route), "{route}");
    }
}

#[tokio::test]
async fn the_routes_of_http_json_are_those_of_its_table() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    let table: BTreeSet<(String, String)> = ROUTES
        .iter()
        .flat_map(|route| route.templates().map(|path| (route.method.to_string(), path.into_owned())))
        .collect();
    let described: BTreeSet<(String, String)> = api
        .operations()
        .into_iter()
        .filter(|(_, _, operation)| operation["operationId"].as_str().is_some_and(is_of_the_table))
        .map(|(verb, path, _)| (verb.to_string(), path.to_owned()))
        .collect();
    assert_eq!(described, table);
    for route in &ROUTES {
        let operation = &api.document["paths"][route.template][route.method.as_str().to_ascii_lowercase()];
        let parameters = operation["parameters"].as_array().expect("parameters").iter();
        let in_query: BTreeSet<&str> = parameters
            .map(|parameter| api.followed(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().expect("a name"))
            .collect();
        // What is refused in any case need not say how it would be asked for.
        if route.operation != Operation::Push {
            let read: BTreeSet<&str> = route.query.iter().map(|parameter| parameter.name).collect();
            assert_eq!(in_query, read, "{} {}", route.method, route.template);
        }
    }
}

/// Whether the operation of this name is one of the HTTP+JSON binding's.
fn is_of_the_table(name: &str) -> bool {
    let shared = ["call", "legacy", "agentCard", "openapi", "file", "health", "ready"];
    !shared.iter().any(|beginning| name.starts_with(beginning))
}
