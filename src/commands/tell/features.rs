//! What an app can do, and what the gateway makes of each of it: a line for each feature.

use super::steps;
use crate::config::{Dify, Server, Settings};
use crate::dify::app_info::{AppInfo, AppMode};
use crate::edge::binding::Binding;

/// Whether the agent can, the name, and why or how.
type Feature = (bool, &'static str, &'static str);

/// A line of the section: the mark, the name and the remark.
type Line = [String; 3];

const LATER: &str = "not in this version";
const OFF: &str = "switched off in the app";

/// The lines of the section.
pub(super) fn rows(info: &AppInfo, settings: &Settings) -> Vec<Vec<String>> {
    let dify = &settings.dify;
    let (tells_steps, steps) = steps(dify.progress);
    let mut features = vec![
        (true, "streaming", ""),
        (true, "cancel", "through Dify's stop endpoint"),
        (tells_steps, "steps of a run", steps),
        human_input(info),
    ];
    if info.has_parameters {
        features.extend(of_app(info, dify));
    }
    features.extend([
        trace_id(info),
        (false, "authentication", LATER),
        (false, "push notifications", LATER),
        (false, "extended card", LATER),
    ]);
    let features = features.into_iter().map(|(can, name, remark)| line(can, name, remark.to_owned()));
    bindings(&settings.server).into_iter().chain(features).map(|line| line.to_vec()).collect()
}

fn line(can: bool, name: &str, remark: String) -> Line {
    [if can { "yes" } else { "no" }.to_owned(), name.to_owned(), remark]
}

/// The bindings that are on, in order of preference, and then those that are not.
fn bindings(server: &Server) -> Vec<Line> {
    let on = server.bindings.iter().map(|binding| {
        let place = match (binding, server.grpc_port) {
            (Binding::Grpc, Some(port)) => format!("on a port of its own, {port} (GRPC_PORT)"),
            (Binding::Grpc, None) => "on the same port as all".to_owned(),
            (Binding::Http, _) => "at /".to_owned(),
            (Binding::JsonRpc, _) => "at /a2a".to_owned(),
        };
        line(true, binding_name(binding), place)
    });
    let off = Binding::ALL.into_iter().filter(|binding| !server.bindings.has(*binding));
    on.chain(off.map(|binding| line(false, binding_name(binding), "not among BINDINGS".to_owned()))).collect()
}

fn binding_name(binding: Binding) -> &'static str {
    match binding {
        Binding::Grpc => "gRPC",
        Binding::Http => "HTTP+JSON",
        Binding::JsonRpc => "JSON-RPC",
    }
}

fn of_app(info: &AppInfo, dify: &Dify) -> Vec<Feature> {
    let on = &info.features;
    let switch = |is_on: bool, name: &'static str, remark: &'static str| {
        if is_on { (true, name, remark) } else { (false, name, OFF) }
    };
    let speech = switch(
        on.text_to_speech.is_some(),
        "text to speech",
        "a file part of the answer, where the caller accepts audio",
    );
    if info.mode == AppMode::Workflow {
        // Dify tells the others of workflows too, which have none of them.
        return vec![speech];
    }
    let recordings = "on in the app, not used here; recordings go as files, if it takes audio";
    vec![
        switch(on.retriever_resource, "citations", "a data part behind the answer"),
        suggested(info, dify),
        switch(on.annotation_reply, "annotation replies", "told as annotated"),
        switch(
            on.sensitive_word_avoidance,
            "moderation",
            "what it replaces in a stream is replaced for clients too",
        ),
        speech,
        (false, "speech to text", if on.speech_to_text { recordings } else { OFF }),
    ]
}

fn suggested(info: &AppInfo, dify: &Dify) -> Feature {
    let name = "suggested questions";
    match (info.features.suggested_questions_after_answer, dify.suggested) {
        _ if !info.mode.has_conversation() => (false, name, "not in this kind of app"),
        (false, _) => (false, name, OFF),
        (true, true) => (true, name, "SUGGESTED=on: asked for after each answer, which costs a model call"),
        (true, false) => (false, name, "on in the app; SUGGESTED=on tells them"),
    }
}

fn human_input(info: &AppInfo) -> Feature {
    let name = "human input";
    let is_since = |minor| info.parsed_version().is_none_or(|version| version.is_since(1, minor, 0));
    match &info.mode {
        AppMode::AdvancedChat | AppMode::Workflow | AppMode::Unknown | AppMode::Other(_) if is_since(14) => (
            true,
            name,
            "a run that waits for a form makes the task input-required; the next message answers it",
        ),
        AppMode::AdvancedChat | AppMode::Workflow | AppMode::Unknown | AppMode::Other(_) if is_since(13) => {
            (false, name, "before 1.14 the API cannot answer forms; a run that waits for one fails")
        }
        AppMode::AdvancedChat
        | AppMode::ChatFamily
        | AppMode::Other(_)
        | AppMode::Unknown
        | AppMode::Workflow => (false, name, "not in this version of Dify; since 1.14"),
        AppMode::Agent | AppMode::AgentChat | AppMode::Chat | AppMode::Completion => {
            (false, name, "not in this kind of app")
        }
    }
}

fn trace_id(info: &AppInfo) -> Feature {
    match info.parsed_version() {
        Some(version) if !version.is_since(1, 7, 0) => {
            (false, "trace id", "not in this version of Dify; since 1.7")
        }
        Some(_) | None => (true, "trace id", "of traceparent, handed to Dify"),
    }
}
