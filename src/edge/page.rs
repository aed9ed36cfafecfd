//! Pages of a list of tasks as JSON: what a request asks for, and the answer (A2A 1.0 §3.1.4).

use super::a2a_v1::page_token;
use super::dialect::Page;
use super::json::{Members, ObjectWriter, write_list};
use super::objects::{self, Words};
use super::request::{context_id, history_length};
use super::rules::{self, DEFAULT_PAGE};
use super::view::View;
use crate::core::command::{List, PageStart};
use crate::core::state::TaskState;

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
    let next = page.tasks.last().filter(|_| page.more).map(page_token::after).unwrap_or_default();
    let mut response = ObjectWriter::open(buf);
    write_list(response.member("tasks"), page.tasks, |buf, task| objects::task::<W>(buf, task, view));
    response.str("nextPageToken", &next);
    response.number("pageSize", page.page_size);
    response.number("totalSize", page.total);
    response.close();
}
