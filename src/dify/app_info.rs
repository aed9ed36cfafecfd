//! What app is behind the key: reads Dify's descriptions, gives an [`AppInfo`].
//!
//! Only reads, on every version: a question to the app would cost tokens and leave a conversation behind. Versions
//! before 1.4 do not tell the mode and lack `/site`; there the mode is found out by which endpoints refuse.

use std::borrow::Cow;

use serde::Deserialize;
use url::Url;

use super::client::{Client, SmallAnswer};
use super::error::{Error, Refusal};
use super::features::{FeatureMembers, Features, Limits};
use super::form::{FileRules, Form, Item};
use super::lenient;

/// The user in whose name the gateway looks around.
const PROBE_USER: &str = "dify-a2a-gateway";

/// The kinds of Dify apps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AppMode {
    /// Chatbot.
    Chat,
    /// Agent, the older kind.
    AgentChat,
    /// Chatflow.
    AdvancedChat,
    /// New Agent.
    Agent,
    /// A chatbot, agent or chatflow of a version that does not tell which.
    ChatFamily,
    /// Text generator.
    Completion,
    /// Workflow.
    Workflow,
    /// Of a version that is not known here.
    Other(String),
    /// Dify has not been asked yet.
    Unknown,
}

impl AppMode {
    /// Reads Dify's name of a mode.
    pub fn from_name(name: &str) -> Self {
        match name {
            "chat" => Self::Chat,
            "agent-chat" => Self::AgentChat,
            "advanced-chat" => Self::AdvancedChat,
            "agent" => Self::Agent,
            "completion" => Self::Completion,
            "workflow" => Self::Workflow,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Dify's name of the mode, or ours where it has none.
    pub fn name(&self) -> &str {
        match self {
            Self::Chat => "chat",
            Self::AgentChat => "agent-chat",
            Self::AdvancedChat => "advanced-chat",
            Self::Agent => "agent",
            Self::ChatFamily => "chat family",
            Self::Completion => "completion",
            Self::Workflow => "workflow",
            Self::Other(name) => name,
            Self::Unknown => "unknown",
        }
    }

    /// Why this version of the gateway cannot serve such an app, if it cannot.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Other(name) => Some(format!(
                "the Dify app is of the mode \"{name}\", which this version of the gateway does not know; it serves \
                 chatbots, agents, chatflows, workflows and text generators"
            )),
            Self::Chat
            | Self::AgentChat
            | Self::AdvancedChat
            | Self::Agent
            | Self::ChatFamily
            | Self::Completion
            | Self::Workflow
            | Self::Unknown => None,
        }
    }

    /// Whether Dify keeps a conversation and takes a `query` (`/chat-messages`). An app that is not known yet is
    /// taken for one of these.
    pub fn has_conversation(&self) -> bool {
        !matches!(self, Self::Completion | Self::Workflow | Self::Other(_))
    }

    /// Whether the app is a graph of nodes, as far as is known: a chatflow or a workflow.
    pub fn is_graph(&self) -> bool {
        matches!(self, Self::AdvancedChat | Self::Workflow)
    }
}

/// A version of Dify. Earlier ones are smaller.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third.
    pub patch: u32,
}

impl Version {
    /// Reads `1.14.2`, also with a `v` before it or something behind it as in `1.0.0-beta.1`; a number that is not
    /// there is 0.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let mut numbers = text.split(['-', '+']).next().unwrap_or_default().split('.');
        let major = numbers.next()?.parse().ok()?;
        let mut next = || numbers.next().map_or(Some(0), |number| number.parse().ok());
        Some(Self { major, minor: next()?, patch: next()? })
    }

    /// Whether a conversation keeps the inputs of its first turn and later ones are not heeded (Dify #7955: before 1.0).
    pub fn keeps_first_inputs(self) -> bool {
        self.major == 0
    }

    /// Whether it is at least `major.minor.patch`.
    pub fn is_since(self, major: u32, minor: u32, patch: u32) -> bool {
        self >= Self { major, minor, patch }
    }
}

/// How an app presents itself to people.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct About {
    /// Its name.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The web address of its icon.
    pub icon_url: Option<String>,
    /// How it greets people.
    pub opening_statement: Option<String>,
    /// Questions it suggests to begin with.
    pub suggested_questions: Vec<String>,
}

/// What Dify says of the app.
#[derive(Clone, Debug)]
pub struct AppInfo {
    /// What kind it is.
    pub mode: AppMode,
    /// Dify's version, if told.
    pub version: Option<String>,
    /// How it presents itself.
    pub about: About,
    /// What it asks of whoever uses it, beside the message.
    pub form: Form,
    /// Which files a message may bring (chatbots, agents, chatflows); `None` where it may bring none.
    pub upload: Option<FileRules>,
    /// How large files may be.
    pub limits: Limits,
    /// What else it can do.
    pub features: Features,
    /// Whether Dify told the form, the upload, the limits and the features; what is not told is as if there was none.
    pub has_parameters: bool,
    /// What keeps it from being served, in sentences for the operator.
    pub problems: Vec<String>,
}

impl Default for AppInfo {
    fn default() -> Self {
        Self {
            mode: AppMode::Unknown,
            version: None,
            about: About::default(),
            form: Form::default(),
            upload: None,
            limits: Limits::default(),
            features: Features::default(),
            has_parameters: false,
            problems: Vec::new(),
        }
    }
}

impl AppInfo {
    /// The version, if it was told in a way that can be compared.
    pub fn parsed_version(&self) -> Option<Version> {
        self.version.as_deref().and_then(Version::parse)
    }

    /// With what an earlier answer told of the same kind of app, where Dify could not tell its parameters this time.
    #[must_use]
    pub fn keeping(self, earlier: &Self) -> Self {
        if self.has_parameters || !earlier.has_parameters || self.mode != earlier.mode {
            return self;
        }
        let About { opening_statement, suggested_questions, .. } = &earlier.about;
        Self {
            about: About {
                opening_statement: opening_statement.clone(),
                suggested_questions: suggested_questions.clone(),
                ..self.about
            },
            form: earlier.form.clone(),
            upload: earlier.upload.clone(),
            limits: earlier.limits,
            features: earlier.features.clone(),
            has_parameters: true,
            ..self
        }
    }

    /// Asks Dify.
    ///
    /// # Errors
    /// [`Error`] when Dify cannot be reached, does not take the key, or is not Dify. An endpoint that the version
    /// does not have is no error.
    pub async fn detect(client: &Client) -> Result<Self, Error> {
        let answer = present(client.info().await)?;
        let told: Told<'_> = parse(answer.as_ref());
        let mut version = answer.as_ref().and_then(|answer| answer.version.clone());
        let mode = match &told.mode {
            Some(mode) => AppMode::from_name(mode),
            None => probe_mode(client, &mut version).await?,
        };
        let mut problems: Vec<String> = mode.problem().into_iter().collect();
        if mode == AppMode::Unknown {
            problems.push("the address answers, but not as Dify's API does; check the Dify URL".to_owned());
        }
        let parameters = match client.parameters().await {
            Err(Error::Refused(Refusal { status: 400, code: Some(code), .. })) => {
                problems.push(format!("the Dify app is not ready to be used ({code}); publish it in Dify"));
                None
            }
            // What the app is called is known all the same; the rest is asked for again with the next refresh.
            other => present(other).unwrap_or_else(|error| {
                tracing::warn!(%error, "dify did not tell the app's parameters");
                None
            }),
        };
        // An app may have no site, and its icon is the only thing lost then.
        let site = client.site().await.ok();
        Ok(Self {
            mode,
            version,
            problems,
            ..Self::read(answer.as_ref(), parameters.as_ref(), site.as_ref())
        })
    }

    /// What the answers of `/info`, `/parameters` and `/site` tell, without the mode and the version.
    fn read(
        info: Option<&SmallAnswer>,
        parameters: Option<&SmallAnswer>,
        site: Option<&SmallAnswer>,
    ) -> Self {
        let (told, site): (Told<'_>, Site<'_>) = (parse(info), parse(site));
        let (opening, members): (Opening<'_>, FeatureMembers<'_>) = (parse(parameters), parse(parameters));
        Self {
            about: About {
                name: filled(told.name),
                description: filled(told.description).or_else(|| filled(site.description)),
                tags: told.tags,
                icon_url: filled(site.icon_url).filter(|icon| is_web_address(icon)),
                opening_statement: filled(opening.opening_statement),
                suggested_questions: opening.suggested_questions,
            },
            form: Form::read(&opening.user_input_form),
            upload: members.upload(),
            limits: members.limits(),
            features: members.features(),
            has_parameters: parameters.is_some(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
impl AppInfo {
    /// The app that these answers of `/info` and `/parameters` tell of.
    pub(crate) fn of_answers(mode: AppMode, version: &str, info: &[u8], parameters: &[u8]) -> Self {
        let answer = |body: &[u8]| SmallAnswer { version: None, body: bytes::Bytes::copy_from_slice(body) };
        let app = Self::read(Some(&answer(info)), Some(&answer(parameters)), None);
        Self { mode, version: Some(version.to_owned()), ..app }
    }

    /// The app of recorded answers, such as `workflow_file` of `1.14.2`.
    pub(crate) fn of_recordings(mode: AppMode, version: &str, app: &str) -> Self {
        let body = |what| super::fixture::recording(&format!("{version}/{what}_{app}")).body;
        Self::of_answers(mode, version, &body("info"), &body("parameters"))
    }
}

/// Whether Dify is there and serves the app: it answers one of the questions that [`AppInfo::detect`] asks. A version
/// that has no `/info` is asked the next one.
///
/// # Errors
/// [`Error`] of `/info` when no question is answered, of a later one when Dify refuses it.
pub async fn reach(client: &Client) -> Result<(), Error> {
    let absent = match client.info().await {
        Err(Error::Refused(refusal)) if is_absent(&refusal) => refusal,
        other => return other.map(drop),
    };
    if present(client.parameters().await)?.is_some() {
        return Ok(());
    }
    match probe_mode(client, &mut None).await? {
        AppMode::Unknown => Err(Error::Refused(absent)),
        _ => Ok(()),
    }
}

#[derive(Default, Deserialize)]
struct Told<'a> {
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    name: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    description: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient::list")]
    tags: Vec<String>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    mode: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Opening<'a> {
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    opening_statement: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient::list")]
    suggested_questions: Vec<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    user_input_form: Vec<Item>,
}

#[derive(Default, Deserialize)]
struct Site<'a> {
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    icon_url: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    description: Option<Cow<'a, str>>,
}

/// For versions that do not tell the mode.
async fn probe_mode(client: &Client, version: &mut Option<String>) -> Result<AppMode, Error> {
    match client.conversations(PROBE_USER).await {
        Ok(answer) => {
            *version = version.take().or(answer.version);
            return Ok(AppMode::ChatFamily);
        }
        Err(Error::Refused(refusal)) if refusal.code.as_deref() == Some("not_chat_app") => {}
        // Not even this endpoint: nothing is known, and only a turn will show.
        Err(Error::Refused(refusal)) if is_absent(&refusal) => return Ok(AppMode::Unknown),
        Err(error) => return Err(error),
    }
    match client.unknown_run().await {
        Err(Error::Refused(refusal)) if refusal.code.as_deref() == Some("not_workflow_app") => {
            Ok(AppMode::Completion)
        }
        Ok(_) | Err(Error::Refused(Refusal { status: 404, .. })) => Ok(AppMode::Workflow),
        Err(error) => Err(error),
    }
}

/// Turns "this version has no such endpoint" into `None`.
fn present(answer: Result<SmallAnswer, Error>) -> Result<Option<SmallAnswer>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Refused(refusal)) if is_absent(&refusal) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Unknown routes get a web page with 404, never Dify's envelope.
fn is_absent(refusal: &Refusal) -> bool {
    refusal.status == 404 && refusal.code.is_none()
}

fn parse<'a, T: Default + Deserialize<'a>>(answer: Option<&'a SmallAnswer>) -> T {
    answer.and_then(|answer| serde_json::from_slice(&answer.body).ok()).unwrap_or_default()
}

fn filled(text: Option<Cow<'_, str>>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).map(Cow::into_owned)
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
#[path = "app_info_tests.rs"]
mod tests;
