//! Where values come from: the embedded defaults, `gateway.toml`, `.env`, the environment, the command line.
//! Each becomes one figment layer that remembers its name; later layers win.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::problem::Finding;
use super::table::{self, LATER, Meaning, SETTINGS, Setting, Unavailable};

/// The defaults, and the reference of every setting.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// What the embedded defaults are called as an origin.
pub(super) const THE_DEFAULTS: &str = "the defaults";

/// The file that is read unless another one is named.
const USUAL_FILE: &str = "gateway.toml";

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// Flags that set one setting each.
    pub flags: Vec<Flag>,
}

/// A flag of the command line that sets one setting.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The flag as typed, such as `--port`.
    pub name: &'static str,
    /// The setting's environment name, such as `PORT`.
    pub env: &'static str,
    /// Its value. Secrets do not belong on command lines.
    pub value: String,
}

/// All layers, and what was found while reading them.
pub(super) struct Gathered {
    /// The layers.
    pub(super) figment: Figment,
    /// What stops the start.
    pub(super) problems: Vec<Finding>,
    /// What does not.
    pub(super) warnings: Vec<Finding>,
}

/// One source's values under the name that problems give it.
struct Layer {
    origin: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

impl Gathered {
    /// Reads all sources. `env` is the environment; nothing else of the process is looked at.
    pub(super) fn read(
        command_line: &CommandLine,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        working_dir: &Path,
    ) -> Self {
        let mut gathered = Self { figment: Figment::new(), problems: Vec::new(), warnings: Vec::new() };
        gathered.defaults();
        gathered.file(command_line.config.as_deref(), working_dir);
        gathered.dotenv(working_dir);
        gathered.variables("the environment", env);
        gathered.flags(&command_line.flags);
        gathered
    }

    fn add(&mut self, layer: Layer) {
        self.figment = std::mem::take(&mut self.figment).merge(layer);
    }

    fn defaults(&mut self) {
        self.toml(THE_DEFAULTS.to_owned(), DEFAULTS);
    }

    fn file(&mut self, named: Option<&Path>, working_dir: &Path) {
        let path = working_dir.join(named.unwrap_or(Path::new(USUAL_FILE)));
        match std::fs::read_to_string(&path) {
            Ok(text) => self.toml(path.display().to_string(), &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {}
            Err(error) => self.problems.push(Finding {
                setting: "the configuration file".to_owned(),
                origin: if named.is_some() { "--config" } else { "the working directory" }.to_owned(),
                wrong: format!("{} cannot be read: {error}", path.display()),
                mend: "name a readable TOML file, or leave it out".to_owned(),
            }),
        }
    }

    /// Takes a TOML text in. Messages of the TOML reader are used, its excerpts of the text are not: there may
    /// be a secret in them.
    fn toml(&mut self, origin: String, text: &str) {
        let parsed: Result<Dict, _> = <Toml as Format>::from_str(text);
        let values = match parsed {
            Ok(values) => values,
            Err(error) => {
                let line = error
                    .span()
                    .and_then(|span| text.get(..span.start))
                    .map_or(1, |before| before.bytes().filter(|byte| *byte == b'\n').count() + 1);
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                return self.problems.push(Finding {
                    setting: format!("line {line}"),
                    origin,
                    wrong: format!("not valid TOML: {message}"),
                    mend: "strings need quotes; config/default.toml shows every setting".to_owned(),
                });
            }
        };
        let mut known = Dict::new();
        for (section, value) in values {
            match value {
                Value::Dict(_, entries) if section_exists(&section) => {
                    let entries = self.known_keys(&origin, &section, entries);
                    known.insert(section, entries.into());
                }
                _ if section_exists(&section) => self.problems.push(Finding {
                    setting: section.clone(),
                    origin: origin.clone(),
                    wrong: "is a section, not a value".to_owned(),
                    mend: format!("write [{section}] on a line of its own and the section's keys below it"),
                }),
                _ => self.unknown_key(&origin, &section),
            }
        }
        self.add(Layer { origin, values: known });
    }

    /// The entries of a section that this version has; reports the others.
    fn known_keys(&mut self, origin: &str, section: &str, entries: Dict) -> Dict {
        let mut known = Dict::new();
        for (name, value) in entries {
            let key = format!("{section}.{name}");
            if SETTINGS.iter().any(|setting| setting.key == key) {
                known.insert(name, value);
            } else if let Some((setting, policy)) = LATER.iter().find(|(setting, _)| setting.key == key) {
                self.later(*setting, *policy, origin);
            } else {
                self.unknown_key(origin, &key);
            }
        }
        known
    }

    fn unknown_key(&mut self, origin: &str, key: &str) {
        let sections = sections();
        let near = sections.iter().copied().find(|section| table::slips(section, key) <= 2);
        let mend = match near.or_else(|| table::nearest_key(key)) {
            Some(near) => format!("did you mean {near}?"),
            None if key.contains('.') => "config/default.toml shows every setting".to_owned(),
            None => format!("allowed: the sections {}", sections.join(", ")),
        };
        let wrong = "is not a setting".to_owned();
        self.problems.push(Finding { setting: key.to_owned(), origin: origin.to_owned(), wrong, mend });
    }

    fn dotenv(&mut self, working_dir: &Path) {
        let path = working_dir.join(".env");
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                return self.problems.push(Finding {
                    setting: ".env".to_owned(),
                    origin: "the working directory".to_owned(),
                    wrong: format!("{} cannot be read: {error}", path.display()),
                    mend: "make it readable, or remove it".to_owned(),
                });
            }
        };
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let origin = path.display().to_string();
        let mut pairs = Vec::new();
        for entry in dotenvy::from_read_iter(text) {
            match entry {
                Ok((name, value)) => pairs.push((OsString::from(name), OsString::from(value))),
                Err(dotenvy::Error::LineParse(line, _)) => self.bad_line(&origin, &line),
                Err(error) => self.problems.push(Finding {
                    setting: ".env".to_owned(),
                    origin: origin.clone(),
                    wrong: format!("cannot be read: {error}"),
                    mend: "write it as UTF-8 text with one NAME=value a line".to_owned(),
                }),
            }
        }
        self.variables(&origin, pairs);
    }

    /// A line of `.env` that makes no sense. Only its name is repeated, and only lines of ours stop the start.
    fn bad_line(&mut self, origin: &str, line: &str) {
        let name = line.split('=').next().unwrap_or_default().trim().trim_start_matches("export ").trim();
        let meaning = table::by_env(name);
        let setting = match meaning {
            Meaning::Known(setting) => setting.label(),
            Meaning::Later(..) | Meaning::Nearly(_) | Meaning::Foreign | Meaning::Protection => {
                "a line".to_owned()
            }
        };
        let finding = Finding {
            setting,
            origin: origin.to_owned(),
            wrong: "is not written as NAME=value".to_owned(),
            mend: "a value with spaces, # or $ needs single quotes around it".to_owned(),
        };
        match meaning {
            Meaning::Foreign | Meaning::Nearly(_) => self.warnings.push(finding),
            Meaning::Known(_) | Meaning::Later(..) | Meaning::Protection => self.problems.push(finding),
        }
    }

    /// Takes variables in. An empty one counts as not set; strangers are left alone.
    fn variables(&mut self, origin: &str, pairs: impl IntoIterator<Item = (OsString, OsString)>) {
        let mut values = Dict::new();
        for (name, value) in pairs {
            let Some(name) = name.to_str() else { continue };
            if is_blank(&value) {
                continue;
            }
            match table::by_env(name) {
                Meaning::Foreign => {}
                Meaning::Known(setting) => match value.to_str() {
                    Some(value) => put(&mut values, setting, value),
                    None => self.problems.push(Finding {
                        setting: setting.label(),
                        origin: origin.to_owned(),
                        wrong: "the value is not UTF-8 text".to_owned(),
                        mend: "give it as UTF-8 text".to_owned(),
                    }),
                },
                Meaning::Later(setting, policy) => self.later(setting, policy, origin),
                Meaning::Nearly(setting) => self.warnings.push(Finding {
                    setting: name.to_owned(),
                    origin: origin.to_owned(),
                    wrong: "is not a setting and is ignored".to_owned(),
                    mend: format!("did you mean {}?", setting.env),
                }),
                Meaning::Protection => self.problems.push(Finding {
                    setting: name.to_owned(),
                    origin: origin.to_owned(),
                    wrong: "looks like a protection, but is not available in this version".to_owned(),
                    mend: "unset it, and protect the gateway by other means, such as a reverse proxy"
                        .to_owned(),
                }),
            }
        }
        self.add(Layer { origin: origin.to_owned(), values });
    }

    fn later(&mut self, setting: Setting, policy: Unavailable, origin: &str) {
        let (wrong, mend) = match policy {
            Unavailable::Ignored => ("is not available in this version and is ignored", "unset it for now"),
            Unavailable::Refused => (
                "is not available in this version; going on without it would be unsafe",
                "unset it, and protect the gateway by other means, such as a reverse proxy",
            ),
        };
        let (setting, origin) = (setting.label(), origin.to_owned());
        let finding = Finding { setting, origin, wrong: wrong.to_owned(), mend: mend.to_owned() };
        match policy {
            Unavailable::Ignored => self.warnings.push(finding),
            Unavailable::Refused => self.problems.push(finding),
        }
    }

    fn flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            let mut values = Dict::new();
            if let Meaning::Known(setting) = table::by_env(flag.env) {
                put(&mut values, setting, &flag.value);
            }
            self.add(Layer { origin: format!("the command line ({})", flag.name), values });
        }
    }
}

fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|text| text.trim().is_empty())
}

fn put(values: &mut Dict, setting: Setting, value: &str) {
    let Some((section, name)) = setting.key.split_once('.') else { return };
    let entry = values.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, entries) = entry {
        entries.insert(name.to_owned(), Value::from(value));
    }
}

fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&str> =
        SETTINGS.iter().filter_map(|setting| Some(setting.key.split_once('.')?.0)).collect();
    sections.dedup();
    sections
}

/// Whether a section is one of this version or of a later one.
fn section_exists(name: &str) -> bool {
    let later = LATER.iter().map(|(setting, _)| setting);
    SETTINGS
        .iter()
        .chain(later)
        .any(|setting| setting.key.split_once('.').is_some_and(|(first, _)| first == name))
}
