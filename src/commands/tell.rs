//! What `check` tells of an app and of what the gateway makes of it: Dify's description and the settings in, sections of
//! the page out. What is said is what callers can rely on; values of inputs are never among it.

use super::check::Section;
use crate::app;
use crate::config::{FileDelivery, Files, MissingInputs, ProgressLevel, Settings};
use crate::dify::app_info::{AppInfo, AppMode};
use crate::dify::features::Limits;
use crate::dify::file_kind::FileKind;
use crate::dify::form::{Field, FileRules, Kind, Method};
use crate::dify::reason::shorten;
use crate::translate::text_slot::TextSlot;

mod features;

/// Most options of an input that are listed, and most characters of one and of a default.
const MOST_OPTIONS: usize = 10;
const LONGEST_VALUE: usize = 60;

/// Every section, in the order of the page.
pub(super) fn sections(info: &AppInfo, settings: &Settings) -> Vec<Section> {
    vec![
        Section { heading: "Version", rows: version(info, settings) },
        Section { heading: "Messages", rows: messages(info, settings) },
        Section { heading: "Inputs", rows: inputs(info, settings) },
        Section { heading: "Files in", rows: files_in(info, settings) },
        Section { heading: "Files out", rows: files_out(settings) },
        Section { heading: "Features", rows: features::rows(info, settings) },
    ]
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// What Dify's version means for the app.
fn version(info: &AppInfo, settings: &Settings) -> Vec<Vec<String>> {
    let Some(version) = info.parsed_version() else {
        return vec![row(["not told, and taken for a newer one"])];
    };
    let since = |major, minor| version.is_since(major, minor, 0);
    let mut rows = Vec::new();
    if version.keeps_first_inputs() && info.mode.has_conversation() {
        rows.push(row(["before 1.0: a conversation keeps the inputs of its first message"]));
    }
    if !since(1, 4) {
        rows.push(row(["before 1.4: Dify does not tell the app's mode; it was found out by reading"]));
    }
    if info.mode == AppMode::ChatFamily {
        rows.push(row(["chatbots, agents and chatflows look alike there, and are served alike"]));
    }
    if info.mode.is_graph() && since(1, 16) {
        rows.push(row([
            "since 1.16: runs go through a worker, and one that is refused fails with the reason",
        ]));
    } else if info.mode.is_graph() && since(1, 13) {
        let patience = settings.dify.first_event_timeout.as_secs();
        rows.push(vec![format!(
            "1.13 to 1.15: runs go through a worker, and one that is refused stays silent; so inputs and files are checked \
             here, and a run that says nothing for {patience} s fails"
        )]);
    } else {
        rows.push(row(["a request that Dify refuses fails at once, with the reason"]));
    }
    rows
}

/// Where what is said goes, and what is known of what was said before.
fn messages(info: &AppInfo, settings: &Settings) -> Vec<Vec<String>> {
    let dify = &settings.dify;
    let text = match app::operator(dify).slot(info) {
        Ok(TextSlot::Query) => "goes to the app as its query".to_owned(),
        Ok(TextSlot::Input(name)) if dify.query_input.is_some() => {
            format!("goes to the input {name} (DIFY_QUERY_INPUT)")
        }
        Ok(TextSlot::Input(name)) => format!("goes to the input {name}; DIFY_QUERY_INPUT names another"),
        Ok(TextSlot::Nowhere) if info.has_parameters => "is not used: the app has no input for it".to_owned(),
        Ok(TextSlot::Nowhere) => "not known".to_owned(),
        Ok(TextSlot::Ambiguous(_)) | Err(_) => "is not used, see the problems".to_owned(),
    };
    let memory = if info.mode.has_conversation() {
        "a conversation in Dify for each contextId"
    } else {
        "none: each message is a run of its own, a contextId only groups its tasks"
    };
    let mut rows = vec![vec!["text".to_owned(), text], row(["memory", memory])];
    if info.mode.is_graph() || dify.workflow_id.is_some() {
        let runs = match &dify.workflow_id {
            Some(id) => format!("version {id} (DIFY_WORKFLOW_ID)"),
            None => "the newest published version; DIFY_WORKFLOW_ID pins another".to_owned(),
        };
        rows.push(vec!["runs".to_owned(), runs]);
    }
    rows
}

fn inputs(info: &AppInfo, settings: &Settings) -> Vec<Vec<String>> {
    if !info.has_parameters {
        return vec![row(["not told by Dify"])];
    }
    if info.form.fields.is_empty() {
        return vec![row(["none"])];
    }
    let mut rows: Vec<Vec<String>> = info.form.fields.iter().map(|field| input(field, settings)).collect();
    if info.form.fields.iter().any(|field| field.required) {
        rows.push(row([match settings.dify.missing_inputs {
            MissingInputs::Ask => {
                "what is missing is asked for: the task becomes input-required (MISSING_INPUTS=ask)"
            }
            MissingInputs::Reject => "a message without what is required is refused (MISSING_INPUTS=reject)",
        }]));
    }
    rows
}

fn input(field: &Field, settings: &Settings) -> Vec<String> {
    let operator = app::operator(&settings.dify);
    let mut details = Vec::new();
    if field.label != field.variable {
        details.push(quoted(&field.label));
    }
    details.extend(limits(&field.kind));
    let is_set = operator.provides(field);
    if is_set {
        details.push("has a configured value".to_owned());
    } else if let (false, Some(default)) = (field.required, &field.default) {
        details.push(format!("default {}", shorten(default.get(), LONGEST_VALUE)));
    }
    if operator.locked_inputs.contains(&field.variable) {
        details.push("callers may not set it".to_owned());
    } else if field.hidden && !field.required {
        details.push("hidden by its author, not told to clients".to_owned());
    }
    let need = if field.required { "required" } else { "optional" };
    vec![field.variable.clone(), field.kind.name().to_owned(), need.to_owned(), details.join("; ")]
}

fn limits(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Text { max_length: Some(most) } | Kind::Paragraph { max_length: Some(most) } => {
            Some(format!("at most {most} characters"))
        }
        Kind::Select { options } => {
            let mut names: Vec<String> =
                options.iter().take(MOST_OPTIONS).map(|option| quoted(option)).collect();
            if options.len() > MOST_OPTIONS {
                names.push(format!("{} more", options.len() - MOST_OPTIONS));
            }
            Some(format!("one of {}", names.join(", ")))
        }
        Kind::JsonObject { schema: Some(_) } => Some("matches the app's own JSON Schema".to_owned()),
        Kind::File(_) | Kind::FileList(_) => Some("see Files in".to_owned()),
        Kind::Other(_) => Some("of a type that is not known here; passed on unchecked".to_owned()),
        Kind::Checkbox
        | Kind::JsonObject { schema: None }
        | Kind::Number
        | Kind::Paragraph { max_length: None }
        | Kind::Text { max_length: None } => None,
    }
}

fn quoted(text: &str) -> String {
    format!("{:?}", shorten(text, LONGEST_VALUE))
}

fn files_in(info: &AppInfo, settings: &Settings) -> Vec<Vec<String>> {
    if !info.has_parameters {
        return vec![row(["not told by Dify"])];
    }
    let open = |field: &&Field| !settings.dify.locked_inputs.contains(&field.variable);
    let of_input =
        |field: &Field| Some(vec![format!("input {}", field.variable), allowed(field.kind.files()?)]);
    let of_inputs: Vec<Vec<String>> = info.form.fields.iter().filter(open).filter_map(of_input).collect();
    let message = match &info.upload {
        Some(rules) => allowed(rules),
        None if of_inputs.is_empty() => {
            "none: they are refused; the app's upload is off, and Dify would drop them without a word"
                .to_owned()
        }
        None => "none of its own: they go to the inputs; the app's upload is off".to_owned(),
    };
    let mut rows = vec![vec!["message".to_owned(), message]];
    rows.extend(of_inputs);
    if info.upload.is_some() || rows.len() > 1 {
        rows.push(vec!["sizes".to_owned(), sizes(&info.limits)]);
        let others = match settings.push.egress_allow.len() {
            0 => "and EGRESS_ALLOW lets others through".to_owned(),
            count => format!("and so is what EGRESS_ALLOW lists (entries: {count})"),
        };
        rows.push(vec![
            "addresses".to_owned(),
            format!("public ones; what is not https is fetched here and uploaded, {others}"),
        ]);
    }
    rows
}

fn allowed(rules: &FileRules) -> String {
    let most = rules.max_count.map_or_else(String::new, |most| format!("; at most {most}"));
    let ways = match (rules.allows(Method::LocalFile), rules.allows(Method::RemoteUrl)) {
        (true, true) => "bytes are uploaded, https addresses passed on",
        (true, false) => "bytes are uploaded, addresses fetched first",
        (false, true) => "https addresses are passed on, bytes refused",
        (false, false) => "no way to send them is allowed",
    };
    format!("{}{most}; {ways}", rules.describe())
}

fn sizes(limits: &Limits) -> String {
    let of = |kind: FileKind| format!("{} {}", kind.name(), bytes(limits.of(kind)));
    let kinds = [FileKind::Image, FileKind::Document, FileKind::Audio, FileKind::Video].map(of);
    format!("{}; at most {} files in one run", kinds.join(", "), limits.files)
}

/// A number of bytes for people: in the largest unit that leaves no rest.
fn bytes(count: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = units.into_iter().find(|(bits, _)| count > 0 && count.trailing_zeros() >= *bits);
    whole.map_or_else(|| format!("{count} bytes"), |(bits, unit)| format!("{} {unit}", count >> bits))
}

fn files_out(settings: &Settings) -> Vec<Vec<String>> {
    let Files { dir, max_bytes, max_total } = &settings.files;
    match settings.dify.files {
        FileDelivery::Link => {
            vec![row(["FILES=link", "by Dify's own address, which is good for some minutes"])]
        }
        FileDelivery::Serve => {
            let place = match dir {
                Some(dir) => dir.display().to_string(),
                None => "the system's temporary folder".to_owned(),
            };
            let size = |count: usize| bytes(u64::try_from(count).unwrap_or(u64::MAX));
            vec![
                row([
                    "FILES=serve",
                    "fetched at once, and served under /files/ as long as their task is kept",
                ]),
                vec![
                    "kept in".to_owned(),
                    format!("{place}: {} together, the oldest make room", size(*max_total)),
                ],
                vec!["larger ones".to_owned(), format!("than {}: by Dify's own address", size(*max_bytes))],
            ]
        }
    }
}

/// What is told of a run's steps.
fn steps(level: ProgressLevel) -> (bool, &'static str) {
    match level {
        ProgressLevel::Off => (false, "PROGRESS=off"),
        ProgressLevel::Brief => (true, "PROGRESS=brief: nodes that begin or fail, tools, forms"),
        ProgressLevel::Full => (true, "PROGRESS=full: every step, with its times"),
    }
}
