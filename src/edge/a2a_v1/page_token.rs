//! The opaque `pageToken` of ListTasks: the place of the last task on the page, so that a page begins where
//! the one before it ended even when tasks came and went in between (A2A 1.0 §3.1.4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::core::command::PageStart;
use crate::core::ids::TaskId;
use crate::core::task::Task;

/// The token of the page that begins after `task`.
pub fn after(task: &Task) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", task.status.at.as_nanosecond(), task.id))
}

/// The place a token stands for; `None` if it is not one of ours.
pub fn read(token: &str) -> Option<PageStart> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (nanos, id) = text.split_once('.')?;
    let at = Timestamp::from_nanosecond(nanos.parse().ok()?).ok()?;
    (!id.is_empty()).then(|| PageStart::After { at, id: TaskId::from(id) })
}
