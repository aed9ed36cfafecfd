//! The settings by name: which environment variable is which key of `gateway.toml`. Names are fixed for good.

/// One setting's two names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Setting {
    /// The environment variable.
    pub(super) env: &'static str,
    /// `section.key` in TOML.
    pub(super) key: &'static str,
}

impl Setting {
    const fn new(env: &'static str, key: &'static str) -> Self {
        Self { env, key }
    }

    /// Both names, for people.
    pub(super) fn label(self) -> String {
        format!("{} ({} in TOML)", self.env, self.key)
    }
}

pub(super) const DIFY_API_KEY: Setting = Setting::new("DIFY_API_KEY", "dify.key");
pub(super) const DIFY_API_URL: Setting = Setting::new("DIFY_API_URL", "dify.url");
pub(super) const DIFY_USER: Setting = Setting::new("DIFY_USER", "dify.user");
pub(super) const DIFY_THINK: Setting = Setting::new("DIFY_THINK", "dify.think");
pub(super) const DIFY_CONNECT_TIMEOUT: Setting = Setting::new("DIFY_CONNECT_TIMEOUT", "dify.connect_timeout");
pub(super) const DIFY_FIRST_EVENT_TIMEOUT: Setting =
    Setting::new("DIFY_FIRST_EVENT_TIMEOUT", "dify.first_event_timeout");
pub(super) const DIFY_IDLE_TIMEOUT: Setting = Setting::new("DIFY_IDLE_TIMEOUT", "dify.idle_timeout");
pub(super) const DIFY_TURN_TIMEOUT: Setting = Setting::new("DIFY_TURN_TIMEOUT", "dify.turn_timeout");
pub(super) const DIFY_WORKFLOW_ID: Setting = Setting::new("DIFY_WORKFLOW_ID", "dify.workflow_id");
pub(super) const DIFY_QUERY_INPUT: Setting = Setting::new("DIFY_QUERY_INPUT", "dify.query_input");
pub(super) const DIFY_INPUTS: Setting = Setting::new("DIFY_INPUTS", "dify.inputs");
pub(super) const DIFY_LOCKED_INPUTS: Setting = Setting::new("DIFY_LOCKED_INPUTS", "dify.locked_inputs");
pub(super) const MISSING_INPUTS: Setting = Setting::new("MISSING_INPUTS", "dify.missing_inputs");
pub(super) const PROGRESS: Setting = Setting::new("PROGRESS", "dify.progress");
pub(super) const SUGGESTED: Setting = Setting::new("SUGGESTED", "dify.suggested");
pub(super) const FILES: Setting = Setting::new("FILES", "dify.files");
pub(super) const HOST: Setting = Setting::new("HOST", "server.host");
pub(super) const PORT: Setting = Setting::new("PORT", "server.port");
pub(super) const PUBLIC_URL: Setting = Setting::new("PUBLIC_URL", "server.public_url");
pub(super) const TRUSTED_PROXIES: Setting = Setting::new("TRUSTED_PROXIES", "server.trusted_proxies");
pub(super) const BINDINGS: Setting = Setting::new("BINDINGS", "server.bindings");
pub(super) const GRPC_PORT: Setting = Setting::new("GRPC_PORT", "server.grpc_port");
pub(super) const GRPC_URL: Setting = Setting::new("GRPC_URL", "server.grpc_url");
pub(super) const CORS_ORIGINS: Setting = Setting::new("CORS_ORIGINS", "server.cors");
pub(super) const MAX_BODY_BYTES: Setting = Setting::new("MAX_BODY_BYTES", "server.max_body_bytes");
pub(super) const MAX_CONCURRENT_TURNS: Setting =
    Setting::new("MAX_CONCURRENT_TURNS", "server.max_concurrent_turns");
pub(super) const KEEP_ALIVE: Setting = Setting::new("KEEP_ALIVE", "server.keep_alive");
pub(super) const ANSWER_CLOSE: Setting = Setting::new("ANSWER_CLOSE", "server.answer_close");
pub(super) const IDEMPOTENCY_WINDOW: Setting =
    Setting::new("IDEMPOTENCY_WINDOW", "server.idempotency_window");
pub(super) const SHUTDOWN_GRACE: Setting = Setting::new("SHUTDOWN_GRACE", "server.shutdown_grace");
pub(super) const STORE_URL: Setting = Setting::new("STORE_URL", "store.url");
pub(super) const TASK_TTL: Setting = Setting::new("TASK_TTL", "store.ttl");
pub(super) const MAX_TASKS: Setting = Setting::new("MAX_TASKS", "store.max_tasks");
pub(super) const FILES_DIR: Setting = Setting::new("FILES_DIR", "files.dir");
pub(super) const FILES_MAX_BYTES: Setting = Setting::new("FILES_MAX_BYTES", "files.max_bytes");
pub(super) const FILES_MAX_TOTAL: Setting = Setting::new("FILES_MAX_TOTAL", "files.max_total");
pub(super) const EGRESS_ALLOW: Setting = Setting::new("EGRESS_ALLOW", "push.egress_allow");
pub(super) const AGENT_CARD: Setting = Setting::new("AGENT_CARD", "card.file");
pub(super) const CARD_STYLE: Setting = Setting::new("CARD_STYLE", "card.style");
pub(super) const LOG_LEVEL: Setting = Setting::new("LOG_LEVEL", "log.level");
pub(super) const LOG_FORMAT: Setting = Setting::new("LOG_FORMAT", "log.format");

/// Every setting of this version.
pub(super) const SETTINGS: &[Setting] = &[
    DIFY_API_KEY,
    DIFY_API_URL,
    DIFY_USER,
    DIFY_THINK,
    DIFY_CONNECT_TIMEOUT,
    DIFY_FIRST_EVENT_TIMEOUT,
    DIFY_IDLE_TIMEOUT,
    DIFY_TURN_TIMEOUT,
    DIFY_WORKFLOW_ID,
    DIFY_QUERY_INPUT,
    DIFY_INPUTS,
    DIFY_LOCKED_INPUTS,
    MISSING_INPUTS,
    PROGRESS,
    SUGGESTED,
    FILES,
    HOST,
    PORT,
    PUBLIC_URL,
    TRUSTED_PROXIES,
    BINDINGS,
    GRPC_PORT,
    GRPC_URL,
    CORS_ORIGINS,
    MAX_BODY_BYTES,
    MAX_CONCURRENT_TURNS,
    KEEP_ALIVE,
    ANSWER_CLOSE,
    IDEMPOTENCY_WINDOW,
    SHUTDOWN_GRACE,
    STORE_URL,
    TASK_TTL,
    MAX_TASKS,
    FILES_DIR,
    FILES_MAX_BYTES,
    FILES_MAX_TOTAL,
    EGRESS_ALLOW,
    AGENT_CARD,
    CARD_STYLE,
    LOG_LEVEL,
    LOG_FORMAT,
];

/// What becomes of a setting that this version does not have yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unavailable {
    /// It is ignored, with a warning.
    Ignored,
    /// It stops the start: whoever sets it counts on a protection that is not there.
    Refused,
}

const fn ignored(env: &'static str, key: &'static str) -> (Setting, Unavailable) {
    (Setting::new(env, key), Unavailable::Ignored)
}

const fn refused(env: &'static str, key: &'static str) -> (Setting, Unavailable) {
    (Setting::new(env, key), Unavailable::Refused)
}

/// Settings whose names are taken for later versions.
pub(super) const LATER: &[(Setting, Unavailable)] = &[
    refused("AUTH_API_KEYS", "auth.api_keys"),
    refused("AUTH_API_KEY_HEADER", "auth.api_key_header"),
    refused("AUTH_JWT_ISSUER", "auth.jwt_issuer"),
    refused("AUTH_JWT_AUDIENCE", "auth.jwt_audience"),
    refused("AUTH_JWT_JWKS_URL", "auth.jwt_jwks_url"),
    refused("TLS_CERT", "tls.cert"),
    refused("TLS_KEY", "tls.key"),
    refused("TLS_CLIENT_CA", "tls.client_ca"),
    refused("RATE_LIMIT", "server.rate_limit"),
    refused("CALLER_MAX_TURNS", "server.caller_max_turns"),
    ignored("LEASE_TTL", "store.lease_ttl"),
];

/// Beginnings of names that mean a protection even when the rest is misspelled.
const PROTECTIVE: &[&str] = &["AUTH_API_KEY", "AUTH_JWT_", "TLS_CERT", "TLS_CLIENT_CA"];

/// What a name of the environment means to this program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Meaning {
    /// A setting of this version.
    Known(Setting),
    /// A setting of a later version.
    Later(Setting, Unavailable),
    /// Not ours, but one slip away from this setting.
    Nearly(Setting),
    /// Not ours.
    Foreign,
    /// No known name, yet it can only be meant as a protection.
    Protection,
}

/// Looks up a name of the environment.
pub(super) fn by_env(name: &str) -> Meaning {
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.env == name) {
        return Meaning::Known(*setting);
    }
    if let Some((setting, policy)) = LATER.iter().find(|(setting, _)| setting.env == name) {
        return Meaning::Later(*setting, *policy);
    }
    if PROTECTIVE.iter().any(|prefix| name.starts_with(prefix)) {
        return Meaning::Protection;
    }
    let near =
        SETTINGS.iter().find(|setting| setting.env.len() >= MIN_GUESSED && slips(setting.env, name) == 1);
    near.map_or(Meaning::Foreign, |setting| Meaning::Nearly(*setting))
}

/// Shorter names are too close to other programs' variables to guess from.
const MIN_GUESSED: usize = 8;

/// The known TOML key that `key` (`section.key`) was probably meant to be: one misspelled, put in the wrong section, or
/// named like the environment variable, with its section's name at the front (`dify.api_key`) or without.
pub(super) fn nearest_key(key: &str) -> Option<&'static str> {
    let bare = key.rsplit('.').next().unwrap_or(key);
    let misspelled = SETTINGS
        .iter()
        .map(|setting| (slips(setting.key, key), setting))
        .min_by_key(|(count, _)| *count)
        .filter(|(count, _)| *count <= 2)
        .map(|(_, setting)| setting);
    let elsewhere = || {
        SETTINGS.iter().find(|setting| {
            setting.env.eq_ignore_ascii_case(bare) || setting.key.rsplit('.').next() == Some(bare)
        })
    };
    misspelled.or_else(elsewhere).or_else(|| like_env(key, bare)).map(|setting| setting.key)
}

/// The one setting whose environment variable is `key`, or ends in `bare`.
fn like_env(key: &str, bare: &str) -> Option<&'static Setting> {
    let (joined, end) =
        (key.replace('.', "_").to_ascii_uppercase(), format!("_{}", bare.to_ascii_uppercase()));
    let exact = SETTINGS.iter().find(|setting| setting.env == joined);
    exact.or_else(|| {
        let mut ending = SETTINGS.iter().filter(|setting| setting.env.ends_with(&end));
        ending.next().filter(|_| ending.next().is_none())
    })
}

/// How many letters must be put in, taken out or changed to make `a` of `b` (Levenshtein).
pub(super) fn slips(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (line, letter) in a.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (other, above) in b.chars().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(letter != other);
            left = changed.min(above + 1).min(left + 1);
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        assert_eq!(slips("kitten", "sitting"), 3);
        assert_eq!(slips("", "ab"), 2);
        assert_eq!(slips("ab", ""), 2);
        assert_eq!(slips("same", "same"), 0);
    }

    #[test]
    fn names_are_unique() {
        let all: Vec<Setting> =
            SETTINGS.iter().copied().chain(LATER.iter().map(|(setting, _)| *setting)).collect();
        for (index, setting) in all.iter().enumerate() {
            for other in all.iter().skip(index + 1) {
                assert!(setting.env != other.env && setting.key != other.key, "{setting:?} {other:?}");
            }
        }
    }

    #[test]
    fn near_misses_are_recognised_and_strangers_left_alone() {
        assert_eq!(by_env("DIFY_API_KEYS"), Meaning::Nearly(DIFY_API_KEY));
        assert_eq!(by_env("AUTH_API_KEY"), Meaning::Protection);
        assert_eq!(by_env("PATH"), Meaning::Foreign);
        assert_eq!(by_env("HOSTS"), Meaning::Foreign);
        assert_eq!(nearest_key("dify.ulr"), Some("dify.url"));
        for (key, meant) in [
            ("dify.api_key", Some("dify.key")),
            ("dify.API_URL", Some("dify.url")),
            ("dify.dify_api_key", Some("dify.key")),
            ("api_key", Some("dify.key")),
            ("server.cors_origins", Some("server.cors")),
            ("server.origins", Some("server.cors")),
            ("store.task_ttl", Some("store.ttl")),
            ("server.timeout", None),
            ("server.something", None),
        ] {
            assert_eq!(nearest_key(key), meant, "{key}");
        }
        assert_eq!(nearest_key("server.task_ttl"), Some("store.ttl"));
        assert_eq!(nearest_key("dify.host"), Some("server.host"));
    }
}
