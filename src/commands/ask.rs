//! `check` and `card`: what the gateway would be, without serving.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::check::{App, Feature, Input, Problem, Report};
use crate::app::{self, AppError};
use crate::bridge::afterwards::Afterwards;
use crate::config::{Finding, Server, Settings};
use crate::dify::app_info::AppInfo;
use crate::dify::error::Error as DifyError;
use crate::dify::form::Field;
use crate::edge::card::CardSource;

/// Why the card cannot be printed.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The settings, though well-formed, cannot be used.
    #[error(transparent)]
    App(#[from] AppError),
    /// Dify did not say what the app is.
    #[error("Dify did not say what the app is")]
    Dify(#[from] DifyError),
    /// There is no extended card.
    #[error("this gateway has no extended card: it knows no callers that could see more than others")]
    NoExtendedCard,
    /// The card is not JSON; cannot happen.
    #[error("the card could not be laid out")]
    Layout(#[from] serde_json::Error),
}

/// Asks Dify about the app and reports what it would be as an agent. Trouble of any kind is in the report.
pub async fn check(settings: &Settings) -> Report {
    let mut report = Report { dify_url: settings.dify.url.to_string(), ..Report::default() };
    report.warnings.extend(changing_address(&settings.server));
    if let Err(error) = app::card_source(&settings.card) {
        let mend = "correct the file, or leave it out".to_owned();
        report.problems.push(Problem { wrong: error.to_string(), mend });
    }
    match detect(settings).await {
        Ok(info) => tell(&mut report, &info),
        Err(AskError::Dify(error)) => report.problems.push(remedy(&error)),
        Err(other) => {
            let mend = "see DIFY_API_URL and DIFY_API_KEY".to_owned();
            report.problems.push(Problem { wrong: other.to_string(), mend });
        }
    }
    report
}

/// The Agent Card that would be served, as JSON for people to read.
///
/// # Errors
/// [`AskError`] when Dify or the card file do not play along.
pub async fn card(settings: &Settings, extended: bool) -> Result<String, AskError> {
    if extended {
        return Err(AskError::NoExtendedCard);
    }
    let source: CardSource = app::card_source(&settings.card)?;
    let info = detect(settings).await?;
    let base = match &settings.server.public_url {
        Some(public) => public.to_string(),
        None => listening_url(settings),
    };
    let document = source.render(&info.profile, &base);
    let value: serde_json::Value = serde_json::from_slice(&document.body)?;
    Ok(serde_json::to_string_pretty(&value)?)
}

async fn detect(settings: &Settings) -> Result<Arc<AppInfo>, AskError> {
    let backend = app::dify_backend(settings, Afterwards::default())?;
    Ok(backend.refresh().await?)
}

/// The address that a client on this machine would use.
fn listening_url(settings: &Settings) -> String {
    let (host, port) = (settings.server.host.as_str(), settings.server.port);
    match host.parse() {
        Ok(ip) => {
            let any = SocketAddr::new(ip, port).ip().is_unspecified();
            let shown = if any { Ipv4Addr::LOCALHOST.into() } else { ip };
            format!("http://{}", SocketAddr::new(shown, port))
        }
        Err(_) => format!("http://{host}:{port}"),
    }
}

/// What to know when others than this machine can call and the card gives the address that each of them used.
fn changing_address(server: &Server) -> Option<Finding> {
    let own = server.host.parse().map_or(server.host == "localhost", |ip: IpAddr| ip.is_loopback());
    (!own && server.public_url.is_none()).then(|| Finding {
        setting: "PUBLIC_URL (server.public_url in TOML)".to_owned(),
        origin: "nowhere".to_owned(),
        wrong: "is not set, so the card will give http://<Host of each request>".to_owned(),
        mend: "behind a TLS proxy set PUBLIC_URL".to_owned(),
    })
}

fn tell(report: &mut Report, info: &AppInfo) {
    let profile = &info.profile;
    report.dify_version.clone_from(&info.version);
    report.app = Some(App {
        name: profile.name.clone().unwrap_or_else(|| "without a name".to_owned()),
        mode: Some(info.mode.name().to_owned()),
        description: profile.description.clone().unwrap_or_default(),
    });
    let input = |field: &Field| Input {
        name: field.variable.clone(),
        kind: field.kind.name().to_owned(),
        required: field.required,
    };
    report.inputs = info.form.fields.iter().map(input).collect();
    let feature = |name: &str, available: bool, remark: &str| Feature {
        name: name.to_owned(),
        available,
        remark: remark.to_owned(),
    };
    report.features = vec![
        feature("streaming", true, ""),
        feature("conversations", true, "one per contextId, kept in Dify"),
        feature("cancel", true, "through Dify's stop endpoint"),
        feature("inputs", false, "not in this version; the app gets none"),
        feature("files", false, "not in this version"),
        feature("push notifications", false, "not in this version"),
        feature("extended card", false, "not in this version"),
    ];
    for problem in &info.problems {
        let mend = "use the key of another app, or change this one in Dify".to_owned();
        report.problems.push(Problem { wrong: problem.clone(), mend });
    }
}

fn remedy(error: &DifyError) -> Problem {
    let mend = match error {
        DifyError::Refused(refusal) if matches!(refusal.status, 401 | 403) => {
            "take the API key of the app from its page \"API Access\" in Dify, and set DIFY_API_KEY to it"
        }
        DifyError::Refused(refusal) if refusal.status == 404 => {
            "DIFY_API_URL must be the base of Dify's service API, such as https://api.dify.ai/v1"
        }
        DifyError::Refused(_) => "look at Dify's own log",
        _ => "see that DIFY_API_URL is right and that Dify is up and can be reached from here",
    };
    Problem { wrong: error.to_string(), mend: mend.to_owned() }
}
