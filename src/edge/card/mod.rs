//! The Agent Card: what Dify says of the app, with the operator's [`Overlay`] laid over it.
//!
//! The hybrid card is one document that clients of A2A 1.0 and of 0.3 both accept: the fields of 1.0, and
//! beside them those that 0.3 demands. The pure card has nothing of 0.3. Both say exactly which bindings are on, and where.

mod app;
mod interfaces;
mod overlay;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use url::Url;

use crate::core::backend::Profile;

use super::binding::Binding;
use super::extension;
use super::json::{ObjectWriter, write_list, write_raw, write_str};

pub use interfaces::{Offer, RPC_PATH, bare};
pub use overlay::{Extension, Overlay, OverlayError, Provider, Skill};

/// What the card says where neither Dify nor the overlay says anything.
const FALLBACK_NAME: &str = "Dify agent";
const FALLBACK_DESCRIPTION: &str = "An agent built with Dify.";
const FALLBACK_TAGS: [&str; 2] = ["chat", "dify"];
const TEXT_MODE: &str = "text/plain";

/// Which clients the card is for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CardStyle {
    /// A2A 1.0 and 0.3 alike.
    #[default]
    Hybrid,
    /// A2A 1.0 alone.
    V1,
}

/// A rendered document and the strong entity tag of its very bytes, in quotes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardDocument {
    /// The JSON.
    pub body: Bytes,
    /// For the header `ETag`.
    pub etag: String,
}

impl CardDocument {
    fn new(body: Vec<u8>) -> Self {
        let mut etag = String::from("\"");
        for byte in digest(&SHA256, &body).as_ref() {
            etag.push_str(&format!("{byte:02x}"));
        }
        etag.push('"');
        Self { body: Bytes::from(body), etag }
    }
}

/// Renders the card. The profile is asked for each time, since Dify's app may change while the gateway runs.
#[derive(Clone, Debug, Default)]
pub struct CardSource {
    style: CardStyle,
    offer: Offer,
    overlay: Overlay,
}

impl CardSource {
    /// A source for what is on offer, with the operator's wishes.
    pub fn new(style: CardStyle, offer: Offer, overlay: Overlay) -> Self {
        Self { style, offer, overlay }
    }

    /// The extensions that the card declares.
    pub fn extensions(&self) -> impl Iterator<Item = &str> {
        let listed = self.overlay.extensions.iter().map(|extension| extension.uri.as_str());
        std::iter::once(extension::URI).chain(listed)
    }

    /// The extensions that a client must list in `A2A-Extensions` (A2A 1.0 §3.3.4).
    pub fn required_extensions(&self) -> impl Iterator<Item = &str> {
        let required = self.overlay.extensions.iter().filter(|extension| extension.required);
        required.map(|extension| extension.uri.as_str())
    }

    /// The Agent Card (A2A 1.0 §4.4.1; the fields of A2A 0.3 §5.5 if hybrid). `base_url` is where clients
    /// reach the gateway, such as `https://agents.example.org/x`; a trailing slash or `/a2a` does not matter.
    pub fn render(&self, profile: &Profile, base_url: &str) -> CardDocument {
        let interfaces = self.offer.interfaces(base_url);
        let of_v03: &[(Binding, String)] = match self.style {
            CardStyle::Hybrid => &interfaces,
            CardStyle::V1 => &[],
        };
        let overlay = &self.overlay;
        let mut buf = Vec::new();
        let mut card = ObjectWriter::open(&mut buf);
        card.str("name", self.name(profile));
        card.str("description", self.description(profile));
        card.str("version", self.version());
        let of_version = |version: &'static str| move |interface| (interface, version);
        let all = interfaces.iter().map(of_version("1.0")).chain(of_v03.iter().map(of_version("0.3")));
        write_list(card.member("supportedInterfaces"), all, |buf, ((binding, url), version)| {
            let mut interface = ObjectWriter::open(buf);
            interface.str("url", url);
            interface.str("protocolBinding", binding.name());
            interface.str("protocolVersion", version);
            interface.close();
        });
        if let Some(provider) = &overlay.provider {
            let mut object = ObjectWriter::open(card.member("provider"));
            object.str("url", &provider.url);
            object.str("organization", &provider.organization);
            object.close();
        }
        card.opt_str("documentationUrl", overlay.documentation_url.as_deref());
        card.opt_str("iconUrl", overlay.icon_url.as_deref().or_else(|| icon(profile)));
        self.capabilities(card.member("capabilities"), profile);
        write_modes(card.member("defaultInputModes"), [&overlay.input_modes, &profile.input_modes]);
        write_modes(card.member("defaultOutputModes"), [&overlay.output_modes, &profile.output_modes]);
        self.skills(card.member("skills"), profile);
        write_v03(&mut card, of_v03);
        card.close();
        CardDocument::new(buf)
    }

    /// The card of `GET /agentcard` in the `message.send` dialect.
    pub fn render_legacy(&self, profile: &Profile, base_url: &str) -> CardDocument {
        let base = bare(base_url);
        let mut buf = Vec::new();
        let mut card = ObjectWriter::open(&mut buf);
        let name = self.name(profile);
        match &self.overlay.id {
            Some(id) => card.str("id", id),
            None => card.str("id", &overlay::slug(name)),
        }
        card.str("name", name);
        card.str("description", self.description(profile));
        card.str("version", self.version());
        let own = [self.own_skill(profile)];
        let skills = if self.overlay.skills.is_empty() { &own[..] } else { &self.overlay.skills };
        write_list(card.member("capabilities"), skills, |buf, skill| {
            let mut capability = ObjectWriter::open(buf);
            capability.str("name", &skill.name);
            capability.str("description", &skill.description);
            capability.close();
        });
        match &self.overlay.metadata {
            Some(metadata) => write_raw(card.member("metadata"), metadata),
            None => ObjectWriter::open(card.member("metadata")).close(),
        }
        let mut endpoints = ObjectWriter::open(card.member("endpoints"));
        for (name, path) in [
            ("message_send", RPC_PATH),
            ("tasks_get", "/tasks/get"),
            ("tasks_list", "/tasks/list"),
            ("tasks_cancel", "/tasks/cancel"),
        ] {
            endpoints.str(name, &format!("{base}{path}"));
        }
        endpoints.close();
        card.close();
        CardDocument::new(buf)
    }

    fn name<'a>(&'a self, profile: &'a Profile) -> &'a str {
        self.overlay.name.as_deref().or_else(|| said(&profile.name)).unwrap_or(FALLBACK_NAME)
    }

    fn description<'a>(&'a self, profile: &'a Profile) -> &'a str {
        let dify = || said(&profile.description).or_else(|| said(&profile.opening_statement));
        self.overlay.description.as_deref().or_else(dify).unwrap_or(FALLBACK_DESCRIPTION)
    }

    fn version(&self) -> &str {
        self.overlay.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"))
    }

    fn capabilities(&self, buf: &mut Vec<u8>, profile: &Profile) {
        let mut object = ObjectWriter::open(buf);
        for (name, on) in CAPABILITIES {
            object.boolean(name, on);
        }
        let ours = Extension {
            uri: extension::URI.to_owned(),
            description: Some(
                "What the app's inputs are, and what Dify tells of an answer: usage, citations, progress, and more."
                    .to_owned(),
            ),
            required: false,
            params: app::params(profile),
        };
        let all = std::iter::once(&ours).chain(&self.overlay.extensions);
        write_list(object.member("extensions"), all, |buf, extension| {
            let mut object = ObjectWriter::open(buf);
            object.str("uri", &extension.uri);
            object.opt_str("description", extension.description.as_deref());
            // `false` is the default, and signatures over a card are easier where defaults are left out.
            if extension.required {
                object.boolean("required", true);
            }
            object.opt_raw("params", extension.params.as_deref());
            object.close();
        });
        object.close();
    }

    fn skills(&self, buf: &mut Vec<u8>, profile: &Profile) {
        let own = [self.own_skill(profile)];
        let skills = if self.overlay.skills.is_empty() { &own[..] } else { &self.overlay.skills };
        write_list(buf, skills, |buf, skill| {
            let mut object = ObjectWriter::open(buf);
            object.str("id", &skill.id);
            object.str("name", &skill.name);
            object.str("description", &skill.description);
            write_texts(object.member("tags"), &skill.tags);
            for (name, list) in [
                ("examples", &skill.examples),
                ("inputModes", &skill.input_modes),
                ("outputModes", &skill.output_modes),
            ] {
                if !list.is_empty() {
                    write_texts(object.member(name), list);
                }
            }
            object.close();
        });
    }

    /// The one skill of an app that nobody described further: to use it.
    fn own_skill(&self, profile: &Profile) -> Skill {
        let said = |tag: &&String| !tag.trim().is_empty();
        let mut tags: Vec<String> =
            profile.tags.iter().filter(said).map(|tag| tag.trim().to_owned()).collect();
        if tags.is_empty() {
            tags = FALLBACK_TAGS.map(str::to_owned).to_vec();
        }
        // Where the operator has settled what the whole card takes, the skill takes just that.
        let unless = |settled: &[String], modes: &[String]| {
            if settled.is_empty() { modes.to_vec() } else { Vec::new() }
        };
        Skill {
            id: "chat".to_owned(),
            name: self.name(profile).to_owned(),
            description: app::how_to_use(self.description(profile), profile),
            tags,
            examples: profile.examples.clone(),
            input_modes: unless(&self.overlay.input_modes, &profile.input_modes),
            output_modes: unless(&self.overlay.output_modes, &profile.output_modes),
        }
    }
}

/// The capabilities of the gateway. A card cannot change them, only say them.
const CAPABILITIES: [(&str, bool); 3] =
    [("streaming", true), ("pushNotifications", false), ("extendedAgentCard", false)];

/// A text that is more than blanks.
fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// The app's icon, if it is an address that a client can open; Dify also has emojis and relative paths there.
fn icon(profile: &Profile) -> Option<&str> {
    let url = said(&profile.icon_url)?;
    Url::parse(url).is_ok_and(|parsed| matches!(parsed.scheme(), "http" | "https")).then_some(url)
}

fn write_texts(buf: &mut Vec<u8>, texts: &[String]) {
    write_list(buf, texts, |buf, text| write_str(buf, text));
}

/// The first list that has any.
fn write_modes(buf: &mut Vec<u8>, modes: [&Vec<String>; 2]) {
    match modes.into_iter().find(|modes| !modes.is_empty()) {
        Some(modes) => write_texts(buf, modes),
        None => write_list(buf, [TEXT_MODE], write_str),
    }
}

/// The members that A2A 0.3 demands beside those it shares with 1.0 (A2A 0.3 §5.5, §5.6), if there is anything for its
/// clients. The main interface is listed among the others too.
fn write_v03(card: &mut ObjectWriter<'_>, interfaces: &[(Binding, String)]) {
    let Some((preferred, url)) = interfaces.first() else { return };
    card.str("protocolVersion", "0.3.0");
    card.str("url", url);
    card.str("preferredTransport", preferred.name());
    write_list(card.member("additionalInterfaces"), interfaces, |buf, (binding, url)| {
        let mut interface = ObjectWriter::open(buf);
        interface.str("url", url);
        interface.str("transport", binding.name());
        interface.close();
    });
    card.boolean("supportsAuthenticatedExtendedCard", false);
}

#[cfg(test)]
mod tests;
