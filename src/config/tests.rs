use std::ffi::OsString;
use std::time::Duration;

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::table::{LATER, SETTINGS};
use super::*;

const KEY: &str = "app-0123456789abcdef";

/// A working directory with files in it, and an environment.
pub(super) struct Place {
    pub(super) dir: TempDir,
    env: Vec<(OsString, OsString)>,
    command_line: CommandLine,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), env: Vec::new(), command_line: CommandLine::default() }
    }

    pub(super) fn with_key() -> Self {
        Self::new().env("DIFY_API_KEY", KEY)
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    pub(super) fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    pub(super) fn flag(mut self, name: &'static str, env: &'static str, value: &str) -> Self {
        self.command_line.flags.push(Flag { name, env, value: value.to_owned() });
        self
    }

    pub(super) fn config(mut self, path: &str) -> Self {
        self.command_line.config = Some(path.into());
        self
    }

    pub(super) fn load(&self) -> Result<Loaded, Problems> {
        Settings::load(Purpose::Dify, &self.command_line, self.env.iter().cloned(), self.dir.path())
    }

    pub(super) fn settings(&self) -> Settings {
        self.load().unwrap().settings
    }

    /// The problems, one `Display` each.
    pub(super) fn problems(&self) -> Vec<String> {
        self.load().expect_err("problems were expected").iter().map(ToString::to_string).collect()
    }

    /// The only problem.
    pub(super) fn problem(&self) -> String {
        let problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems.into_iter().next().unwrap()
    }
}

#[test]
fn the_defaults_are_those_that_are_documented() {
    let settings = Place::with_key().settings();
    assert_eq!(settings.dify.url.as_str(), "https://api.dify.ai/v1/");
    assert_eq!(settings.dify.key.expose_secret(), KEY);
    assert_eq!(settings.dify.user, DifyUser::Auto);
    assert_eq!(settings.dify.think, Think::Metadata);
    assert_eq!(settings.dify.connect_timeout, Duration::from_secs(10));
    assert_eq!(settings.dify.first_event_timeout, Duration::from_secs(30));
    assert_eq!(settings.dify.idle_timeout, Duration::from_secs(90));
    assert_eq!(settings.dify.turn_timeout, Duration::from_secs(1_800));
    assert_eq!((settings.dify.workflow_id, settings.dify.query_input), (None, None));
    assert!(settings.dify.inputs.0.is_empty() && settings.dify.locked_inputs.is_empty());
    assert_eq!(settings.dify.missing_inputs, MissingInputs::Ask);
    assert_eq!(settings.dify.progress, ProgressLevel::Brief);
    assert!(!settings.dify.suggested);
    assert_eq!(settings.dify.files, FileDelivery::Serve);
    assert_eq!((settings.server.host.as_str(), settings.server.port), ("0.0.0.0", 8080));
    assert_eq!(settings.server.public_url, None);
    assert_eq!(settings.server.cors, Cors::Any);
    assert_eq!(settings.server.max_body_bytes, 33_554_432);
    assert_eq!(settings.server.max_concurrent_turns, 1024);
    assert_eq!(settings.server.keep_alive, Duration::from_secs(2));
    assert_eq!(settings.server.answer_close, AnswerClose::Whole);
    assert_eq!(settings.server.idempotency_window, Duration::from_secs(300));
    assert_eq!(settings.server.shutdown_grace, Duration::from_secs(30));
    assert_eq!(settings.store.url, StoreUrl::Memory);
    assert_eq!(settings.store.ttl, Duration::from_secs(86_400));
    assert_eq!(settings.store.max_tasks, 100_000);
    assert_eq!(settings.files.dir, None);
    assert_eq!((settings.files.max_bytes, settings.files.max_total), (20_971_520, 1_073_741_824));
    assert!(settings.push.egress_allow.is_empty());
    assert_eq!(settings.card.file, None);
    assert_eq!(settings.card.style, CardStyle::Hybrid);
    assert_eq!(settings.log.filter, "info");
    assert_eq!(settings.log.format, LogFormat::Text);
}

#[test]
fn the_reference_file_has_every_setting_with_its_environment_name() {
    for setting in SETTINGS {
        let (_, name) = setting.key.split_once('.').unwrap();
        assert!(
            DEFAULTS
                .lines()
                .any(|line| line.starts_with(&format!("{name} = "))
                    || line.starts_with(&format!("# {name} = "))),
            "{}",
            setting.key
        );
        assert!(DEFAULTS.contains(setting.env), "{}", setting.env);
    }
}

#[test]
fn the_example_environment_has_every_setting_and_loads() {
    let example = include_str!("../../.env.example");
    for setting in SETTINGS {
        let lines = || example.lines().map(|line| line.trim_start_matches("# "));
        assert!(lines().any(|line| line.starts_with(&format!("{}=", setting.env))), "{}", setting.env);
    }
    let loaded = Place::new().file(".env", example).file("agentcard.json", "{}").load().unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn the_readme_has_every_setting_with_its_default() {
    let readme = include_str!("../../README.md");
    let row = |name: &str| {
        let named = |line: &&str| line.starts_with("| `") && line.split(" | ").next().unwrap().contains(name);
        readme.lines().find(named).unwrap_or_else(|| panic!("{name} is missing"))
    };
    let mut section = "";
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((name, default)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            let key = format!("{section}.{name}");
            let setting = SETTINGS.iter().find(|setting| setting.key == key).unwrap();
            let shown = format!("`{}`", default.trim_matches('"'));
            assert!(row(&format!("`{}`", setting.env)).contains(&shown), "{}: {shown}", setting.env);
        }
    }
    for setting in SETTINGS {
        row(&format!("`{}`", setting.env));
    }
}

#[test]
fn every_layer_wins_over_the_one_before_it() {
    let place = Place::with_key();
    assert_eq!(place.settings().server.port, 8080);
    let place = place.file("gateway.toml", "[server]\nport = 1001\nhost = '127.0.0.1'");
    assert_eq!(place.settings().server.port, 1001);
    let place = place.file(".env", "PORT=1002\n");
    assert_eq!(place.settings().server.port, 1002);
    let place = place.env("PORT", "1003");
    assert_eq!(place.settings().server.port, 1003);
    let place = place.flag("--port", "PORT", "1004");
    assert_eq!(place.settings().server.port, 1004);
    assert_eq!(place.settings().server.host, "127.0.0.1");
}

#[test]
fn a_named_file_replaces_the_usual_one_and_must_exist() {
    let place =
        Place::with_key().file("gateway.toml", "[server]\nport = 1").file("other.toml", "[server]\nport = 2");
    assert_eq!(place.config("other.toml").settings().server.port, 2);
    let problem = Place::with_key().config("absent.toml").problem();
    assert!(problem.contains("absent.toml") && problem.contains("from --config"), "{problem}");
}

#[test]
fn each_problem_tells_setting_origin_fault_and_remedy() {
    let problem = Place::with_key().file(".env", "DIFY_TURN_TIMEOUT='5 parsecs'").problem();
    assert!(problem.starts_with("DIFY_TURN_TIMEOUT (dify.turn_timeout in TOML), from /"), "{problem}");
    assert!(problem.contains("/.env: \"5 parsecs\" has an unknown unit"), "{problem}");
    assert!(problem.contains("allowed: 10ms to 7d, as 250ms, 10s"), "{problem}");

    let problem = Place::with_key().flag("--port", "PORT", "70000").problem();
    assert!(problem.contains("from the command line (--port): 70000 is out of range"), "{problem}");
    let problem = Place::with_key().env("CARD_STYLE", "v2").problem();
    assert!(problem.contains("from the environment: \"v2\" is not known"), "{problem}");
    assert!(problem.contains("allowed: hybrid, v1"), "{problem}");
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_settings() {
    let place = Place::new()
        .file("gateway.toml", "[serer]\nport = 1\n[dify]\nulr = 'x'\n[log]\nformat = 'xml'")
        .file(".env", "CARD_STYLE=v3")
        .env("PORT", "http")
        .env("AUTH_API_KEYS", "me:hunter2")
        .flag("--host", "HOST", "a b");
    let problems = place.problems();
    let settings: Vec<&str> = problems.iter().map(|text| text.split([' ', ',']).next().unwrap()).collect();
    assert_eq!(
        settings,
        ["dify.ulr", "serer", "AUTH_API_KEYS", "DIFY_API_KEY", "HOST", "PORT", "CARD_STYLE", "LOG_FORMAT"]
    );
    assert!(problems[0].contains("did you mean dify.url?"), "{}", problems[0]);
    assert!(problems[1].contains("did you mean server?"), "{}", problems[1]);
    let text = place.load().unwrap_err().to_string();
    assert!(text.starts_with("the configuration has 8 problems\n"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn the_key_is_required_except_for_the_demo() {
    let place = Place::new().env("DIFY_API_KEY", " ");
    assert!(place.problem().contains("is required and not set"));
    let demo = Settings::load(Purpose::Demo, &place.command_line, [], place.dir.path()).unwrap();
    assert_eq!(demo.settings.dify.key.expose_secret(), crate::demo::KEY);
}

#[test]
fn a_key_is_never_repeated() {
    for bad in ["Bearer app-s3cret", "app-s3cret with space", "app-s3cretß"] {
        let problem = Place::new().env("DIFY_API_KEY", bad).problem();
        assert!(!problem.contains("s3cret"), "{problem}");
    }
    let loaded = Place::new().env("DIFY_API_KEY", "s3cret-of-a-proxy").load().unwrap();
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert!(warning.to_string().contains("begins with app-"), "{warning}");
    assert!(!format!("{loaded:?} {warning}").contains("s3cret"));

    let misplaced = Place::with_key().env("DIFY_API_URL", "app-s3cret").problem();
    assert!(!misplaced.contains("s3cret"), "{misplaced}");
    let broken = Place::with_key().file("gateway.toml", "[dify]\nkey = \"app-s3cret\nurl = 1").problem();
    assert!(!broken.contains("s3cret") && broken.starts_with("line 2,"), "{broken}");
    let broken = Place::new().file(".env", "DIFY_API_KEY=app-s3cret is here").problems().join("\n");
    assert!(!broken.contains("s3cret"), "{broken}");
}

#[test]
fn the_api_address_may_lack_v1() {
    let url = |text: &str| Place::with_key().env("DIFY_API_URL", text).settings().dify.url.to_string();
    assert_eq!(url("http://dify.local"), "http://dify.local/v1/");
    assert_eq!(url("http://dify.local/v1"), "http://dify.local/v1/");
    assert_eq!(url("https://h:8443/dify/v1/"), "https://h:8443/dify/v1/");
    assert_eq!(url("https://h/dify/"), "https://h/dify/v1/");
}

#[test]
fn origins_come_as_lists_of_three_kinds() {
    let cors = |text: &str| Place::with_key().env("CORS_ORIGINS", text).settings().server.cors;
    assert_eq!(cors("[]"), Cors::Off);
    assert_eq!(cors("*"), Cors::Any);
    let two = Cors::Only(vec!["https://a.example".parse().unwrap(), "http://b:81".parse().unwrap()]);
    assert_eq!(cors("https://a.example/, http://b:81"), two);
    assert_eq!(cors(r#"["https://a.example:443","http://b:81"]"#), two);
    let toml =
        Place::with_key().file("gateway.toml", "[server]\ncors = ['https://a.example', 'http://b:81']");
    assert_eq!(toml.settings().server.cors, two);
    for bad in ["a.example", "[1]", "[", r#"["*","https://a"]"#, "https://a/path", "https://u:p@a", "null"] {
        let problem = Place::with_key().env("CORS_ORIGINS", bad).problem();
        assert!(problem.starts_with("CORS_ORIGINS"), "{problem}");
    }
}

#[test]
fn stores_of_later_versions_are_refused_without_their_passwords() {
    let problem = Place::with_key().env("STORE_URL", "postgres://me:hunter2@h/db").problem();
    assert!(problem.contains("postgres: stores are not available in this version"), "{problem}");
    assert!(!problem.contains("hunter2"), "{problem}");
    assert!(Place::with_key().env("STORE_URL", "etcd:x").problem().contains("not a known store"));
}

#[test]
fn settings_of_later_versions_stop_the_start_only_if_they_protect() {
    for (setting, policy) in LATER {
        let place = Place::with_key().env(setting.env, "some value");
        let (section, name) = setting.key.split_once('.').unwrap();
        let toml = Place::with_key().file("gateway.toml", &format!("[{section}]\n{name} = 'some value'"));
        for place in [place, toml] {
            match policy {
                table::Unavailable::Refused => {
                    assert!(place.problem().contains("not available in this version"));
                }
                table::Unavailable::Ignored => {
                    let warnings = place.load().unwrap().warnings;
                    assert_eq!(warnings.len(), 1, "{warnings:?}");
                    assert!(warnings[0].setting.starts_with(setting.env));
                }
            }
        }
    }
    assert!(Place::with_key().env("AUTH_API_KEY", "me:k").problem().contains("looks like a protection"));
}

#[test]
fn slips_in_environment_names_are_pointed_out() {
    let loaded = Place::with_key().env("DIFY_API_ULR", "x").env("DIFY_TURN_TIMEOUTS", "1s").load().unwrap();
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert!(warning.to_string().contains("did you mean DIFY_TURN_TIMEOUT?"), "{warning}");
}

#[test]
fn the_card_file_must_exist_if_it_is_named() {
    assert_eq!(Place::with_key().settings().card.file, None);
    let usual = Place::with_key().file("agentcard.json", "{}");
    assert_eq!(usual.settings().card.file, Some(usual.dir.path().join("agentcard.json")));
    let named = Place::with_key().file("mine.json", "{}").env("AGENT_CARD", "mine.json");
    assert_eq!(named.settings().card.file, Some(named.dir.path().join("mine.json")));
    let problem = Place::with_key().env("AGENT_CARD", "absent.json").problem();
    assert!(problem.contains("\"absent.json\" does not exist"), "{problem}");
}

#[test]
fn sections_and_values_of_the_wrong_kind_are_problems() {
    let problem = Place::with_key().file("gateway.toml", "server = 3").problem();
    assert!(problem.contains("write [server] on a line of its own"), "{problem}");
    let problem = Place::with_key().file("gateway.toml", "port = 3").problem();
    assert!(problem.contains("did you mean server.port?"), "{problem}");
    let problem = Place::with_key().file("gateway.toml", "[server]\nport = [3]").problem();
    assert!(problem.contains("a list is given"), "{problem}");
    let problem = Place::with_key().file("gateway.toml", "[kafka]\nx = 1").problem();
    assert!(
        problem.contains("allowed: the sections dify, server, store, files, push, card, log"),
        "{problem}"
    );
    let problem = Place::with_key().env("LOG_LEVEL", "inof").problem();
    assert!(problem.contains("\"inof\" is not a log filter"), "{problem}");
}

#[test]
fn the_env_file_may_hold_lines_of_other_programs() {
    let text = "\u{feff}PORT=99\nTITLE=My own agent\nexport HOST='::1'\n";
    let loaded = Place::with_key().file(".env", text).load().unwrap();
    assert_eq!((loaded.settings.server.host.as_str(), loaded.settings.server.port), ("::1", 99));
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
}

#[test]
fn the_demo_takes_no_send_for_a_repeat_unless_told_to() {
    let window = |place: &Place| {
        let env = place.env.iter().cloned();
        let loaded = Settings::load(Purpose::Demo, &place.command_line, env, place.dir.path());
        loaded.unwrap().settings.server.idempotency_window
    };
    assert_eq!(window(&Place::new()), Duration::ZERO);
    assert_eq!(window(&Place::new().env("IDEMPOTENCY_WINDOW", "5m")), Duration::from_secs(300));
    assert_eq!(
        window(&Place::new().file("gateway.toml", "[server]\nidempotency_window = \"7s\"")),
        Duration::from_secs(7)
    );
    assert_eq!(Place::with_key().settings().server.idempotency_window, Duration::from_secs(300));
}
