//! Requests over HTTP+JSON as far as their form: a line `METHOD /path?query`, and the body after it.
//!
//! A path leads to one route at most, and to it whatever it is written like; what is not for a verb is for those that are
//! told; and what path and query say is what the params say, which the dialect reads or refuses in its own way.
#![no_main]

use std::borrow::Cow;

use dify_a2a::core::error::Error;
use dify_a2a::core::ids::CountingIds;
use dify_a2a::edge::a2a_v1::V1;
use dify_a2a::edge::a2a_v03_http::{Once, V03Http};
use dify_a2a::edge::dialect::{Call, Dialect, Operation};
use dify_a2a::edge::error::EdgeError;
use dify_a2a::edge::json::{read_params, same_name};
use dify_a2a::edge::rest::params;
use dify_a2a::edge::rest::table::{Found, Looked, Version, find};
use http::Method;
use libfuzzer_sys::fuzz_target;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::value::RawValue;
use support::dialect::refused;

const METHODS: [Method; 5] = [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::PUT];

fuzz_target!(|data: &[u8]| {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (line, body) = (&data[..line], data.get(line + 1..).unwrap_or_default());
    let Some((method, target)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(' ')) else {
        return;
    };
    let Ok(method) = method.parse::<Method>() else { return };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    match find(&method, path) {
        Looked::Found(found) => {
            written_otherwise(&method, path, &found);
            read(&found, query, body);
        }
        Looked::OtherVerbs { allow, version } => {
            let allowed: Vec<&str> = allow.split(", ").collect();
            assert!(!allowed.contains(&method.as_str()), "{method} is among {allow}");
            for verb in METHODS {
                let is_found =
                    matches!(find(&verb, path), Looked::Found(found) if found.route.version == version);
                assert_eq!(allowed.contains(&verb.as_str()), is_found, "{verb} {path}");
            }
        }
        Looked::Nothing(_) => {
            assert!(METHODS.iter().all(|verb| matches!(find(verb, path), Looked::Nothing(_))), "{path}");
        }
    }
});

/// The path is one of the route's templates with the values in it, and leads there when all that is no letter is encoded.
fn written_otherwise(method: &Method, path: &str, found: &Found) {
    let decoded = |segment| percent_decode_str(segment).decode_utf8().expect("a path is text");
    let segments: Vec<Cow<'_, str>> = path.split('/').map(decoded).collect();
    let is_it = |template: Cow<'static, str>| {
        let filled = template.split('/').map(|pattern| filled(pattern, found));
        filled.collect::<Vec<_>>() == segments
    };
    assert!(found.route.templates().any(is_it), "{path} is no {found:?}");
    assert!(found.fields.iter().all(|(_, value)| !value.is_empty()));
    let encoded: Vec<String> =
        segments.iter().map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string()).collect();
    match find(method, &encoded.join("/")) {
        Looked::Found(again) => {
            assert!(std::ptr::eq(again.route, found.route), "{again:?} is not {found:?}");
            assert_eq!(again.fields, found.fields);
        }
        other => panic!("{encoded:?} leads to {other:?}"),
    }
}

/// A segment of a template with the value that the path has for it.
fn filled(pattern: &str, found: &Found) -> String {
    let Some((name, action)) = pattern.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return pattern.to_owned();
    };
    let value = found.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str());
    value.unwrap_or_default().to_owned() + action
}

fn read(found: &Found, query: Option<&str>, body: &[u8]) {
    let dialect: &dyn Dialect = match found.route.version {
        Version::V03 => &V03Http::<Once>::DIALECT,
        Version::V1 => &V1,
    };
    let params = match params::read(found, query, body) {
        Ok(params) => params,
        Err(error) => {
            assert!(!matches!(error, EdgeError::Core(Error::Internal(_))), "{error}");
            return refused(dialect, error);
        }
    };
    match &params {
        Some(params) => says(found, query, params),
        None => assert!(found.fields.is_empty(), "nothing is left of {found:?}"),
    }
    match dialect.call(found.route.operation, params.as_deref(), &CountingIds::default()) {
        Ok(request) => asks(found, request.tenant.as_deref(), &request.call),
        Err(error) => refused(dialect, error),
    }
}

/// The params have each field of the path once, with its value, and each parameter of the query.
fn says(found: &Found, query: Option<&str>, params: &RawValue) {
    let text = params.get();
    assert!(text.starts_with('{'), "params are an object: {text}");
    for (name, value) in &found.fields {
        let said = read_params(Some(params), |members| members.field(name)?.string());
        assert_eq!(said.as_deref().ok(), Some(value.as_str()), "{name} in {text}: {said:?}");
    }
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let Some(parameter) = found.route.query.iter().find(|known| same_name(known.name, &name)) else {
            continue;
        };
        let value = serde_json::to_string(&value).expect("text is JSON");
        let (as_text, bare) = (
            format!("{:?}:{value}", parameter.name),
            format!("{:?}:{}", parameter.name, value.trim_matches('"')),
        );
        let is_of_path = found.fields.iter().any(|(field, _)| *field == parameter.name);
        // What is no letter or digit has more than one form in JSON.
        if !is_of_path && value.bytes().all(|byte| byte == b'"' || byte.is_ascii_alphanumeric()) {
            assert!(text.contains(&as_text) || text.contains(&bare), "{as_text} is not in {text}");
        }
    }
}

/// What is asked for is of the task and the tenant that the path names.
fn asks(found: &Found, tenant: Option<&str>, call: &Call) {
    let said = |name| found.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str());
    let id = match call {
        Call::Get(get) => Some(&get.id),
        Call::Cancel(cancel) => Some(&cancel.id),
        Call::Subscribe(subscribe) => Some(&subscribe.id),
        Call::ExtendedCard | Call::List(_) | Call::Push | Call::Send(_) | Call::SendStreaming(_) => None,
    };
    if let Some(id) = id {
        assert_eq!(Some(id.as_str()), said("id"));
    }
    let reads_tenant = !matches!(found.route.operation, Operation::ExtendedCard | Operation::Push);
    if reads_tenant && let Some(named) = said("tenant") {
        assert_eq!(tenant, Some(named));
    }
}
