//! `check` and `card`: what the gateway would be, without serving.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::check::{App, Problem, Report};
use super::{doubts, layout, tell};
use crate::app::{self, AppError};
use crate::bridge::afterwards::Afterwards;
use crate::config::{Finding, Server, Settings};
use crate::core::backend::{Backend, Profile};
use crate::dify::app_info::{AppInfo, AppMode};
use crate::dify::error::Error as DifyError;
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
    if let Err(error) = app::card_source(settings, settings.server.grpc_port) {
        let mend = "correct the file, or leave it out".to_owned();
        report.problems.push(Problem { wrong: error.to_string(), mend });
    }
    if let Err(error) = app::shelf(settings) {
        let mend = "set FILES_DIR to a folder that this program may write to".to_owned();
        report.problems.push(Problem { wrong: error.to_string(), mend });
    }
    match detect(settings).await {
        Ok((info, _)) => tell_of(&mut report, &info, settings),
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
    let source: CardSource = app::card_source(settings, settings.server.grpc_port)?;
    let (_, profile) = detect(settings).await?;
    let base = match &settings.server.public_url {
        Some(public) => public.to_string(),
        None => listening_url(settings),
    };
    let document = source.render(&profile, &base);
    let json: &RawValue = serde_json::from_slice(&document.body)?;
    Ok(layout::pretty(json.get()))
}

async fn detect(settings: &Settings) -> Result<(Arc<AppInfo>, Arc<Profile>), AskError> {
    let backend = app::dify_backend(settings, Afterwards::default())?;
    let info = backend.refresh().await?;
    Ok((info, backend.profile()))
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
    let is_told = server.public_url.is_some() || !server.trusted_proxies.is_empty();
    (!own && !is_told).then(|| Finding {
        setting: "PUBLIC_URL (server.public_url in TOML)".to_owned(),
        origin: "nowhere".to_owned(),
        wrong: "is not set, so the card will give http://<Host of each request>".to_owned(),
        mend: "behind a TLS proxy set PUBLIC_URL, or TRUSTED_PROXIES to the address of the proxy".to_owned(),
    })
}

fn tell_of(report: &mut Report, info: &AppInfo, settings: &Settings) {
    report.dify_version.clone_from(&info.version);
    report.app = Some(App {
        name: info.about.name.clone().unwrap_or_else(|| "without a name".to_owned()),
        mode: Some(info.mode.name().to_owned()),
        description: info.about.description.clone().unwrap_or_default(),
    });
    // Of an app that cannot be served nothing more is known to be true.
    if info.mode.problem().is_none() && info.mode != AppMode::Unknown {
        report.sections = tell::sections(info, settings);
    }
    for problem in &info.problems {
        let mend = "use the key of another app, or change this one in Dify".to_owned();
        report.problems.push(Problem { wrong: problem.clone(), mend });
    }
    report.problems.extend(doubts::problems(info, &settings.dify));
    report.doubts = doubts::doubts(info, &settings.dify);
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
