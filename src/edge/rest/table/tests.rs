use proptest::prelude::*;

use super::*;

/// What a path comes to: the operation with the fields, or the verbs that it takes.
fn looked(method: Method, path: &str) -> String {
    match find(&method, path) {
        Looked::Found(Found { route, fields }) => {
            let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{:?} {:?}{fields}", route.version, route.operation)
        }
        Looked::OtherVerbs { allow, version } => format!("{version:?} only {allow}"),
        Looked::Nothing(version) => format!("{version:?} nothing"),
    }
}

fn get(path: &str) -> String {
    looked(Method::GET, path)
}

fn post(path: &str) -> String {
    looked(Method::POST, path)
}

#[test]
fn r01_r10_every_template_leads_to_its_route() {
    let mut count = 0;
    for route in &ROUTES {
        for template in route.templates() {
            let path = template.replace("{tenant}", "acme").replace("{taskId}", "t").replace("{id}", "i");
            assert!(!path.contains('{'), "{path}");
            match find(&route.method, &path) {
                Looked::Found(found) => {
                    assert!(std::ptr::eq(found.route, route), "{} {path}", route.method);
                    let names: Vec<_> = found.fields.iter().map(|(name, _)| format!("{{{name}}}")).collect();
                    let count = template.matches('{').count();
                    assert!(
                        names.iter().all(|name| template.contains(name)) && names.len() == count,
                        "{path}"
                    );
                }
                other => panic!("{} {path}: {other:?}", route.method),
            }
            count += 1;
        }
    }
    assert_eq!(count, 13 * 2 + 12);
}

#[test]
fn r01_no_two_routes_have_the_same_path_and_verb() {
    let mut seen = Vec::new();
    for route in &ROUTES {
        for template in route.templates() {
            let shape = (route.method.clone(), template.replace("{taskId}", "{id}"));
            assert!(!seen.contains(&shape), "{shape:?}");
            seen.push(shape);
        }
    }
}

#[test]
fn r11_a_task_may_have_any_name() {
    assert_eq!(get("/tasks/a%2Fb%20%C3%A9%3F"), "V1 Get id=a/b é?");
    assert_eq!(post("/tasks/a:b:cancel"), "V1 Cancel id=a:b");
    assert_eq!(post("/tasks/a%3Acancel:cancel"), "V1 Cancel id=a:cancel");
    assert_eq!(post("/tasks/x%3Acancel"), "V1 Cancel id=x", "proxies may encode the colon");
    assert_eq!(get("/tasks/a:b"), "V1 Get id=a:b");
    assert_eq!(get("/tasks/a:b:subscribe"), "V1 Subscribe id=a:b");
    assert_eq!(get("/tasks/tasks"), "V1 Get id=tasks");
    assert_eq!(get("/tasks/a+b"), "V1 Get id=a+b");
    assert_eq!(get("/a%2Fb/tasks/%E2%82%AC"), "V1 Get tenant=a/b id=€");
}

#[test]
fn r10_a_tenant_may_have_any_name_but_that_of_0_3() {
    assert_eq!(post("/acme/message:send"), "V1 Send tenant=acme");
    assert_eq!(post("/tasks/message:send"), "V1 Send tenant=tasks");
    assert_eq!(get("/tasks/tasks/x"), "V1 Get tenant=tasks id=x");
    assert_eq!(get("/v1/tasks"), "V03 List");
    assert_eq!(get("/v1/extendedAgentCard"), "V03 nothing");
    assert_eq!(get("/V1/tasks"), "V1 List tenant=V1");
    assert_eq!(post("//message:send"), "V1 nothing");
}

#[test]
fn r12_other_verbs_and_other_paths() {
    assert_eq!(looked(Method::HEAD, "/tasks/x"), "V1 Get id=x");
    assert_eq!(looked(Method::PUT, "/tasks/x"), "V1 only GET, HEAD");
    assert_eq!(post("/tasks/x"), "V1 only GET, HEAD");
    assert_eq!(get("/tasks/x:cancel"), "V1 only POST");
    assert_eq!(get("/message:send"), "V1 only POST");
    assert_eq!(looked(Method::DELETE, "/tasks/x:subscribe"), "V1 only POST, GET, HEAD");
    assert_eq!(post("/tasks/x/pushNotificationConfigs/c"), "V1 only GET, HEAD, DELETE");
    assert_eq!(post("/v1/card"), "V03 only GET, HEAD");
    for path in
        ["/", "", "*", "/tasks/", "/tasks/:cancel", "/tasks/x/y", "/message:sent", "/a/b/message:send"]
    {
        assert_eq!(post(path), "V1 nothing", "{path}");
    }
    for path in ["/v1", "/v1/", "/v1/tasks/", "/v1/tasks/:subscribe", "/v1/a/tasks", "/v1/tasks/x/subscribe"]
    {
        assert_eq!(get(path), "V03 nothing", "{path}");
    }
    assert_eq!(get("/tasks/%FF"), "V1 nothing", "what is no text names nothing");
    assert_eq!(get("/tasks/%"), "V1 Get id=%");
}

proptest! {
    #[test]
    fn r11_no_path_makes_it_panic(path in "\\PC*|(/|:|%[0-9A-Fa-f]{2}|%|v1|tasks|message|cancel|subscribe|[a-z]){0,12}") {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::HEAD, Method::TRACE] {
            drop(find(&method, &path));
        }
    }

    #[test]
    fn r11_every_id_survives_its_encoding(id in "\\PC+") {
        let encoded: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20");
        match find(&Method::POST, &format!("/tasks/{encoded}:cancel")) {
            Looked::Found(found) => prop_assert_eq!(&found.fields, &[("id", id)]),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
