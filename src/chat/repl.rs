//! The conversation: takes lines and commands, prints answers, keeps the context.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, Lines};
use uuid::Uuid;

use super::ChatError;
use super::client::{Client, Events};
use super::render::Turn;
use super::screen::{Open, Screen};
use super::wire::{Outgoing, OutgoingFile, State, Tagged};

/// Largest file that is sent, bytes; it is a third larger on the wire.
const MAX_FILE_BYTES: u64 = 20 << 20;
/// How often a broken stream is picked up again.
const MAX_FOLLOWS: u32 = 3;
/// The pause before that.
const FOLLOW_PAUSE: Duration = Duration::from_millis(500);

const HELP: &str = "/new begins a new conversation, /file PATH sends a file with the next message, /cancel or \
                    Ctrl-C stops an answer, /quit leaves.";

/// Where lines come from and where output goes.
pub struct Terminal<'a, R> {
    /// The user's lines.
    pub input: R,
    /// The agent's words go here and nothing else.
    pub output: &'a mut (dyn Write + Send),
    /// Everything else goes here.
    pub notes: &'a mut (dyn Write + Send),
    /// Whether a person types: prompts are shown, and commands are read while the agent speaks.
    pub interactive: bool,
    /// Whether `output` is a screen, which control characters could play tricks on.
    pub output_is_screen: bool,
    /// Whether `notes` is a screen: remarks are shown, dimmed.
    pub notes_are_screen: bool,
}

/// Chats with the agent at `address` until the input ends. Gives whether the last turn went well: it did not if it
/// failed, was rejected, or never came to its end.
///
/// # Errors
/// When the agent cannot be found or the terminal is gone. Trouble in one turn is printed, and the chat goes on.
pub async fn run<R: AsyncBufRead + Unpin>(
    address: &str,
    terminal: Terminal<'_, R>,
) -> Result<bool, ChatError> {
    let client = Client::discover(address).await?;
    let Terminal { input, output, notes, interactive, output_is_screen, notes_are_screen } = terminal;
    let mut chat = Chat {
        client,
        lines: input.lines(),
        screen: Screen { output, notes, output_is_screen, notes_are_screen, open: Open::Nothing },
        interactive,
        context_id: None,
        waiting_task: None,
        printed: Turn::default(),
        files: Vec::new(),
        went_well: true,
    };
    chat.greet()?;
    while let Some(line) = chat.next_line().await? {
        match Command::read(line.trim()) {
            Command::Quit => break,
            command => chat.obey(command).await?,
        }
    }
    Ok(chat.went_well)
}

/// What a line means.
#[derive(Debug, Eq, PartialEq)]
enum Command<'a> {
    Cancel,
    File(&'a str),
    Help,
    New,
    Nothing,
    Quit,
    Say(&'a str),
    Unknown(&'a str),
}

impl<'a> Command<'a> {
    fn read(line: &'a str) -> Self {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "" => Self::Nothing,
            "/cancel" => Self::Cancel,
            "/file" => Self::File(rest.trim()),
            "/help" => Self::Help,
            "/new" => Self::New,
            "/quit" | "/exit" => Self::Quit,
            _ if word.starts_with('/') && !word.get(1..).unwrap_or_default().contains('/') => {
                Self::Unknown(word)
            }
            _ => Self::Say(line),
        }
    }
}

struct Chat<'a, R> {
    client: Client,
    lines: Lines<R>,
    screen: Screen<'a>,
    interactive: bool,
    context_id: Option<String>,
    /// A task that waits for the user's next words.
    waiting_task: Option<String>,
    /// What has been printed of that task.
    printed: Turn,
    files: Vec<OutgoingFile>,
    /// Whether the last turn did; so it is before the first.
    went_well: bool,
}

/// How the reading of one stream went.
enum Reading {
    /// The turn is over.
    Over,
    /// The stream ended before the turn did.
    Broken,
    /// The user does not want to hear the rest.
    Left,
}

/// What happened first while an answer was awaited.
enum Happening {
    Event(Option<Result<Tagged, ChatError>>),
    Interrupt,
    Line(io::Result<Option<String>>),
}

impl<R: AsyncBufRead + Unpin> Chat<'_, R> {
    fn greet(&mut self) -> io::Result<()> {
        let agent = self.client.agent();
        let version = agent.dialect.version();
        let text = format!("{} (A2A {version} at {})\n{}", agent.name, agent.endpoint, agent.description);
        self.screen.note(text.trim())?;
        self.screen.note(HELP)
    }

    /// The next line; `None` at the end of the input or on Ctrl-C.
    async fn next_line(&mut self) -> io::Result<Option<String>> {
        if self.interactive {
            self.screen.prompt()?;
        }
        tokio::select! {
            line = self.lines.next_line() => line,
            _ = tokio::signal::ctrl_c() => Ok(None),
        }
    }

    async fn obey(&mut self, command: Command<'_>) -> Result<(), ChatError> {
        match command {
            Command::Cancel => match self.waiting_task.take() {
                Some(task) => {
                    let outcome = self.client.cancel(&task).await;
                    self.report(outcome)?;
                }
                None => self.screen.note("there is nothing to cancel")?,
            },
            Command::File(path) => match read_file(path).await {
                Ok(file) => {
                    self.screen.note(&format!("{} goes with your next message", file.name))?;
                    self.files.push(file);
                }
                Err(error) => self.screen.alert(&format!("cannot read {path:?}: {error}"))?,
            },
            Command::Help => self.screen.note(HELP)?,
            Command::New => {
                (self.context_id, self.waiting_task) = (None, None);
                self.files.clear();
                self.screen.note("a new conversation")?;
            }
            Command::Nothing | Command::Quit => {}
            Command::Say(text) => {
                let outcome = self.say(text).await;
                self.went_well = matches!(outcome, Ok(Some(state)) if state.is_good_end());
                self.report(outcome.map(drop))?;
            }
            Command::Unknown(word) => self.screen.alert(&format!("{word} is not a command. {HELP}"))?,
        }
        Ok(())
    }

    /// Trouble with the agent is printed; trouble with the terminal ends the chat.
    fn report(&mut self, outcome: Result<(), ChatError>) -> Result<(), ChatError> {
        match outcome {
            Err(ChatError::Io(error)) => Err(ChatError::Io(error)),
            Err(error) => Ok(self.screen.alert(&error.to_string())?),
            Ok(()) => Ok(()),
        }
    }

    /// One turn. Gives where it stood when it was last heard of.
    async fn say(&mut self, text: &str) -> Result<Option<State>, ChatError> {
        let message = Outgoing {
            id: Uuid::new_v4().to_string(),
            context_id: self.context_id.clone(),
            task_id: self.waiting_task.clone(),
            text: text.to_owned(),
            files: self.files.clone(),
        };
        let mut task = message.task_id.clone();
        let mut turn = match self.waiting_task {
            Some(_) => self.printed.go_on(),
            None => Turn::default(),
        };
        let Some(answer) = unless_interrupted(self.client.say(&message)).await else {
            self.screen.alert(LEFT)?;
            return Ok(None);
        };
        let mut events = answer?;
        (self.waiting_task, self.files) = (None, Vec::new());
        let mut follows = 0;
        loop {
            match self.listen(events, &mut turn, &mut task).await? {
                Reading::Over => break,
                Reading::Left => {
                    self.screen.alert(LEFT)?;
                    break;
                }
                Reading::Broken => {}
            }
            let Some(id) = task.as_deref().filter(|_| follows < MAX_FOLLOWS) else {
                self.screen.alert("the connection ended before the answer did")?;
                break;
            };
            follows += 1;
            let following = async {
                tokio::time::sleep(FOLLOW_PAUSE).await;
                self.client.follow(id).await
            };
            let Some(answer) = unless_interrupted(following).await else {
                self.screen.alert(LEFT)?;
                break;
            };
            events = answer?;
        }
        if turn.state() == Some(State::InputRequired) {
            self.waiting_task = task;
        }
        self.screen.end_line()?;
        let state = turn.state();
        self.printed = turn;
        Ok(state)
    }

    /// Prints a stream until it ends, and obeys the user meanwhile.
    async fn listen(
        &mut self,
        mut events: Events,
        turn: &mut Turn,
        task: &mut Option<String>,
    ) -> Result<Reading, ChatError> {
        let mut cancelled = false;
        let mut input_open = self.interactive;
        loop {
            let happening = tokio::select! {
                biased;
                event = events.next() => Happening::Event(event),
                _ = tokio::signal::ctrl_c() => Happening::Interrupt,
                line = self.lines.next_line(), if input_open => Happening::Line(line),
            };
            match happening {
                Happening::Event(None) if turn.state().is_some_and(State::ends_turn) => {
                    return Ok(Reading::Over);
                }
                Happening::Event(None | Some(Err(ChatError::Transport { .. }))) => {
                    return Ok(Reading::Broken);
                }
                Happening::Event(Some(Err(error))) => return Err(error),
                Happening::Event(Some(Ok(tagged))) => {
                    self.context_id = tagged.context_id.or_else(|| self.context_id.take());
                    *task = tagged.task_id.or_else(|| task.take());
                    for output in turn.take(&tagged.event) {
                        self.screen.print(&output)?;
                    }
                    if turn.state().is_some_and(State::ends_turn) {
                        return Ok(Reading::Over);
                    }
                }
                Happening::Interrupt if cancelled => return Ok(Reading::Left),
                Happening::Interrupt => cancelled = self.cancel_now(task.as_deref()).await?,
                Happening::Line(line) => match line?.as_deref().map(|line| Command::read(line.trim())) {
                    Some(Command::Cancel) => cancelled = self.cancel_now(task.as_deref()).await?,
                    Some(Command::Quit) => return Ok(Reading::Left),
                    Some(Command::Nothing) => {}
                    Some(_) => self.screen.note("the agent is still speaking; /cancel or Ctrl-C stops it")?,
                    None => input_open = false,
                },
            }
        }
    }

    /// Asks the agent to stop. Gives whether there is nothing more to be asked, so that the next Ctrl-C leaves.
    async fn cancel_now(&mut self, task: Option<&str>) -> Result<bool, ChatError> {
        if let Some(task) = task {
            let outcome = unless_interrupted(self.client.cancel(task)).await;
            self.report(outcome.unwrap_or(Ok(())))?;
        } else {
            self.screen.note("the agent has not begun a task yet; once more to leave")?;
        }
        Ok(true)
    }
}

/// What is said when the user leaves before an answer has ended.
const LEFT: &str = "no longer listening";

/// Waits for the agent, but not longer than the user does: `None` on Ctrl-C.
async fn unless_interrupted<T>(waiting: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = waiting => Some(done),
        _ = tokio::signal::ctrl_c() => None,
    }
}

/// Reads a file to send.
async fn read_file(path: &str) -> io::Result<OutgoingFile> {
    let path = Path::new(path).to_owned();
    let read = tokio::task::spawn_blocking(move || {
        if std::fs::metadata(&path)?.len() > MAX_FILE_BYTES {
            return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
        }
        let bytes = std::fs::read(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(OutgoingFile { name, media_type: media_type(&path), bytes })
    });
    read.await.map_err(io::Error::other)?
}

fn media_type(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" => "text/csv",
        "gif" => "image/gif",
        "htm" | "html" => "text/html",
        "jpeg" | "jpg" => "image/jpeg",
        "json" => "application/json",
        "md" => "text/markdown",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "txt" => "text/plain",
        "wav" => "audio/wav",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_words() {
        assert_eq!(Command::read("/file a b.txt"), Command::File("a b.txt"));
        assert_eq!(Command::read("/nwe"), Command::Unknown("/nwe"));
        assert_eq!(Command::read("/etc/hosts is a file"), Command::Say("/etc/hosts is a file"));
        assert_eq!(Command::read("hello /quit"), Command::Say("hello /quit"));
        assert_eq!(Command::read(""), Command::Nothing);
    }
}
