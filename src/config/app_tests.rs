//! The settings about an app's inputs, steps and files.

use super::tests::Place;
use super::*;
use crate::egress::EgressPolicy;

fn inputs_of(settings: &Settings) -> Vec<(&str, &str)> {
    settings.dify.inputs.0.iter().map(|(name, value)| (name.as_str(), value.get())).collect()
}

#[test]
fn values_of_inputs_come_as_a_table_or_as_json() {
    let json = r#"{"words":1.50,"a":{"b":[0E-7]},"none":null}"#;
    let settings = Place::with_key().env("DIFY_INPUTS", json).settings();
    assert_eq!(inputs_of(&settings), [("a", r#"{"b":[0E-7]}"#), ("none", "null"), ("words", "1.50")]);

    let toml = "[dify.inputs]\nlanguage = 'English'\nwords = 100\nratio = 0.5\nok = true\n\
                day = 2026-01-02\nlist = [1, 'a']\ntable = { x = 1 }";
    let place = Place::with_key().file("gateway.toml", toml);
    let settings = place.settings();
    let expected = [
        ("day", "\"2026-01-02\""),
        ("language", "\"English\""),
        ("list", "[1,\"a\"]"),
        ("ok", "true"),
        ("ratio", "0.5"),
        ("table", "{\"x\":1}"),
        ("words", "100"),
    ];
    assert_eq!(inputs_of(&settings), expected);
    // The environment's object is all there is then.
    assert_eq!(inputs_of(&place.env("DIFY_INPUTS", r#"{"a":1}"#).settings()), [("a", "1")]);
    for bad in ["s3cret", "\"s3cret\"", "[\"s3cret\"]", "{\"a\":s3cret}", "{\"a b\":\"s3cret\"}", "5"] {
        let problem = Place::with_key().env("DIFY_INPUTS", bad).problem();
        assert!(problem.starts_with("DIFY_INPUTS") && !problem.contains("s3cret"), "{problem}");
    }
    for bad in ["inputs = 5", "inputs = { a = nan }", "inputs = ['a']"] {
        assert!(
            Place::with_key()
                .file("gateway.toml", &format!("[dify]\n{bad}"))
                .problem()
                .contains("{ language =")
        );
    }
    let loaded = Place::with_key().env("DIFY_INPUTS", r#"{"token":"s3cret"}"#).load().unwrap();
    let shown = format!("{loaded:?}");
    assert!(shown.contains("token") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn what_callers_may_not_set_is_a_list_of_names() {
    let locked = |text: &str| Place::with_key().env("DIFY_LOCKED_INPUTS", text).settings().dify.locked_inputs;
    assert_eq!(locked("tenant, token,tenant"), ["tenant", "token"]);
    assert_eq!(locked(r#"["tenant","主题"]"#), ["tenant", "主题"]);
    assert_eq!(locked("[]"), [""; 0]);
    for bad in ["a,,b", "a b", "[1]", r#"[""]"#] {
        assert!(
            Place::with_key().env("DIFY_LOCKED_INPUTS", bad).problem().starts_with("DIFY_LOCKED_INPUTS"),
            "{bad}"
        );
    }
}

#[test]
fn the_workflow_and_its_text_are_named_exactly() {
    let dify = |name: &str, value: &str| Place::with_key().env(name, value).settings().dify;
    let id = "0A1B2C3D-0000-4000-8000-000000000000";
    assert_eq!(dify("DIFY_WORKFLOW_ID", id).workflow_id.unwrap(), id.to_lowercase());
    assert_eq!(dify("DIFY_QUERY_INPUT", " question ").query_input.as_deref(), Some("question"));
    let long = "x".repeat(101);
    for (name, bad) in
        [("DIFY_WORKFLOW_ID", "latest"), ("DIFY_QUERY_INPUT", "a b"), ("DIFY_QUERY_INPUT", long.as_str())]
    {
        assert!(Place::with_key().env(name, bad).problem().starts_with(name), "{bad}");
    }
}

#[test]
fn switches_take_their_words_only() {
    let dify = |name: &str, value: &str| Place::with_key().env(name, value).settings().dify;
    assert_eq!(dify("MISSING_INPUTS", "Reject").missing_inputs, MissingInputs::Reject);
    assert_eq!(dify("PROGRESS", "off").progress, ProgressLevel::Off);
    assert!(
        ProgressLevel::Off < ProgressLevel::Brief && ProgressLevel::Brief < dify("PROGRESS", "full").progress
    );
    assert!(dify("SUGGESTED", "on").suggested);
    assert_eq!(dify("FILES", "link").files, FileDelivery::Link);
    for (name, allowed) in [
        ("MISSING_INPUTS", "ask, reject"),
        ("PROGRESS", "off, brief, full"),
        ("SUGGESTED", "on, off"),
        ("FILES", "serve, link"),
    ] {
        let problem = Place::with_key().env(name, "maybe").problem();
        assert!(problem.starts_with(name) && problem.contains(allowed), "{problem}");
    }
}

#[test]
fn served_files_have_a_folder_and_bounds() {
    let place = Place::with_key().file("a-file", "x").env("FILES_DIR", ".").env("FILES_MAX_BYTES", "2MiB");
    let files = place.settings().files;
    assert_eq!((files.dir, files.max_bytes), (Some(place.dir.path().join(".")), 2 << 20));
    for (name, bad, wrong) in [
        ("FILES_DIR", "absent", "does not exist"),
        ("FILES_DIR", "a-file", "is not a folder"),
        ("FILES_MAX_BYTES", "10", "out of range"),
        ("FILES_MAX_TOTAL", "1MiB", "too few for one file of 20971520"),
    ] {
        let problem = Place::with_key().file("a-file", "x").env(name, bad).problem();
        assert!(problem.starts_with(name) && problem.contains(wrong), "{problem}");
    }
}

#[test]
fn egress_is_opened_to_hosts_addresses_and_blocks() {
    let allow = |text: &str| Place::with_key().env("EGRESS_ALLOW", text).settings().push.egress_allow;
    let listed = |entries: &[&str]| {
        EgressPolicy::parse(&entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>()).unwrap()
    };
    assert_eq!(allow("10.0.0.0/8, minio,*.internal"), listed(&["10.0.0.0/8", "minio", "*.internal"]));
    assert_eq!(allow(r#"["fd00::/8","::1","[::1]","127.0.0.1","a.b-c.d"]"#).len(), 5);
    let toml = Place::with_key().file("gateway.toml", "[push]\negress_allow = ['minio']");
    assert_eq!(toml.settings().push.egress_allow, listed(&["minio"]));
    for (bad, wrong) in [
        ("10.0.0.0/33", "too long a prefix"),
        ("::/129", "too long a prefix"),
        // Bits of a host behind the block's own: it is not plain what is meant.
        ("10.0.0.1/8", "bits beyond its prefix"),
        ("minio,fd00::1/64", "\"fd00::1/64\" has an address with bits beyond"),
        ("10.0.0.0/+8", "no number after its slash"),
        ("http://h", "is a URL"),
        ("h/8", "no IP address"),
        ("h:80", "neither a host name nor an address"),
        ("*", "neither a host name nor an address"),
        ("a..b", "neither a host name nor an address"),
        ("a b", "neither a host name nor an address"),
        ("127.1", "not written in full"),
        ("-/8", "no IP address"),
        ("[1]", "not a JSON list of strings"),
    ] {
        let problem = Place::with_key().env("EGRESS_ALLOW", bad).problem();
        assert!(problem.starts_with("EGRESS_ALLOW") && problem.contains(wrong), "{bad}: {problem}");
    }
}
