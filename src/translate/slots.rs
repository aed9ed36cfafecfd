//! Which file of a message goes where in a run: the message's file parts and the app's rules in, one place for each file
//! or what is wrong out. Decided before anything is uploaded.
//!
//! Dify takes files in the message (chatbots, agents, chatflows) and in inputs. Where its upload is switched off it drops
//! files without a word, so they are refused here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::core::error::{Error, FieldViolation};
use crate::core::extension::URI;
use crate::core::message::{Content, Json, Message, Part};
use crate::dify::features::Limits;
use crate::dify::file_kind::{self, FileKind};
use crate::dify::form::{Field, FileRules, Form, Kind, Method};
use crate::dify::mend;
use crate::dify::reason::shorten;

/// Longest file name that is repeated, characters.
const LONGEST_NAME: usize = 80;

/// A file that a caller gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CallerFile {
    /// The index of its part in the message.
    pub part: usize,
    /// Its name, if told.
    pub filename: Option<String>,
    /// Its media type, if told.
    pub media_type: Option<String>,
    /// Its size in bytes, if known.
    pub size: Option<u64>,
    /// Whether it is an address and not bytes.
    pub is_url: bool,
    /// The input that the caller wants it in: `{"input": "variable"}` in the part's metadata, under the gateway's
    /// extension or plainly.
    pub input: Option<String>,
}

impl CallerFile {
    /// The files of a message.
    pub fn of_message(message: &Message) -> Vec<Self> {
        message.parts.iter().enumerate().filter_map(|(index, part)| Self::of_part(index, part)).collect()
    }

    fn of_part(index: usize, part: &Part) -> Option<Self> {
        let (size, url) = match &part.content {
            Content::Raw(bytes) => (u64::try_from(bytes.len()).ok(), None),
            Content::Url(url) => (None, Some(url.as_str())),
            Content::Data(_) | Content::Served(_) | Content::Text(_) => return None,
        };
        Some(Self {
            part: index,
            filename: part.filename.clone().or_else(|| url.and_then(name_in)),
            media_type: part.media_type.clone(),
            size,
            is_url: url.is_some(),
            input: part.metadata.as_ref().and_then(wanted_input),
        })
    }

    /// What Dify takes it for.
    pub fn kind(&self) -> FileKind {
        FileKind::of(self.media_type.as_deref(), self.filename.as_deref())
    }

    fn ending(&self) -> Option<String> {
        file_kind::ending(self.media_type.as_deref(), self.filename.as_deref())
    }

    /// What it is, for people.
    fn describe(&self) -> String {
        let kind = match (self.kind(), self.ending()) {
            (FileKind::Custom, Some(ending)) => format!("a .{} file", shorten(&ending, LONGEST_NAME)),
            (FileKind::Custom, None) => "a file of no known kind".to_owned(),
            (kind, _) => format!("a file of the kind {}", kind.name()),
        };
        match &self.filename {
            Some(name) => format!("{kind} ({})", shorten(name, LONGEST_NAME)),
            None => kind,
        }
    }

    fn path(&self) -> String {
        format!("message.parts[{}]", self.part)
    }
}

/// The file name in an address, if its path ends with one.
fn name_in(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let name = url.path_segments()?.next_back()?;
    (name.contains('.')).then(|| name.to_owned())
}

/// The member `input` of a part's metadata.
fn wanted_input(metadata: &Json) -> Option<String> {
    #[derive(Deserialize)]
    struct Wanted {
        input: String,
    }
    let read = |json: &str| mend::read::<Wanted>(json).map(|wanted| wanted.input);
    let members: BTreeMap<String, Box<RawValue>> = mend::read(metadata.get())?;
    members.get(URI).and_then(|ours| read(ours.get())).or_else(|| read(metadata.get()))
}

/// A place for files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Slot {
    /// The message's own files (Dify: `files`).
    Message,
    /// The input of that name.
    Input(String),
}

/// Where a file goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assignment {
    /// The index of the file's part in the message.
    pub part: usize,
    /// The place.
    pub slot: Slot,
    /// The type to give it to Dify as.
    pub kind: FileKind,
    /// Whether it may be uploaded.
    pub may_upload: bool,
    /// Whether Dify may be given its address.
    pub may_link: bool,
    /// Largest size that Dify takes, bytes; for files whose size shows later.
    pub max_bytes: u64,
}

/// The app's rules, and what is settled already.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    /// The app's inputs.
    pub form: &'a Form,
    /// Which files messages may bring; `None` where they may bring none.
    pub upload: Option<&'a FileRules>,
    /// How large files may be and how many.
    pub limits: Limits,
    /// Inputs that only the operator sets.
    pub locked: &'a [String],
}

/// Finds a place for each file: the input that it names; else the first required input of its kind that has none; else
/// the message; else an optional input. `described` tells how many files an input was given otherwise
/// ([`super::inputs::Given::described_files`]).
///
/// # Errors
/// [`Error::ContentTypeNotSupported`] for a file that the app does not take; [`Error::InvalidParams`] for too many files,
/// too large ones, and inputs that cannot be had.
pub fn assign(
    files: &[CallerFile],
    places: &Places<'_>,
    described: impl Fn(&str) -> usize,
) -> Result<Vec<Assignment>, Error> {
    let mut plan = Plan::new(places, described);
    let (named, free): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.input.is_some());
    for file in named.into_iter().chain(free) {
        plan.place(file)?;
    }
    plan.count();
    if !plan.violations.is_empty() {
        return Err(Error::InvalidParams(plan.violations));
    }
    plan.done.sort_by_key(|assignment| assignment.part);
    Ok(plan.done)
}

/// An input or the message, with how many files it has.
struct Place<'a> {
    slot: Slot,
    field: Option<&'a Field>,
    rules: &'a FileRules,
    count: usize,
}

impl Place<'_> {
    fn is_full(&self) -> bool {
        self.rules.max_count.is_some_and(|most| self.count >= usize::try_from(most).unwrap_or(usize::MAX))
    }

    fn is_required(&self) -> bool {
        self.field.is_some_and(|field| field.required)
    }

    /// For people.
    fn name(&self) -> String {
        match &self.slot {
            Slot::Message => "the message".to_owned(),
            Slot::Input(name) => format!("the input {name:?}"),
        }
    }

    /// The type to give the file as, if this place takes such files at all.
    fn fit(&self, file: &CallerFile) -> Option<FileKind> {
        self.rules.fit(file.kind(), file.ending().as_deref()).filter(|_| self.allows(file))
    }

    /// Whether such a file can get there. One that comes by address can also be fetched and uploaded.
    fn allows(&self, file: &CallerFile) -> bool {
        self.rules.allows(Method::LocalFile) || (file.is_url && self.rules.allows(Method::RemoteUrl))
    }
}

struct Plan<'a> {
    form: &'a Form,
    locked: &'a [String],
    limits: Limits,
    places: Vec<Place<'a>>,
    done: Vec<Assignment>,
    violations: Vec<FieldViolation>,
}

impl<'a> Plan<'a> {
    fn new(given: &Places<'a>, described: impl Fn(&str) -> usize) -> Self {
        let open = given.form.fields.iter().filter(|field| !given.locked.contains(&field.variable));
        let input = |field: &'a Field| {
            let slot = Slot::Input(field.variable.clone());
            let count = described(&field.variable);
            field.kind.files().map(|rules| Place { slot, field: Some(field), rules, count })
        };
        let message = given.upload.map(|rules| Place { slot: Slot::Message, field: None, rules, count: 0 });
        Self {
            form: given.form,
            locked: given.locked,
            limits: given.limits,
            places: open.filter_map(input).chain(message).collect(),
            done: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Finds a place for one file.
    fn place(&mut self, file: &CallerFile) -> Result<(), Error> {
        if self.places.is_empty() {
            return refuse(format!(
                "{} cannot be given to this agent: the app takes no files",
                file.describe()
            ));
        }
        let found = match &file.input {
            Some(name) => self.named(file, name)?,
            None => self.fitting(file)?,
        };
        let Some(index) = found else { return Ok(()) };
        let Some(place) = self.places.get_mut(index) else { return Ok(()) };
        let Some(kind) = place.fit(file) else { return Ok(()) };
        place.count = place.count.saturating_add(1);
        let max_bytes = self.limits.of(file.kind());
        self.done.push(Assignment {
            part: file.part,
            slot: place.slot.clone(),
            kind,
            may_upload: place.rules.allows(Method::LocalFile),
            may_link: file.is_url && place.rules.allows(Method::RemoteUrl),
            max_bytes,
        });
        if let Some(size) = file.size.filter(|size| *size > max_bytes) {
            let what = format!("has {size} bytes; the app takes at most {max_bytes} for {}", file.describe());
            self.violations.push(FieldViolation::new(file.path(), what));
        }
        Ok(())
    }

    /// The input that the file names; `None` with a violation noted.
    fn named(&mut self, file: &CallerFile, name: &str) -> Result<Option<usize>, Error> {
        let violate = |plan: &mut Self, what: String| {
            let path = format!("{}.metadata.input", file.path());
            plan.violations.push(FieldViolation::new(path, what));
            Ok(None)
        };
        let shown = shorten(name, LONGEST_NAME);
        let wanted = Slot::Input(name.to_owned());
        let Some(index) = self.places.iter().position(|place| place.slot == wanted) else {
            let what = match self.form.field(name) {
                None => format!("names the input {shown:?}, which the app does not have; {}", self.inputs()),
                Some(_) if self.locked.iter().any(|locked| locked == name) => {
                    "names an input that is set by the operator of this agent".to_owned()
                }
                Some(field) => {
                    format!(
                        "names the input {shown:?}, which is of the type {} and takes no file",
                        field.kind.name()
                    )
                }
            };
            return violate(self, what);
        };
        let Some(place) = self.places.get(index) else { return Ok(None) };
        if place.fit(file).is_none() {
            return refuse(unfit(file, std::iter::once(place)));
        }
        if place.is_full() {
            let what = match place.field.map(|field| &field.kind) {
                Some(Kind::File(_)) => format!("{} takes one file, and has one already", place.name()),
                _ => format!(
                    "{} takes at most {} files",
                    place.name(),
                    place.rules.max_count.unwrap_or_default()
                ),
            };
            return violate(self, what);
        }
        Ok(Some(index))
    }

    /// The best place for a file that names none; `None` with a violation noted.
    fn fitting(&mut self, file: &CallerFile) -> Result<Option<usize>, Error> {
        let fits: Vec<(usize, &Place<'_>)> =
            self.places.iter().enumerate().filter(|(_, place)| place.fit(file).is_some()).collect();
        if fits.is_empty() {
            return refuse(unfit(file, self.places.iter()));
        }
        let open = || fits.iter().filter(|(_, place)| !place.is_full());
        let empty = open().find(|(_, place)| place.is_required() && place.count == 0);
        let best = empty
            .or_else(|| open().find(|(_, place)| place.is_required()))
            .or_else(|| open().find(|(_, place)| place.slot == Slot::Message))
            .or_else(|| open().next());
        if let Some((index, _)) = best {
            return Ok(Some(*index));
        }
        let names: Vec<String> = fits
            .iter()
            .map(|(_, place)| {
                format!("{} takes at most {}", place.name(), place.rules.max_count.unwrap_or_default())
            })
            .collect();
        let what = format!("is one file too many: {}", names.join(", "));
        self.violations.push(FieldViolation::new(file.path(), what));
        Ok(None)
    }

    /// Holds the number of all files against what one run may have.
    fn count(&mut self) {
        let count: usize = self.places.iter().map(|place| place.count).sum();
        let most = usize::try_from(self.limits.files).unwrap_or(usize::MAX);
        if count > most {
            let what = format!("must have at most {most} files, and has {count}");
            self.violations.push(FieldViolation::new("message.parts", what));
        }
    }

    /// The inputs that take files, for people.
    fn inputs(&self) -> String {
        let names: Vec<&str> =
            self.places.iter().filter_map(|place| place.field.map(|field| field.variable.as_str())).collect();
        if names.is_empty() {
            "none of its inputs takes files".to_owned()
        } else {
            format!("files go to {}", names.join(", "))
        }
    }
}

/// Why none of the places takes the file.
fn unfit<'a>(file: &CallerFile, places: impl Iterator<Item = &'a Place<'a>>) -> String {
    let mut reasons = Vec::new();
    for place in places {
        let takes = place.rules.describe();
        if place.rules.fit(file.kind(), file.ending().as_deref()).is_some() {
            reasons.push(format!("{} takes {takes} by URL only", place.name()));
        } else {
            reasons.push(format!("{} takes {takes}", place.name()));
        }
    }
    format!("{} is not taken by the app: {}", file.describe(), reasons.join("; "))
}

fn refuse<T>(sentence: String) -> Result<T, Error> {
    Err(Error::ContentTypeNotSupported(format!("incompatible content type, not supported here: {sentence}")))
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
