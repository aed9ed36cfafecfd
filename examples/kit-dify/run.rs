//! A run: follows its script, tells everybody who reads it, and waits where a form is open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Dify;
use crate::app::{App, named_file};
use crate::frames::{self, Form, Ids};
use crate::script::{End, Gives, Script};

/// A run.
pub struct Run {
    pub ids: Ids,
    pub user: String,
    pub stop: CancellationToken,
    app: App,
    /// What the file of an answer is called.
    file: Value,
    story: Mutex<Story>,
}

/// How it stands.
#[derive(Default)]
pub struct Story {
    answer: String,
    /// The form that it waits for.
    pub form: Option<Form>,
    /// How it has ended, and its last frame.
    end: Option<(&'static str, Bytes)>,
    readers: Vec<Reader>,
}

struct Reader {
    frames: UnboundedSender<Bytes>,
    /// Whether it reads on behind a pause.
    stays: bool,
}

impl Story {
    /// What a run that stands so is called.
    pub fn status(&self) -> &'static str {
        match (&self.end, &self.form) {
            (Some((status, _)), _) => status,
            (None, Some(_)) => "paused",
            (None, None) => "running",
        }
    }

    fn tell(&mut self, frame: &Bytes) {
        self.readers.retain(|reader| reader.frames.send(frame.clone()).is_ok());
    }
}

impl Run {
    /// Begins it in this conversation, or a new one, and reads it.
    pub fn begin(
        dify: &Dify,
        user: String,
        conversation: Option<String>,
        script: Script,
    ) -> (Arc<Self>, UnboundedReceiver<Bytes>) {
        let new = || Uuid::now_v7().to_string();
        let conversation = conversation.unwrap_or_else(new);
        let run = Arc::new(Self {
            ids: Ids { run: new(), task: new(), message: new(), conversation },
            user,
            stop: CancellationToken::new(),
            app: dify.app,
            file: named_file(&dify.origin),
            story: Mutex::default(),
        });
        let frames = run.read(&mut run.story(), false);
        tokio::spawn(Arc::clone(&run).follow(script, false));
        (run, frames)
    }

    pub fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it waits for the form of this token.
    pub fn waits_for(&self, token: &str) -> bool {
        self.story().form.as_ref().is_some_and(|form| form.token == token)
    }

    fn read(&self, story: &mut Story, stays: bool) -> UnboundedReceiver<Bytes> {
        let (sender, receiver) = unbounded_channel();
        let _ = sender.send(frames::PING.into());
        story.readers.push(Reader { frames: sender, stays });
        receiver
    }

    /// Joins it: first how it stands, then what comes.
    pub fn join(&self) -> UnboundedReceiver<Bytes> {
        let (app, ids) = (self.app, &self.ids);
        let mut story = self.story();
        let receiver = self.read(&mut story, true);
        let mut past = Vec::new();
        if let Some((_, end)) = &story.end {
            past.push(end.clone());
        } else {
            past.push(frames::started(app, ids, "initial"));
            if app == App::Chatflow && !story.answer.is_empty() {
                past.push(frames::so_far(ids, &story.answer));
            }
            past.extend(story.form.iter().flat_map(|form| frames::paused(app, ids, form)));
        }
        if let Some(reader) = story.readers.last() {
            for frame in past {
                let _ = reader.frames.send(frame);
            }
        }
        if story.end.is_some() {
            story.readers.clear();
        }
        receiver
    }

    /// Closes the form of this token, if it waits, and goes on.
    pub fn answer(self: &Arc<Self>, token: &str, script: Script) -> bool {
        let mut story = self.story();
        if story.form.as_ref().is_none_or(|form| form.token != token) {
            return false;
        }
        story.form = None;
        tokio::spawn(Arc::clone(self).follow(script, true));
        true
    }

    async fn follow(self: Arc<Self>, script: Script, resumes: bool) {
        let (app, ids) = (self.app, &self.ids);
        if resumes {
            self.tell(&frames::started(app, ids, "resumption"));
            self.tell(&frames::filled(app, ids));
        } else {
            self.tell(&frames::started(app, ids, "initial"));
        }
        let works = async {
            tokio::time::sleep(script.works).await;
            for piece in script.says {
                self.say(piece);
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => return self.over(&script, ("stopped", Some("Stopped by user."))),
            () = works => {}
        }
        match script.end {
            End::Asks => self.pause(),
            End::Fails => self.over(&script, ("failed", Some("rejected"))),
            End::Succeeds => self.over(&script, ("succeeded", None)),
        }
    }

    fn tell(&self, frame: &Bytes) {
        self.story().tell(frame);
    }

    fn say(&self, piece: &str) {
        let mut story = self.story();
        story.answer.push_str(piece);
        story.tell(&frames::piece(self.app, &self.ids, piece));
    }

    fn pause(&self) {
        let form = Form { id: Uuid::now_v7().to_string(), token: Uuid::new_v4().simple().to_string() };
        let mut story = self.story();
        for frame in frames::paused(self.app, &self.ids, &form) {
            story.tell(&frame);
        }
        story.form = Some(form);
        story.readers.retain(|reader| reader.stays);
    }

    fn over(&self, script: &Script, how: (&'static str, Option<&str>)) {
        let (app, ids) = (self.app, &self.ids);
        let mut story = self.story();
        let is_well = how.1.is_none();
        let files = match script.gives {
            Gives::File if is_well => vec![self.file.clone()],
            Gives::Data | Gives::File | Gives::Nothing => Vec::new(),
        };
        let outputs = match (app, script.gives) {
            _ if !is_well => json!({}),
            (App::Chatflow, _) => json!({"answer": story.answer, "files": files}),
            (App::Workflow, Gives::Data) => json!({"key": "value", "count": 42}),
            (App::Workflow, Gives::File) => json!({"file": self.file}),
            (App::Workflow, Gives::Nothing) => json!({"text": story.answer}),
        };
        if app == App::Chatflow && is_well {
            story.tell(&frames::message_end(ids, &files));
        }
        let end = frames::finished(app, ids, how, &outputs, &files);
        story.tell(&end);
        story.end = Some((how.0, end));
        story.readers.clear();
    }
}
