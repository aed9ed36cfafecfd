use a2a::AgentCard;
use a2a_pb::protojson_conv;
use serde_json::Value;

use super::{CardDocument, CardSource, CardStyle, Offer, Overlay, OverlayError, app};
use crate::core::backend::Profile;
use crate::edge::binding::{Binding, Bindings};

fn profile() -> Profile {
    Profile {
        name: Some("HR helper".to_owned()),
        description: Some("Answers questions on leave.".to_owned()),
        tags: vec!["hr".to_owned(), " ".to_owned()],
        icon_url: Some("https://dify.example.org/icon.png".to_owned()),
        opening_statement: Some("Hi!".to_owned()),
        examples: vec!["How much leave have I left?".to_owned()],
        ..Profile::default()
    }
}

/// A workflow with inputs, whose names are not in English.
fn with_inputs() -> Profile {
    Profile {
        name: Some("报告 — Bericht".to_owned()),
        examples: vec![r#"{"主题":"Thema"}"#.to_owned()],
        inputs: Some(
            r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"主题":{"title":"Thema","type":"string","maxLength":1E2}},"required":["主题"]}"#
                .to_owned(),
        ),
        input_lines: vec!["主题 (Thema): text of at most 100 characters (required)".to_owned()],
        input_count: 3,
        text_input: Some("主题".to_owned()),
        has_memory: false,
        input_modes: vec!["text/plain".to_owned(), "application/json".to_owned()],
        output_modes: vec!["text/plain".to_owned(), "application/json".to_owned()],
        ..profile()
    }
}

fn card(style: CardStyle, overlay: &str, profile: &Profile) -> CardDocument {
    CardSource::new(style, Offer::default(), Overlay::parse(overlay).unwrap())
        .render(profile, "https://a.example.org/x/")
}

fn body(document: &CardDocument) -> &str {
    std::str::from_utf8(&document.body).unwrap()
}

fn problems(file: &str) -> Vec<String> {
    match Overlay::parse(file) {
        Err(OverlayError::Fields(list)) => list.into_iter().map(|problem| problem.field).collect(),
        other => panic!("{other:?}"),
    }
}

const FULL: &str = r#"{
    "name": "Leave bot", "description": "Knows the rules.", "version": "2.1.0",
    "provider": {"organization": "Example", "url": "https://example.org"},
    "iconUrl": "https://example.org/i.png", "documentationUrl": "https://example.org/docs",
    "skills": [{"id": "leave", "name": "Leave", "description": "Counts days.", "tags": ["hr"],
        "examples": ["How many days?"], "inputModes": ["text/plain"]}],
    "defaultInputModes": ["text/plain", "application/json"], "defaultOutputModes": ["text/markdown"],
    "capabilities": {"streaming": true,
        "extensions": [{"uri": "urn:x", "required": true, "params": {"n": 1.0}}]}
}"#;

const OLDER: &str = r#"{"id": "hr", "name": "HR", "description": "d", "version": "3",
    "capabilities": [{"name": "Ask Questions", "description": "asks", "enabled": true, "config": {"x": 1}},
        {"name": "off", "enabled": false}, {"name": "bare"}],
    "metadata": {"team": 1.0}, "limits": {"rate": 1}, "author": "someone"}"#;

#[test]
fn cards_look_like_this() {
    let cards = [
        card(CardStyle::Hybrid, "{}", &profile()),
        card(CardStyle::V1, FULL, &profile()),
        card(CardStyle::Hybrid, "{}", &Profile::default()),
        card(CardStyle::Hybrid, "{}", &with_inputs()),
        card(CardStyle::V1, r#"{"defaultInputModes":["text/plain"]}"#, &with_inputs()),
        CardSource::default().render_legacy(&with_inputs(), "https://a.example.org"),
        CardSource::new(CardStyle::Hybrid, Offer::default(), Overlay::parse(OLDER).unwrap())
            .render_legacy(&profile(), "https://a.example.org"),
    ];
    let lines: Vec<_> =
        cards.iter().map(|card| body(card).replace(env!("CARGO_PKG_VERSION"), "[version]")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn c02_c19_official_types_take_both_styles() {
    for style in [CardStyle::Hybrid, CardStyle::V1] {
        for (overlay, profile) in ["{}", FULL, OLDER]
            .into_iter()
            .flat_map(|overlay| [(overlay, profile()), (overlay, with_inputs())])
        {
            let document = card(style, overlay, &profile);
            let official: AgentCard = serde_json::from_str(body(&document)).unwrap();
            protojson_conv::from_str::<AgentCard>(body(&document)).unwrap();
            assert!(!official.skills.is_empty());
            assert_eq!(official.supported_interfaces[0].url, "https://a.example.org/x/a2a");
        }
    }
}

/// Each recorded app is read by the official types, and what they read holds the app's inputs and modes.
#[test]
fn c02_the_cards_of_recorded_apps_are_read_by_official_types() {
    use crate::dify::app_info::{AppInfo, AppMode};
    use crate::translate::operator::Operator;
    use crate::translate::profile;

    for (style, version) in [CardStyle::Hybrid, CardStyle::V1].into_iter().zip(["0.15.3", "1.14.2"]) {
        for (case, mode) in [
            ("agent_fc", AppMode::AgentChat),
            ("chatflow_inputs", AppMode::AdvancedChat),
            ("completion", AppMode::Completion),
            ("workflow_file", AppMode::Workflow),
            ("workflow_ok", AppMode::Workflow),
        ] {
            let has_memory = mode.has_conversation();
            let app = AppInfo::of_recordings(mode, version, case);
            let profile = profile::of(&app, &Operator::default());
            let document = card(style, "{}", &profile);
            let official: AgentCard = serde_json::from_str(body(&document)).unwrap();
            let protobuf = protojson_conv::from_str::<AgentCard>(body(&document)).unwrap();
            assert_eq!(official.skills, protobuf.skills);
            let read = serde_json::to_value(&official).unwrap();
            let params = &read["capabilities"]["extensions"][0]["params"];
            let names: Vec<&str> = app.form.fields.iter().map(|field| field.variable.as_str()).collect();
            for name in &names {
                assert!(params["inputs"]["properties"][name].is_object(), "{case}: {name} in {params}");
                let told = format!("\n- {name}");
                assert!(read["skills"][0]["description"].as_str().unwrap().contains(&told), "{case}: {name}");
            }
            assert_eq!(params["memory"] == false, !has_memory, "{case}");
            assert_eq!(params["inputs"].is_null(), names.is_empty(), "{case}");
            for (of_skill, of_card) in
                [("inputModes", "defaultInputModes"), ("outputModes", "defaultOutputModes")]
            {
                assert_eq!(read["skills"][0][of_skill], read[of_card], "{case}");
            }
            assert_eq!(read["defaultInputModes"], serde_json::json!(profile.input_modes), "{case}");
        }
    }
}

#[test]
fn the_params_of_the_extension_fit_its_schema() {
    let schema = include_str!("../../../docs/extensions/dify-v1/params.schema.json");
    let validator = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
    let silent = Profile { takes_text: false, ..Profile::default() };
    for profile in [with_inputs(), silent] {
        let params: Value = serde_json::from_str(app::params(&profile).unwrap().get()).unwrap();
        assert!(validator.is_valid(&params), "{params}");
        for name in params.as_object().unwrap().keys() {
            assert!(schema.contains(&format!("\"{name}\": {{")), "{name}");
        }
    }
    for wrong in [r#"{}"#, r#"{"text":true}"#, r#"{"inputs":{}}"#, r#"{"textInput":1}"#] {
        assert!(!validator.is_valid(&serde_json::from_str(wrong).unwrap()), "{wrong}");
    }
}

#[test]
fn an_overlay_goes_before_what_the_app_says_of_itself() {
    let value: Value = serde_json::from_str(body(&card(CardStyle::Hybrid, FULL, &with_inputs()))).unwrap();
    assert_eq!(value["defaultOutputModes"], serde_json::json!(["text/markdown"]));
    assert_eq!(value["skills"][0]["description"], "Counts days.");
    let ours = &value["capabilities"]["extensions"][0]["params"];
    assert_eq!((&ours["memory"], &ours["textInput"]), (&Value::Bool(false), &"主题".into()));
    let modes = r#"{"defaultInputModes":["text/plain"]}"#;
    let value: Value = serde_json::from_str(body(&card(CardStyle::Hybrid, modes, &with_inputs()))).unwrap();
    assert!(value["skills"][0]["inputModes"].is_null() && !value["skills"][0]["outputModes"].is_null());
}

#[test]
fn the_words_say_what_a_caller_has_to_know() {
    let said = |profile: &Profile| app::how_to_use("Does it.", profile);
    assert_eq!(said(&Profile::default()), "Does it.");
    assert!(app::params(&Profile::default()).is_none());
    let silent = Profile { takes_text: false, ..Profile::default() };
    assert!(said(&silent).contains("takes no text"));
    assert_eq!(app::params(&silent).unwrap().get(), r#"{"text":false}"#);
    assert!(
        said(&with_inputs()).ends_with("characters (required)\n- and 2 more"),
        "{}",
        said(&with_inputs())
    );
}

#[test]
fn c19_the_hybrid_card_has_what_03_demands_and_the_pure_one_none_of_it() {
    let members = |style| -> Value { serde_json::from_str(body(&card(style, "{}", &profile()))).unwrap() };
    let (hybrid, pure) = (members(CardStyle::Hybrid), members(CardStyle::V1));
    for name in ["url", "protocolVersion", "preferredTransport", "additionalInterfaces"] {
        assert!(!hybrid[name].is_null() && pure[name].is_null(), "{name}");
    }
}

/// What a card says of interfaces: those of 1.0, and what clients of 0.3 read.
fn told(style: CardStyle, listed: &[Binding]) -> (Vec<String>, Vec<String>) {
    let offer = Offer { bindings: Bindings::new(listed.to_vec()).unwrap(), ..Offer::default() };
    let document = CardSource::new(style, offer, Overlay::default()).render(&profile(), "https://h/x");
    let official: AgentCard = serde_json::from_str(body(&document)).unwrap();
    let of_v1 = official.supported_interfaces.iter().map(|interface| {
        format!("{} {} {}", interface.protocol_binding, interface.protocol_version, interface.url)
    });
    let card: Value = serde_json::from_str(body(&document)).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut of_v03 = Vec::new();
    if card.get("url").is_some() {
        of_v03.push(format!("{} {}", text(&card["preferredTransport"]), text(&card["url"])));
        for interface in card["additionalInterfaces"].as_array().unwrap() {
            of_v03.push(format!("{} {}", text(&interface["transport"]), text(&interface["url"])));
        }
    }
    (of_v1.collect(), of_v03)
}

#[test]
fn c03_c04_c05_c19_the_card_says_exactly_what_is_on_in_order_of_preference() {
    use Binding::{Grpc, Http, JsonRpc};
    let (hybrid, v1) = (CardStyle::Hybrid, CardStyle::V1);
    let (rpc, http, grpc) = ("https://h/x/a2a", "https://h/x", "h:443");
    for (style, listed, of_v1, of_v03) in [
        (
            hybrid,
            &[JsonRpc, Http, Grpc][..],
            &[
                ("JSONRPC 1.0", rpc),
                ("HTTP+JSON 1.0", http),
                ("GRPC 1.0", grpc),
                ("JSONRPC 0.3", rpc),
                ("HTTP+JSON 0.3", http),
                ("GRPC 0.3", grpc),
            ][..],
            &[("JSONRPC", rpc), ("JSONRPC", rpc), ("HTTP+JSON", http), ("GRPC", grpc)][..],
        ),
        (
            hybrid,
            &[Grpc, Http, JsonRpc],
            &[
                ("GRPC 1.0", grpc),
                ("HTTP+JSON 1.0", http),
                ("JSONRPC 1.0", rpc),
                ("GRPC 0.3", grpc),
                ("HTTP+JSON 0.3", http),
                ("JSONRPC 0.3", rpc),
            ],
            &[("GRPC", grpc), ("GRPC", grpc), ("HTTP+JSON", http), ("JSONRPC", rpc)],
        ),
        (
            hybrid,
            &[Http],
            &[("HTTP+JSON 1.0", http), ("HTTP+JSON 0.3", http)],
            &[("HTTP+JSON", http), ("HTTP+JSON", http)],
        ),
        (hybrid, &[Grpc], &[("GRPC 1.0", grpc), ("GRPC 0.3", grpc)], &[("GRPC", grpc), ("GRPC", grpc)]),
        (
            v1,
            &[Http, Grpc, JsonRpc],
            &[("HTTP+JSON 1.0", http), ("GRPC 1.0", grpc), ("JSONRPC 1.0", rpc)],
            &[],
        ),
    ] {
        let lines =
            |all: &[(&str, &str)]| all.iter().map(|(name, url)| format!("{name} {url}")).collect::<Vec<_>>();
        assert_eq!(told(style, listed), (lines(of_v1), lines(of_v03)), "{style:?} {listed:?}");
    }
}

#[test]
fn the_path_of_the_binding_is_there_once_however_the_base_is_given() {
    let source = CardSource::default();
    for (base, url) in [
        ("https://a.example", "https://a.example/a2a"),
        ("https://a.example/", "https://a.example/a2a"),
        ("https://a.example/a2a", "https://a.example/a2a"),
        ("https://a.example/x/a2a/", "https://a.example/x/a2a"),
        ("https://a.example/xa2a", "https://a.example/xa2a/a2a"),
    ] {
        let card: Value = serde_json::from_slice(&source.render(&profile(), base).body).unwrap();
        assert_eq!(card["supportedInterfaces"][0]["url"], url, "{base}");
        assert_eq!(card["url"], url, "{base}");
        let legacy: Value = serde_json::from_slice(&source.render_legacy(&profile(), base).body).unwrap();
        assert_eq!(legacy["endpoints"]["message_send"], url, "{base}");
        let tasks = format!("{}/tasks/get", url.strip_suffix("/a2a").unwrap());
        assert_eq!(legacy["endpoints"]["tasks_get"], tasks, "{base}");
    }
}

#[test]
fn c08_the_etag_changes_with_the_card() {
    let first = card(CardStyle::Hybrid, "{}", &profile());
    let same = card(CardStyle::Hybrid, "{}", &profile());
    let other = card(CardStyle::Hybrid, r#"{"version":"9"}"#, &profile());
    assert_eq!(first.etag, same.etag);
    assert_ne!(first.etag, other.etag);
    assert!(first.etag.starts_with('"') && first.etag.len() == 66);
}

#[test]
fn what_dify_says_shows_only_where_the_file_is_silent() {
    let value: Value = serde_json::from_str(body(&card(CardStyle::Hybrid, FULL, &profile()))).unwrap();
    assert_eq!((&value["name"], &value["skills"][0]["id"]), (&"Leave bot".into(), &"leave".into()));
    let value: Value =
        serde_json::from_str(body(&card(CardStyle::Hybrid, r#"{"version":"9"}"#, &profile()))).unwrap();
    assert_eq!((&value["name"], &value["version"]), (&"HR helper".into(), &"9".into()));
}

#[test]
fn an_icon_that_no_client_can_open_is_left_out() {
    for icon in ["🤖", "/files/icon.png", "data:image/png;base64,xx", " "] {
        let profile = Profile { icon_url: Some(icon.to_owned()), ..profile() };
        assert!(!body(&card(CardStyle::Hybrid, "{}", &profile)).contains("iconUrl"), "{icon}");
    }
}

#[test]
fn c11_what_a_file_cannot_decide_is_refused() {
    let file = r#"{"supportedInterfaces":[],"url":"https://x","securitySchemes":{},"signatures":[],
        "capabilities":{"pushNotifications":true,"streaming":false}}"#;
    let mut fields = problems(file);
    fields.sort();
    let expected = [
        "capabilities.pushNotifications",
        "capabilities.streaming",
        "securitySchemes",
        "signatures",
        "supportedInterfaces",
        "url",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn every_wrong_field_of_a_file_is_named() {
    let file = r#"{"name":"","nmae":"x","iconUrl":"icon.png","provider":{"organization":"E"},
        "skills":[{"id":"a","name":"A","description":"d"},{"id":"b","name":"B","description":"d","tags":["t"]},
            {"id":"b","name":"B","description":"d","tags":["t"]}],
        "defaultInputModes":["text"],"capabilities":{"extensions":[{}]}}"#;
    let fields = [
        "nmae",
        "skills[0].tags",
        "capabilities.extensions[0].uri",
        "skills",
        "name",
        "provider.url",
        "iconUrl",
        "defaultInputModes",
    ];
    assert_eq!(problems(file), fields);
    assert_eq!(problems("[]"), ["the file"]);
    assert!(matches!(Overlay::parse("{"), Err(OverlayError::Syntax(_))));
}

#[test]
fn a_dify_block_with_keys_is_refused_without_repeating_them() {
    let error = Overlay::parse(r#"{"capabilities":[],"dify":{"api_key":"app-secret"}}"#).unwrap_err();
    assert!(error.to_string().contains("DIFY_API_KEY") && !error.to_string().contains("app-secret"));
    assert!(Overlay::parse(r#"{"capabilities":[],"dify":{}}"#).is_ok());
}

#[test]
fn the_older_form_is_read() {
    let overlay = Overlay::parse(OLDER).unwrap();
    let skills: Vec<_> =
        overlay.skills.iter().map(|skill| (skill.id.as_str(), skill.description.as_str())).collect();
    assert_eq!(skills, [("ask-questions", "asks"), ("bare", "bare")]);
    assert_eq!(overlay.metadata.unwrap().get(), r#"{"team": 1.0}"#);
}

#[test]
fn the_card_file_of_the_repository_leaves_what_dify_says() {
    let overlay = Overlay::parse(include_str!("../../../agentcard.json")).unwrap();
    assert!(overlay.name.is_none() && overlay.description.is_none() && overlay.skills.is_empty());
}

#[test]
fn v10_v12_extensions_that_no_client_can_list_are_refused() {
    for uri in ["urn:a,b", "urn:a b", "urn:ä"] {
        let file = format!(r#"{{"capabilities":{{"extensions":[{{"uri":"{uri}","required":true}}]}}}}"#);
        assert_eq!(problems(&file), ["capabilities.extensions[0].uri"], "{uri}");
    }
}

#[test]
fn v10_required_extensions_are_known() {
    let source = CardSource::new(CardStyle::Hybrid, Offer::default(), Overlay::parse(FULL).unwrap());
    assert_eq!(source.required_extensions().collect::<Vec<_>>(), ["urn:x"]);
}
