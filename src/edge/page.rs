//! Pages of a list of tasks: what a request asks for, the answer, and the opaque token that the next page is found by.
//! The token is the place of the last task on the page, so that a page begins where the one before it ended even when
//! tasks came and went in between (A2A 1.0 §3.1.4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::dialect::Page;
use super::json::{Members, ObjectWriter, write_list};
use super::objects::{self, Words};
use super::request::{context_id, history_length};
use super::rules::{self, DEFAULT_PAGE};
use super::view::View;
use crate::core::command::{List, PageStart};
use crate::core::ids::TaskId;
use crate::core::state::TaskState;
use crate::core::task::Task;

/// The states of a dialect: name, number, and the state, if it is one.
pub type States = [(&'static str, i32, Option<TaskState>)];

/// `ListTasksRequest` (A2A 1.0 §3.1.4). An unknown state is refused rather than ignored (§3.3.2).
pub fn list(params: &Members<'_>, states: &States) -> Option<List> {
    Some(List {
        context_id: context_id(params, "contextId"),
        state: params.field("status").and_then(|field| field.enumeration(states)).flatten(),
        status_after: params.field("statusTimestampAfter").and_then(|field| field.timestamp()),
        page_size: page_size(params),
        start: page_start(params),
        history_length: history_length(params),
        include_artifacts: params
            .field("includeArtifacts")
            .and_then(|field| field.boolean())
            .unwrap_or(false),
    })
}

fn page_size(params: &Members<'_>) -> usize {
    let size = params.field("pageSize").and_then(|field| field.ruled(rules::page_size(field.int32()?)));
    size.unwrap_or(DEFAULT_PAGE)
}

fn page_start(params: &Members<'_>) -> PageStart {
    let field = params.field("pageToken").filter(|field| !field.is_empty_string());
    let start = field.and_then(|field| field.ruled(rules::page_start(&field.text()?)));
    start.unwrap_or(PageStart::Offset(0))
}

/// Appends a `ListTasksResponse` (A2A 1.0 §3.1.4).
pub fn write<W: Words>(buf: &mut Vec<u8>, page: &Page<'_>, view: &View) {
    let next = next_token(page);
    let mut response = ObjectWriter::open(buf);
    write_list(response.member("tasks"), page.tasks, |buf, task| objects::task::<W>(buf, task, view));
    response.str("nextPageToken", &next);
    response.number("pageSize", page.page_size);
    response.number("totalSize", page.total);
    response.close();
}

/// The token of the page after this one; empty after the last.
pub fn next_token(page: &Page<'_>) -> String {
    page.tasks.last().filter(|_| page.more).map(token_after).unwrap_or_default()
}

/// The token of the page that begins after `task`.
fn token_after(task: &Task) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", task.status.at.as_nanosecond(), task.id))
}

/// The place a token stands for; `None` if it is not one of ours.
pub fn read_token(token: &str) -> Option<PageStart> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (nanos, id) = text.split_once('.')?;
    let at = Timestamp::from_nanosecond(nanos.parse().ok()?).ok()?;
    (!id.is_empty()).then(|| PageStart::After { at, id: TaskId::from(id) })
}
