//! "Parsing an event stream" of the HTML standard, word by word and without a thought for speed: what the framer and
//! the parser behind it are held against.

/// One event as the standard dispatches it.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Event {
    /// The value of the last `event` field.
    pub name: String,
    /// The values of all `data` fields, one a line.
    pub data: String,
}

/// The lines of a stream, without the one that is not ended.
pub fn lines(stream: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    lines.pop();
    lines
}

/// The lines of each block that a blank line closes; a block has one line at least.
pub fn blocks(stream: &[u8]) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    let mut block = Vec::new();
    for line in lines(stream) {
        if !line.is_empty() {
            block.push(line);
        } else if !block.is_empty() {
            blocks.push(std::mem::take(&mut block));
        }
    }
    blocks
}

/// What a block's lines dispatch: nothing if their data is empty.
pub fn event(lines: &[String]) -> Option<Event> {
    let mut event = Event::default();
    for line in lines {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "data" => {
                event.data.push_str(value);
                event.data.push('\n');
            }
            _ => {}
        }
    }
    event.data.pop()?;
    Some(event)
}
