//! A tenant's tasks and contexts are its own (A2A 1.0 §3.1, `tenant`).

use serde_json::{Value, json};

use super::files::sent;
use super::files_out::{ALLOW, both_files, document, run_with_files};
use super::support::client::send;
use super::support::say::{artifact, say};
use super::support::{FakeDify, Gateway};

async fn said_by(gateway: &Gateway, tenant: Value) -> String {
    let mut params = send("x", Some("c"));
    params["tenant"] = tenant;
    let task = gateway.client.result("SendMessage", &params).await;
    task["task"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn v14_what_belongs_to_one_tenant_is_not_found_under_another() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let tenants = [json!(null), json!("acme"), json!("other")];
    let mut ids = Vec::new();
    for tenant in &tenants {
        ids.push(said_by(&gateway, tenant.clone()).await);
    }
    for (tenant, own) in tenants.iter().zip(&ids) {
        let listed = gateway.client.result("ListTasks", &json!({"tenant": tenant, "contextId": "c"})).await;
        assert_eq!((&listed["totalSize"], &listed["tasks"][0]["id"]), (&json!(1), &json!(own)), "{tenant}");
        for id in &ids {
            let params = json!({"tenant": tenant, "id": id});
            let answer = gateway.client.rpc("GetTask", &params).await;
            if id == own {
                assert_eq!(&answer["result"]["id"], id);
                continue;
            }
            assert_eq!(answer["error"]["code"], -32001, "{answer}");
            assert_eq!(gateway.client.error("CancelTask", &params).await["code"], -32001);
            assert_eq!(gateway.client.error("SubscribeToTask", &params).await["code"], -32001);
        }
    }
    let began = dify.chats().iter().filter(|chat| chat.body.get("conversation_id").is_none()).count();
    assert_eq!(began, 3, "each tenant has a conversation of its own: {:?}", dify.chats());
    assert_eq!(gateway.client.error("GetTask", &json!({"tenant": "a\nb", "id": "x"})).await["code"], -32602);
    let same = said_by(&gateway, json!("")).await;
    let anonymous = gateway.client.result("ListTasks", &json!({"contextId": "c"})).await;
    assert_eq!(anonymous["totalSize"], 2, "the empty tenant is none: {same}");
}

#[tokio::test]
async fn the_files_of_a_tenant_are_at_the_addresses_that_its_tasks_give() {
    let server = both_files().await;
    let app = run_with_files(&server).await;
    let gateway = app.gateway(&[ALLOW]).await;
    let mut params = say(document());
    params["tenant"] = "acme".into();
    let task = sent(&gateway.client, &params).await;
    let part = &artifact(&task, "file-1").expect("a file")["parts"][0];
    let address = part["url"].as_str().expect("an address");
    let response = gateway.client.http.get(address).send().await.expect("an answer");
    assert_eq!(response.status(), 200, "{address}");
    assert_eq!(response.text().await.expect("a body"), "hello there");
}
