//! One document out of the files. Three members of a path are instructions:
//!
//! - `x-also`: the same operations at other paths, each with what is added to the names of operations there;
//! - `x-tenants`: the same operations below a tenant's name (A2A 1.0 §11.3);
//! - `x-binding`: the binding that the path is of; it is there only while that is on.

use serde_json::{Value, json};

use super::Object;

const PATHS: [&str; 5] = [
    include_str!("paths/rpc.json"),
    include_str!("paths/v1.json"),
    include_str!("paths/v03.json"),
    include_str!("paths/legacy.json"),
    include_str!("paths/common.json"),
];

const SCHEMAS: [&str; 9] = [
    include_str!("schemas/common.json"),
    include_str!("schemas/errors.json"),
    include_str!("schemas/rpc.json"),
    include_str!("schemas/v1.json"),
    include_str!("schemas/v1_requests.json"),
    include_str!("schemas/v03.json"),
    include_str!("schemas/v03_rest.json"),
    include_str!("schemas/legacy.json"),
    include_str!("schemas/card.json"),
];

/// What is added to the name of an operation below a tenant's name.
const IN_TENANT: &str = "InTenant";

const TENANT_IN_PATH: &str = "#/components/parameters/TenantInPath";
const TENANT_IN_QUERY: &str = "#/components/parameters/Tenant";

/// All of it, without an address. Paths still say which binding they are of.
pub(super) fn whole() -> Object {
    let mut document = object(include_str!("info.json"));
    if let Some(Value::Object(info)) = document.get_mut("info") {
        info.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    }
    let paths = PATHS.into_iter().flat_map(object).flat_map(|(path, item)| spread(path, item));
    document.insert("paths".to_owned(), Value::Object(paths.collect()));
    let mut components = object(include_str!("components.json"));
    components.insert("responses".to_owned(), object(include_str!("responses.json")).into());
    components.insert("schemas".to_owned(), Value::Object(SCHEMAS.into_iter().flat_map(object).collect()));
    document.insert("components".to_owned(), components.into());
    document
}

/// Leaves only the paths of bindings that are on, and those that are of none.
pub(super) fn keep_bindings(paths: &mut Object, is_on: impl Fn(&str) -> bool) {
    paths.retain(|_, item| {
        let binding = item.as_object_mut().and_then(|item| item.remove("x-binding"));
        binding.as_ref().and_then(Value::as_str).is_none_or(&is_on)
    });
}

/// A file's content. That each is an object is tested.
fn object(text: &str) -> Object {
    serde_json::from_str(text).unwrap_or_default()
}

/// A path with all the others that it stands for.
fn spread(path: String, item: Value) -> Vec<(String, Value)> {
    let Value::Object(mut item) = item else { return Vec::new() };
    let mut all = Vec::new();
    if let Some(Value::Object(others)) = item.remove("x-also") {
        for (other, suffix) in others {
            let mut same = item.clone();
            rename_operations(&mut same, suffix.as_str().unwrap_or_default());
            all.push((other, same.into()));
        }
    }
    if item.remove("x-tenants").is_some() {
        all.push((format!("/{{tenant}}{path}"), in_tenant(item.clone()).into()));
    }
    all.push((path, item.into()));
    all
}

fn operations(item: &mut Object) -> impl Iterator<Item = &mut Object> {
    item.values_mut().filter_map(Value::as_object_mut)
}

fn rename_operations(item: &mut Object, suffix: &str) {
    for operation in operations(item) {
        add_suffix(operation, suffix);
    }
}

fn add_suffix(named: &mut Object, suffix: &str) {
    if let Some(Value::String(name)) = named.get_mut("operationId") {
        name.push_str(suffix);
    }
}

/// The operations as they are below a tenant's name: the tenant is in the path and not in the query, and what they lead
/// to is in the same tenant.
fn in_tenant(mut item: Object) -> Object {
    rename_operations(&mut item, IN_TENANT);
    for operation in operations(&mut item) {
        if let Some(Value::Array(parameters)) = operation.get_mut("parameters") {
            parameters.retain(|parameter| parameter["$ref"] != TENANT_IN_QUERY);
            parameters.insert(0, json!({ "$ref": TENANT_IN_PATH }));
        }
        let links = operation.get_mut("responses").and_then(|responses| responses.pointer_mut("/200/links"));
        for link in links.and_then(Value::as_object_mut).into_iter().flat_map(operations) {
            add_suffix(link, IN_TENANT);
            if let Some(Value::Object(parameters)) = link.get_mut("parameters") {
                parameters.insert("tenant".to_owned(), "$request.path.tenant".into());
            }
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_an_object_and_no_name_is_given_twice() {
        for files in [&PATHS[..], &SCHEMAS[..]] {
            let count: usize = files.iter().map(|text| object(text).len()).sum();
            let together: Object = files.iter().flat_map(|text| object(text)).collect();
            assert_eq!(together.len(), count);
            assert!(files.iter().all(|text| !object(text).is_empty()));
        }
        for text in
            [include_str!("info.json"), include_str!("components.json"), include_str!("responses.json")]
        {
            assert!(!object(text).is_empty());
        }
    }

    #[test]
    fn a_tenants_routes_have_the_tenant_in_the_path_and_lead_to_the_same_tenant() {
        let whole = whole();
        let send = &whole["paths"]["/{tenant}/message:send"]["post"];
        assert_eq!(send["operationId"], "sendMessageInTenant");
        let link = &send["responses"]["200"]["links"]["get"];
        assert_eq!(link["operationId"], "getTaskInTenant");
        assert_eq!(link["parameters"]["tenant"], "$request.path.tenant");
        let list = whole["paths"]["/{tenant}/tasks"]["get"]["parameters"].as_array().unwrap();
        let count = |name| list.iter().filter(|parameter| parameter["$ref"] == name).count();
        assert_eq!((count(TENANT_IN_PATH), count(TENANT_IN_QUERY)), (1, 0));
    }

    #[test]
    fn one_path_may_stand_for_several() {
        let whole = whole();
        let name = |path: &str| whole["paths"][path]["post"]["operationId"].clone();
        assert_eq!([name("/"), name("/a2a"), name("/a2a/")], ["call", "callAtA2a", "callAtA2aSlash"]);
    }
}
