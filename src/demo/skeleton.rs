//! What all demo apps have in common: the router around their own routes, the key, the version headers, and what
//! they tell about themselves.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::conversations::Conversations;
use super::files::{self, Files};
use super::runs::{Runs, Stops};
use super::wire::{self, Object, object, ok};
use super::{App, KEY, Pace, approval, chat, workflow};

/// What an app tells about itself.
#[derive(Debug)]
pub(super) struct About {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) description: &'static str,
    /// Dify's name of its mode.
    pub(super) mode: &'static str,
    /// An emoji.
    pub(super) icon: &'static str,
    /// What it says before anything is said.
    pub(super) opening: &'static str,
    /// What one could say to it.
    pub(super) suggested: &'static [&'static str],
    /// Its form, as `/parameters` has it.
    pub(super) form: Vec<Object>,
    /// Its settings for uploads, as `/parameters` has them.
    pub(super) file_upload: Object,
    /// Its settings for moderation, as `/parameters` has them.
    pub(super) moderation: Object,
}

/// Everything that one app is and knows.
#[derive(Debug)]
pub(super) struct Demo {
    /// What it tells about itself.
    pub(super) about: About,
    /// How fast it speaks.
    pub(super) pace: Pace,
    /// What was said.
    pub(super) conversations: Conversations,
    /// What was uploaded and made.
    pub(super) files: Files,
    /// Runs of its workflow.
    pub(super) runs: Runs,
    /// What can be stopped.
    pub(super) stops: Stops,
}

/// The state that all handlers share.
pub(super) type Shared = Arc<Demo>;

/// An app that has just been made; its files are at `origin`.
pub(super) fn state(app: App, pace: Pace, origin: &str) -> Shared {
    let about = match app {
        App::Chat => chat::about(),
        App::Workflow => workflow::about(),
        App::Approval => approval::about(),
    };
    Arc::new(Demo {
        about,
        pace,
        conversations: Conversations::default(),
        files: Files::new(origin),
        runs: Runs::default(),
        stops: Stops::default(),
    })
}

/// The whole app: its own routes and those of all, below `/v1`, and its files.
pub(super) fn router(own: Router<Shared>, state: Shared) -> Router {
    let upload = post(files::upload).layer(DefaultBodyLimit::max(files::LARGEST_UPLOAD_REQUEST));
    let api = Router::new()
        .route("/info", get(info))
        .route("/parameters", get(parameters))
        .route("/site", get(site))
        .route("/files/upload", upload)
        .merge(own)
        .layer(from_fn(check_key))
        .method_not_allowed_fallback(method_not_allowed);
    Router::new()
        .nest("/v1", api)
        .route("/files/{id}/file-preview", get(files::preview))
        .route("/files/tools/{name}", get(files::made))
        .fallback(not_found)
        .layer(map_response(version_headers))
        .with_state(state)
}

async fn version_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    headers.insert("access-control-expose-headers", HeaderValue::from_static("X-Env, X-Trace-Id, X-Version"));
    headers.insert("x-version", HeaderValue::from_static(wire::VERSION));
    headers.insert("x-env", HeaderValue::from_static("PRODUCTION"));
    headers.insert(header::VARY, HeaderValue::from_static("Cookie"));
    response
}

async fn check_key(request: Request, next: Next) -> Response {
    match key_trouble(request.headers()) {
        None => next.run(request).await,
        Some(message) => {
            let mut refusal = wire::error(StatusCode::UNAUTHORIZED, "unauthorized", message);
            let realm = HeaderValue::from_static("Bearer realm=\"api\"");
            refusal.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
            refusal
        }
    }
}

fn key_trouble(headers: &HeaderMap) -> Option<&'static str> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, key)) = sent.and_then(|sent| sent.split_once(' ')) else {
        return Some("Authorization header must be provided and start with 'Bearer'");
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Some("Authorization scheme must be 'Bearer'");
    }
    (key.trim() != KEY).then_some("Access token is invalid")
}

async fn not_found() -> Response {
    let page = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The \
                requested URL was not found on the server. If you entered the URL manually please check your \
                spelling and try again.</p>\n";
    (StatusCode::NOT_FOUND, Html(page)).into_response()
}

async fn method_not_allowed() -> Response {
    let message = "The method is not allowed for the requested URL.";
    wire::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// A route for apps of another mode, with the code that it answers.
pub(super) fn wrong_mode(code: &'static str) -> MethodRouter<Shared> {
    let message = "Please check if your app mode matches the right API route.";
    post(move || std::future::ready(wire::error(StatusCode::BAD_REQUEST, code, message)))
}

async fn info(State(state): State<Shared>) -> Response {
    let About { name, description, mode, .. } = &state.about;
    ok(&object! {
        "name": name, "description": description, "tags": ["demo"], "mode": mode,
        "author_name": "dify-a2a-gateway",
    })
}

async fn parameters(State(state): State<Shared>) -> Response {
    let off = || object! {"enabled": false};
    ok(&object! {
        "opening_statement": state.about.opening,
        "suggested_questions": state.about.suggested,
        "suggested_questions_after_answer": off(),
        "speech_to_text": off(),
        "text_to_speech": object! {"enabled": false, "language": "", "voice": ""},
        "retriever_resource": object! {"enabled": true},
        "annotation_reply": off(),
        "more_like_this": off(),
        "user_input_form": state.about.form,
        "sensitive_word_avoidance": state.about.moderation,
        "file_upload": state.about.file_upload,
        "system_parameters": object! {
            "image_file_size_limit": files::IMAGE_LIMIT_MB, "video_file_size_limit": 100,
            "audio_file_size_limit": 50, "file_size_limit": files::FILE_LIMIT_MB,
            "workflow_file_upload_limit": 10,
        },
    })
}

async fn site(State(state): State<Shared>) -> Response {
    ok(&object! {
        "title": state.about.name,
        "chat_color_theme": (),
        "chat_color_theme_inverted": false,
        "icon_type": "emoji",
        "icon": state.about.icon,
        "icon_background": "#FFEAD5",
        "description": (),
        "copyright": (),
        "privacy_policy": (),
        "custom_disclaimer": "",
        "default_language": "en-US",
        "show_workflow_steps": true,
        "use_icon_as_answer_icon": false,
        "icon_url": (),
    })
}
