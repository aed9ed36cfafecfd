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
use super::view::View;
use crate::core::command::{List, PageStart};
use crate::core::ids::TaskId;
use crate::core::state::TaskState;
use crate::core::task::Task;

/// Page size when the request names none, and the largest one (A2A 1.0 §3.1.4).
const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: i32 = 100;

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
    let Some(field) = params.field("pageSize") else { return DEFAULT_PAGE };
    match field.int32() {
        Some(size @ 1..=MAX_PAGE) => usize::try_from(size).unwrap_or(DEFAULT_PAGE),
        Some(_) => {
            field.refuse(format!("must be from 1 to {MAX_PAGE}"));
            DEFAULT_PAGE
        }
        None => DEFAULT_PAGE,
    }
}

fn page_start(params: &Members<'_>) -> PageStart {
    let first = PageStart::Offset(0);
    let Some(field) = params.field("pageToken").filter(|field| !field.is_empty_string()) else {
        return first;
    };
    let Some(token) = field.text() else { return first };
    read_token(&token).unwrap_or_else(|| {
        field.refuse("is not a token of this agent");
        first
    })
}

/// Appends a `ListTasksResponse` (A2A 1.0 §3.1.4).
pub fn write<W: Words>(buf: &mut Vec<u8>, page: &Page<'_>, view: &View) {
    let next = page.tasks.last().filter(|_| page.more).map(token_after).unwrap_or_default();
    let mut response = ObjectWriter::open(buf);
    write_list(response.member("tasks"), page.tasks, |buf, task| objects::task::<W>(buf, task, view));
    response.str("nextPageToken", &next);
    response.number("pageSize", page.page_size);
    response.number("totalSize", page.total);
    response.close();
}

/// The token of the page that begins after `task`.
fn token_after(task: &Task) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", task.status.at.as_nanosecond(), task.id))
}

/// The place a token stands for; `None` if it is not one of ours.
fn read_token(token: &str) -> Option<PageStart> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (nanos, id) = text.split_once('.')?;
    let at = Timestamp::from_nanosecond(nanos.parse().ok()?).ok()?;
    (!id.is_empty()).then(|| PageStart::After { at, id: TaskId::from(id) })
}
