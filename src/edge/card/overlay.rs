//! The operator's card file, `agentcard.json`: a partial A2A 1.0 Agent Card. What it gives replaces what
//! Dify says of the app; what no file can decide is refused with the reason.
//!
//! An older form is read too:
//! `{"id","name","description","version","capabilities":[{"name","description","enabled",
//! "config"}],"metadata","limits"}`. Its enabled capabilities become skills; `config` and `limits` are
//! ignored.

use std::collections::HashSet;

use url::Url;

use crate::core::error::{Error, FieldViolation};
use crate::core::message::Json;
use crate::edge::extension;
use crate::edge::json::{Field, Members, read_params};
use crate::edge::request::{non_empty, strings};

use super::CAPABILITIES;

/// What is wrong with a card file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OverlayError {
    /// Some of its fields.
    #[error("{}", list(.0))]
    Fields(Vec<FieldViolation>),
    /// It is not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
}

fn list(problems: &[FieldViolation]) -> String {
    let lines: Vec<_> = problems.iter().map(|one| format!("{}: {}", one.field, one.description)).collect();
    lines.join("; ")
}

/// Who offers the agent (A2A 1.0 `AgentProvider`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Provider {
    /// The organization's name.
    pub organization: String,
    /// Its address.
    pub url: String,
}

/// Something the agent can do (A2A 1.0 `AgentSkill`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Skill {
    /// Unique on the card.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it does.
    pub description: String,
    /// At least one.
    pub tags: Vec<String>,
    /// Prompts that show it.
    pub examples: Vec<String>,
    /// Media types it takes, if not the card's.
    pub input_modes: Vec<String>,
    /// Media types it gives, if not the card's.
    pub output_modes: Vec<String>,
}

/// An extension the agent supports (A2A 1.0 `AgentExtension`).
#[derive(Clone, Debug)]
pub struct Extension {
    /// Its name.
    pub uri: String,
    /// How the agent uses it.
    pub description: Option<String>,
    /// Whether clients must list it.
    pub required: bool,
    /// Its parameters, a JSON object.
    pub params: Option<Json>,
}

/// What the operator wants the card to say. Empty lists and `None` mean: as Dify has it.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// An id, for `GET /agentcard` alone.
    pub id: Option<String>,
    /// The agent's name.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// The agent's own version.
    pub version: Option<String>,
    /// Who offers it.
    pub provider: Option<Provider>,
    /// The address of its icon.
    pub icon_url: Option<String>,
    /// The address of its documentation.
    pub documentation_url: Option<String>,
    /// What it can do.
    pub skills: Vec<Skill>,
    /// Media types it takes.
    pub input_modes: Vec<String>,
    /// Media types it gives.
    pub output_modes: Vec<String>,
    /// Extensions beside the gateway's own.
    pub extensions: Vec<Extension>,
    /// A JSON object, for `GET /agentcard` alone.
    pub metadata: Option<Json>,
}

/// The fields of a card that a file may have.
const KNOWN: [&str; 10] = [
    "name",
    "description",
    "version",
    "provider",
    "iconUrl",
    "documentationUrl",
    "skills",
    "defaultInputModes",
    "defaultOutputModes",
    "capabilities",
];

/// What is no field of a 1.0 card but may stand in a file, for the older form or for editors.
const TOLERATED: [&str; 5] = ["id", "metadata", "limits", "dify", "$schema"];

/// The fields of a card that a file cannot decide, and why.
const REFUSED: [(&str, &str); 10] = [
    ("supportedInterfaces", "is made from what the gateway serves; set PUBLIC_URL to change the address"),
    ("url", "is made from what the gateway serves; set PUBLIC_URL to change the address"),
    ("preferredTransport", "is made from what the gateway serves"),
    ("additionalInterfaces", "is made from what the gateway serves"),
    ("protocolVersion", "is made from what the gateway serves; see CARD_STYLE"),
    ("security", "is made from what the gateway checks"),
    ("securitySchemes", "is made from what the gateway checks"),
    ("securityRequirements", "is made from what the gateway checks"),
    ("supportsAuthenticatedExtendedCard", "is off in this gateway"),
    ("signatures", "would not match: the gateway completes the card before it is served"),
];

impl Overlay {
    /// Reads a card file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one go.
    pub fn parse(text: &str) -> Result<Self, OverlayError> {
        let raw = serde_json::from_str(text.trim_start_matches('\u{feff}'));
        let raw = raw.map_err(|error| OverlayError::Syntax(error.to_string()))?;
        match read_params(Some(raw), |card| Some(read(card))) {
            Ok(overlay) => Ok(overlay),
            Err(Error::InvalidParams(mut problems)) => {
                for problem in problems.iter_mut().filter(|problem| problem.field == "params") {
                    problem.field = "the file".to_owned();
                }
                Err(OverlayError::Fields(problems))
            }
            Err(other) => Err(OverlayError::Syntax(other.to_string())),
        }
    }
}

fn read(card: &Members<'_>) -> Overlay {
    let capabilities = card.field("capabilities");
    let older = capabilities.as_ref().is_some_and(Field::is_array);
    refuse_names(card, older);
    let mut skills = card.field("skills").map(|field| skills(&field)).unwrap_or_default();
    let mut extensions = Vec::new();
    if let Some(field) = capabilities {
        if older {
            skills.extend(capability_skills(&field));
        } else if let Some(members) = field.object() {
            extensions = read_capabilities(&members);
        }
    }
    refuse_repeated_ids(card, &skills);
    Overlay {
        id: text(card, "id"),
        name: text(card, "name"),
        description: text(card, "description"),
        version: text(card, "version"),
        provider: card.field("provider").and_then(|field| provider(&field.object()?)),
        icon_url: url(card, "iconUrl"),
        documentation_url: url(card, "documentationUrl"),
        skills,
        input_modes: modes(card, "defaultInputModes"),
        output_modes: modes(card, "defaultOutputModes"),
        extensions,
        metadata: card.field("metadata").and_then(|field| field.json_object()),
    }
}

fn refuse_names(card: &Members<'_>, older: bool) {
    for name in card.names() {
        if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            card.refuse(name, *reason);
        } else if !KNOWN.contains(&name) && !TOLERATED.contains(&name) && !older {
            card.refuse(name, format!("is not known; a card file may have {}", KNOWN.join(", ")));
        }
    }
    let Some(dify) = card.field("dify") else { return };
    if dify.object().is_some_and(|members| members.names().next().is_some()) {
        dify.refuse(
            "does not belong in a card file, which is public: set DIFY_API_KEY and DIFY_API_URL instead",
        );
    }
}

fn text(members: &Members<'_>, name: &'static str) -> Option<String> {
    non_empty(&members.field(name)?)
}

fn url(members: &Members<'_>, name: &'static str) -> Option<String> {
    let field = members.field(name)?;
    let text = field.string()?;
    if Url::parse(&text).is_ok() {
        return Some(text);
    }
    field.refuse("must be an absolute URL");
    None
}

fn provider(members: &Members<'_>) -> Option<Provider> {
    let organization = members.required("organization").and_then(|field| non_empty(&field));
    members.required("url");
    let url = url(members, "url");
    Some(Provider { organization: organization?, url: url? })
}

fn modes(members: &Members<'_>, name: &'static str) -> Vec<String> {
    let modes = strings(members, name);
    if members.field(name).is_some() && modes.is_empty() {
        members.refuse(name, "must have at least one media type, such as text/plain");
    }
    for mode in modes.iter().filter(|mode| !mode.contains('/')) {
        members.refuse(name, format!("{mode:?} is not a media type, such as text/plain"));
    }
    modes
}

fn skills(field: &Field<'_>) -> Vec<Skill> {
    let Some(elements) = field.array() else { return Vec::new() };
    if elements.is_empty() {
        field.refuse("must have at least one skill, or be left out");
    }
    elements.iter().filter_map(|element| skill(&element.object()?)).collect()
}

fn skill(members: &Members<'_>) -> Option<Skill> {
    let required = |name| members.required(name).and_then(|field| non_empty(&field));
    let (id, name, description) = (required("id"), required("name"), required("description"));
    let tags = strings(members, "tags");
    if tags.is_empty() {
        members.refuse("tags", "must have at least one tag");
    }
    for unsupported in ["securityRequirements", "security"] {
        if members.field(unsupported).is_some() {
            members.refuse(unsupported, "is made from what the gateway checks");
        }
    }
    let examples = strings(members, "examples");
    let (input_modes, output_modes) = (modes(members, "inputModes"), modes(members, "outputModes"));
    Some(Skill { id: id?, name: name?, description: description?, tags, examples, input_modes, output_modes })
}

/// The older form: what is enabled (all that does not say otherwise) becomes a skill.
fn capability_skills(field: &Field<'_>) -> Vec<Skill> {
    let Some(elements) = field.array() else { return Vec::new() };
    elements.iter().filter_map(|element| capability_skill(&element.object()?)).collect()
}

fn capability_skill(members: &Members<'_>) -> Option<Skill> {
    let name = members.required("name").and_then(|field| non_empty(&field));
    let description = members.field("description").and_then(|field| field.string());
    let enabled = members.field("enabled").and_then(|field| field.boolean()).unwrap_or(true);
    let name = name.filter(|_| enabled)?;
    let id = slug(&name);
    Some(Skill {
        description: description.filter(|text| !text.is_empty()).unwrap_or_else(|| name.clone()),
        tags: vec![id.clone()],
        id,
        name,
        examples: Vec::new(),
        input_modes: Vec::new(),
        output_modes: Vec::new(),
    })
}

fn refuse_repeated_ids(card: &Members<'_>, skills: &[Skill]) {
    let mut seen = HashSet::new();
    for skill in skills {
        if !seen.insert(&skill.id) {
            card.refuse("skills", format!("the id {:?} is given to more than one skill", skill.id));
        }
    }
}

/// `capabilities` of a 1.0 card: its flags must say what is so, its extensions are added to the gateway's
/// own.
fn read_capabilities(members: &Members<'_>) -> Vec<Extension> {
    for (name, on) in CAPABILITIES.into_iter().chain([("stateTransitionHistory", false)]) {
        let given = members.field(name).and_then(|field| field.boolean());
        if given.is_some_and(|given| given != on) {
            members.refuse(name, if on { "is on in this gateway" } else { "is off in this gateway" });
        }
    }
    let Some(field) = members.field("extensions") else { return Vec::new() };
    let Some(elements) = field.array() else { return Vec::new() };
    elements.iter().filter_map(|element| read_extension(&element.object()?)).collect()
}

fn read_extension(members: &Members<'_>) -> Option<Extension> {
    let uri = members.required("uri").and_then(|field| non_empty(&field));
    if uri.as_deref() == Some(extension::URI) {
        members.refuse("uri", "is the gateway's own extension, which is always declared");
    }
    let is_listable = |uri: &String| uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    if !uri.as_ref().is_none_or(is_listable) {
        members.refuse(
            "uri",
            "must have no blanks, commas or letters beyond ASCII: clients list it in a header",
        );
    }
    let description = members.field("description").and_then(|field| field.string());
    let required = members.field("required").and_then(|field| field.boolean()).unwrap_or(false);
    let params = members.field("params").and_then(|field| field.json_object());
    Some(Extension { uri: uri?, description, required, params })
}

/// A name as an identifier: lower case, everything but letters and digits one hyphen.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars() {
        if letter.is_alphanumeric() {
            slug.extend(letter.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "dify-agent".to_owned() } else { slug.to_owned() }
}
