//! Reads the merged layers setting by setting into the [`Settings`] tree, going on after each problem.

use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::value::Value;
use secrecy::SecretString;
use url::Url;

use super::parse::{self, Wrong, shown};
use super::problem::{Finding, Problems};
use super::settings::{
    AnswerClose, Card, CardStyle, Dify, DifyUser, FileDelivery, Files, Log, LogFormat, MissingInputs,
    ProgressLevel, Push, Server, Settings, Store, StoreUrl, Think,
};
use crate::edge::binding::{Binding, Bindings};

use super::sources::{Gathered, THE_DEFAULTS};
use super::table::{self, Setting};
use super::{Loaded, Purpose, inputs, network};

/// The card file that is used when none is named.
const USUAL_CARD: &str = "agentcard.json";

/// Timers shorter than this fire before any network answers.
const SHORTEST: Duration = Duration::from_millis(10);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
const TEN_YEARS: Duration = Duration::from_secs(3_650 * 86_400);

/// Smallest useful ceiling of a request body, bytes: a short message with its envelope.
const SMALLEST_BODY: usize = 1 << 10;
/// Largest one: bodies are held in memory.
const LARGEST_BODY: usize = 1 << 30;
/// More turns than sockets makes no sense.
const MOST_TURNS: usize = 1_000_000;
/// A bound on tasks in memory that no machine of today needs to exceed.
const MOST_TASKS: usize = 100_000_000;
/// Smallest useful bound of a file, bytes.
const SMALLEST_FILE: usize = 1 << 10;
/// A bound on files that no machine of today needs to exceed, bytes.
const LARGEST_FILES: usize = 1 << 40;
/// Longest `user` that Dify's database column takes, bytes.
const LONGEST_USER: usize = 255;

/// Makes the settings of the layers.
pub(super) fn settings(gathered: Gathered, purpose: Purpose, working_dir: &Path) -> Result<Loaded, Problems> {
    let Gathered { figment, problems, warnings } = gathered;
    let mut reader = Reader { figment, problems, warnings };
    let dify = reader.dify(purpose);
    let server = reader.server(purpose);
    let store = reader.store();
    let files = reader.files(working_dir);
    let push = reader.push();
    let card = reader.card(working_dir);
    let log = reader.log();
    match (dify, server, store, files, push, card, log) {
        (Some(dify), Some(server), Some(store), Some(files), Some(push), Some(card), Some(log))
            if reader.problems.is_empty() =>
        {
            let settings = Settings { dify, server, store, files, push, card, log };
            Ok(Loaded { settings, warnings: reader.warnings })
        }
        _ => Err(Problems::new(reader.problems)),
    }
}

/// The layers, with what was wrong so far. A method that gives `None` has noted a problem.
struct Reader {
    figment: Figment,
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Reader {
    /// A setting that has a default.
    fn get<T>(&mut self, setting: Setting, parse: impl FnOnce(&Value) -> Result<T, Wrong>) -> Option<T> {
        let found = self.optional(setting, parse)?;
        if found.is_none() {
            self.note(setting, THE_DEFAULTS, Wrong::new("there is no value", "give one"));
        }
        found
    }

    /// A setting that may be absent: `Some(None)` if it is.
    fn optional<T>(
        &mut self,
        setting: Setting,
        parse: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<Option<T>> {
        let Ok(value) = self.figment.find_value(setting.key) else { return Some(None) };
        match parse(&value) {
            Ok(parsed) => Some(Some(parsed)),
            Err(wrong) => {
                let origin = self.origin(&value);
                self.note(setting, &origin, wrong);
                None
            }
        }
    }

    fn origin(&self, value: &Value) -> String {
        let metadata = self.figment.get_metadata(value.tag());
        metadata.map_or_else(|| THE_DEFAULTS.to_owned(), |metadata| metadata.name.to_string())
    }

    /// Whether nobody has set it.
    fn is_default(&self, setting: Setting) -> bool {
        self.figment.find_value(setting.key).is_ok_and(|value| self.origin(&value) == THE_DEFAULTS)
    }

    fn note(&mut self, setting: Setting, origin: &str, wrong: Wrong) {
        self.problems.push(Finding {
            setting: setting.label(),
            origin: origin.to_owned(),
            wrong: wrong.what,
            mend: wrong.mend,
        });
    }

    fn dify(&mut self, purpose: Purpose) -> Option<Dify> {
        let key = self.key(purpose);
        let url = self.get(table::DIFY_API_URL, api_url);
        let user = self.get(table::DIFY_USER, user);
        let think = self.get(table::DIFY_THINK, |value| {
            parse::one_of(
                value,
                &[("metadata", Think::Metadata), ("keep", Think::Keep), ("drop", Think::Drop)],
            )
        });
        let connect = self.duration(table::DIFY_CONNECT_TIMEOUT, SHORTEST, TEN_MINUTES);
        let first_event = self.duration(table::DIFY_FIRST_EVENT_TIMEOUT, SHORTEST, DAY);
        let idle = self.duration(table::DIFY_IDLE_TIMEOUT, SHORTEST, DAY);
        let turn = self.duration(table::DIFY_TURN_TIMEOUT, SHORTEST, WEEK);
        let workflow_id = self.optional(table::DIFY_WORKFLOW_ID, inputs::workflow_id);
        let query_input = self.optional(table::DIFY_QUERY_INPUT, inputs::variable);
        let defaults = self.optional(table::DIFY_INPUTS, inputs::defaults);
        let locked = self.get(table::DIFY_LOCKED_INPUTS, inputs::locked);
        let missing = self.get(table::MISSING_INPUTS, |value| {
            parse::one_of(value, &[("ask", MissingInputs::Ask), ("reject", MissingInputs::Reject)])
        });
        let progress = self.get(table::PROGRESS, |value| {
            let levels =
                [("off", ProgressLevel::Off), ("brief", ProgressLevel::Brief), ("full", ProgressLevel::Full)];
            parse::one_of(value, &levels)
        });
        let suggested =
            self.get(table::SUGGESTED, |value| parse::one_of(value, &[("on", true), ("off", false)]));
        let files = self.get(table::FILES, |value| {
            parse::one_of(value, &[("serve", FileDelivery::Serve), ("link", FileDelivery::Link)])
        });
        Some(Dify {
            url: url?,
            key: key?,
            user: user?,
            think: think?,
            connect_timeout: connect?,
            first_event_timeout: first_event?,
            idle_timeout: idle?,
            turn_timeout: turn?,
            workflow_id: workflow_id?,
            query_input: query_input?,
            inputs: defaults?.unwrap_or_default(),
            locked_inputs: locked?,
            missing_inputs: missing?,
            progress: progress?,
            suggested: suggested?,
            files: files?,
        })
    }

    fn key(&mut self, purpose: Purpose) -> Option<SecretString> {
        let setting = table::DIFY_API_KEY;
        match (self.optional(setting, api_key)?, purpose) {
            (Some(key), _) => {
                if !key.starts_with("app-") {
                    let value = self.figment.find_value(setting.key).ok();
                    let origin = value.map(|value| self.origin(&value)).unwrap_or_default();
                    let mend = "the key of one app is under API Access in Dify; ignore this if a proxy has keys of its own";
                    self.warnings.push(Finding {
                        setting: setting.label(),
                        origin,
                        wrong: "does not look like the key of a Dify app, which begins with app-".to_owned(),
                        mend: mend.to_owned(),
                    });
                }
                Some(SecretString::from(key))
            }
            (None, Purpose::Demo) => Some(SecretString::from(crate::demo::KEY)),
            (None, Purpose::Dify) => {
                let mend = "set it in the environment or in .env to the app's key (app-…, from API Access in Dify); \
                            to try the gateway without Dify, run `dify-a2a demo`";
                self.note(setting, "nowhere", Wrong::new("is required and not set", mend));
                None
            }
        }
    }

    fn server(&mut self, purpose: Purpose) -> Option<Server> {
        let host = self.get(table::HOST, parse::host);
        let port = self.get(table::PORT, |value| parse::count(value, 0..=u16::MAX));
        let public_url = self.optional(table::PUBLIC_URL, parse::http_url);
        let trusted_proxies = self.get(table::TRUSTED_PROXIES, network::proxies);
        let bindings = self.get(table::BINDINGS, network::bindings);
        let grpc_port = self.optional(table::GRPC_PORT, |value| network::grpc_port(value, port));
        let grpc_url = self.optional(table::GRPC_URL, network::host_and_port);
        let cors = self.get(table::CORS_ORIGINS, network::cors);
        let max_body_bytes =
            self.get(table::MAX_BODY_BYTES, |value| parse::size(value, SMALLEST_BODY..=LARGEST_BODY));
        let max_turns = self.get(table::MAX_CONCURRENT_TURNS, |value| parse::count(value, 1..=MOST_TURNS));
        let keep_alive = self.duration(table::KEEP_ALIVE, SHORTEST, TEN_MINUTES);
        let answer_close = self.get(table::ANSWER_CLOSE, |value| {
            parse::one_of(value, &[("whole", AnswerClose::Whole), ("delta", AnswerClose::Delta)])
        });
        let mut idempotency_window = self.duration(table::IDEMPOTENCY_WINDOW, Duration::ZERO, DAY);
        if purpose == Purpose::Demo && self.is_default(table::IDEMPOTENCY_WINDOW) {
            // The calls that it prints are there to be repeated, and have the same messageId each time.
            idempotency_window = Some(Duration::ZERO);
        }
        self.look_for_idle_grpc(bindings.as_ref());
        let shutdown_grace = self.duration(table::SHUTDOWN_GRACE, Duration::ZERO, DAY);
        Some(Server {
            host: host?,
            port: port?,
            public_url: public_url?,
            trusted_proxies: trusted_proxies?,
            bindings: bindings?,
            grpc_port: grpc_port?,
            grpc_url: grpc_url?,
            cors: cors?,
            max_body_bytes: max_body_bytes?,
            max_concurrent_turns: max_turns?,
            keep_alive: keep_alive?,
            answer_close: answer_close?,
            idempotency_window: idempotency_window?,
            shutdown_grace: shutdown_grace?,
        })
    }

    /// Points out settings of gRPC that have no effect because it is off.
    fn look_for_idle_grpc(&mut self, bindings: Option<&Bindings>) {
        if bindings.is_none_or(|bindings| bindings.has(Binding::Grpc)) {
            return;
        }
        for setting in [table::GRPC_PORT, table::GRPC_URL] {
            let Ok(value) = self.figment.find_value(setting.key) else { continue };
            let finding = Finding {
                setting: setting.label(),
                origin: self.origin(&value),
                wrong: "has no effect: gRPC is not among BINDINGS".to_owned(),
                mend: "leave it out, or add grpc to BINDINGS".to_owned(),
            };
            self.warnings.push(finding);
        }
    }

    fn store(&mut self) -> Option<Store> {
        let url = self.get(table::STORE_URL, store_url);
        let ttl = self.duration(table::TASK_TTL, SHORTEST, TEN_YEARS);
        let max_tasks = self.get(table::MAX_TASKS, |value| parse::count(value, 1..=MOST_TASKS));
        Some(Store { url: url?, ttl: ttl?, max_tasks: max_tasks? })
    }

    fn files(&mut self, working_dir: &Path) -> Option<Files> {
        let bytes = |value: &Value| parse::size(value, SMALLEST_FILE..=LARGEST_FILES);
        let dir = self.optional(table::FILES_DIR, |value| parse::existing_folder(value, working_dir));
        let max_bytes = self.get(table::FILES_MAX_BYTES, bytes);
        let max_total = self.get(table::FILES_MAX_TOTAL, |value| {
            let total = bytes(value)?;
            match max_bytes {
                Some(one) if total < one => {
                    let what = format!("{total} bytes are too few for one file of {one}");
                    Err(Wrong::new(
                        what,
                        format!("allowed: as much as {} or more", table::FILES_MAX_BYTES.env),
                    ))
                }
                Some(_) | None => Ok(total),
            }
        });
        Some(Files { dir: dir?, max_bytes: max_bytes?, max_total: max_total? })
    }

    fn push(&mut self) -> Option<Push> {
        Some(Push { egress_allow: self.get(table::EGRESS_ALLOW, parse::egress_allow)? })
    }

    fn card(&mut self, working_dir: &Path) -> Option<Card> {
        let named = self.optional(table::AGENT_CARD, |value| parse::existing_file(value, working_dir));
        let style = self.get(table::CARD_STYLE, |value| {
            parse::one_of(value, &[("hybrid", CardStyle::Hybrid), ("v1", CardStyle::V1)])
        });
        Some(Card { file: named?.or_else(|| usual_card(working_dir)), style: style? })
    }

    fn log(&mut self) -> Option<Log> {
        let filter = self.get(table::LOG_LEVEL, |value| {
            let text = parse::text(value)?;
            let checked = crate::logging::filter(&text);
            checked.map_err(|_| {
                Wrong::new(format!("{} is not a log filter", shown(&text)), crate::logging::FILTERS)
            })?;
            Ok(text)
        });
        let format = self.get(table::LOG_FORMAT, |value| {
            parse::one_of(value, &[("text", LogFormat::Text), ("json", LogFormat::Json)])
        });
        Some(Log { filter: filter?, format: format? })
    }

    fn duration(&mut self, setting: Setting, from: Duration, to: Duration) -> Option<Duration> {
        self.get(setting, |value| parse::duration(value, from..=to))
    }
}

fn usual_card(working_dir: &Path) -> Option<PathBuf> {
    Some(working_dir.join(USUAL_CARD)).filter(|path| path.is_file())
}

/// Dify's base address: with `/v1` or without, ending in `/v1/` afterwards.
fn api_url(value: &Value) -> Result<Url, Wrong> {
    let mut url = parse::http_url(value)?;
    let path = url.path().trim_end_matches('/');
    let base = path.strip_suffix("/v1").unwrap_or(path);
    let path = format!("{base}/v1/");
    url.set_path(&path);
    Ok(url)
}

/// An app key that fits in a header. What is wrong with it is told without repeating any of it.
fn api_key(value: &Value) -> Result<String, Wrong> {
    const MEND: &str = "give the app's key alone, as Dify shows it under API Access (app-…)";
    let text = match value {
        Value::String(_, text) => text.trim(),
        _ => return Err(Wrong::new("is not a text", MEND)),
    };
    if text.is_empty() {
        return Err(Wrong::new("is empty", MEND));
    }
    if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err(Wrong::new("begins with the word Bearer", MEND));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Wrong::new("holds spaces or characters that no key has", MEND));
    }
    Ok(text.to_owned())
}

fn user(value: &Value) -> Result<DifyUser, Wrong> {
    let text = parse::text(value)?;
    if text.is_empty() || text.len() > LONGEST_USER || text.chars().any(char::is_control) {
        return Err(Wrong::new(
            "is not usable as a user's name",
            format!("allowed: auto, context, or a fixed name of 1 to {LONGEST_USER} bytes"),
        ));
    }
    Ok(match text.as_str() {
        "auto" => DifyUser::Auto,
        "context" => DifyUser::Context,
        _ => DifyUser::Fixed(text),
    })
}

/// Origins: a TOML list, a JSON list in a string, or names with commas between them.
fn store_url(value: &Value) -> Result<StoreUrl, Wrong> {
    const ALLOWED: &str = "allowed in this version: memory:";
    let text = parse::text(value)?;
    let scheme = text.split(':').next().unwrap_or_default();
    match scheme {
        _ if text == "memory:" || text == "memory" => Ok(StoreUrl::Memory),
        "sqlite" | "postgres" | "postgresql" | "redis" | "rediss" => {
            Err(Wrong::new(format!("{scheme}: stores are not available in this version"), ALLOWED))
        }
        _ => Err(Wrong::new(format!("{} is not a known store", shown(&text)), ALLOWED)),
    }
}
