//! A2A 1.0 as JSON (the ProtoJSON form of `lf.a2a.v1`), as the JSON-RPC and HTTP+JSON bindings carry it.

mod decode;
mod encode;
mod page_token;

use serde_json::value::RawValue;

use crate::core::error::Error;
use crate::core::ids::{ContextId, IdSource, TaskId};
use crate::core::task::Task;
use crate::edge::dialect::{Call, Dialect, EarlyError, Operation, Page, Request, StreamEncoder, StreamEnd};
use crate::edge::error::WireError;
use crate::edge::json::{Members, ObjectWriter, read_params, write_list};
use crate::edge::view::View;

/// The dialect of A2A 1.0.
#[derive(Clone, Copy, Debug)]
pub struct V1;

impl Dialect for V1 {
    fn name(&self) -> &'static str {
        "1.0"
    }

    fn version(&self) -> &'static str {
        "1.0"
    }

    fn call(
        &self,
        operation: Operation,
        params: Option<&RawValue>,
        _: &dyn IdSource,
    ) -> Result<Request, Error> {
        match operation {
            Operation::Cancel => read(params, |members| decode::cancel(members).map(Call::Cancel)),
            Operation::ExtendedCard => Ok(Call::ExtendedCard.into()),
            Operation::Get => read(params, |members| decode::get(members).map(Call::Get)),
            Operation::List => read(params, |members| decode::list(members).map(Call::List)),
            Operation::Push => Ok(Call::Push.into()),
            Operation::Send => read(params, |members| decode::send(members).map(Call::Send)),
            Operation::Stream => read(params, |members| decode::send(members).map(Call::SendStreaming)),
            Operation::Subscribe => read(params, |members| decode::subscribe(members).map(Call::Subscribe)),
        }
    }

    fn early_error(&self, _: Option<&RawValue>) -> EarlyError {
        EarlyError::Plain
    }

    fn send_result(&self, buf: &mut Vec<u8>, task: &Task, view: &View) {
        let mut response = ObjectWriter::open(buf);
        encode::task(response.member("task"), task, view);
        response.close();
    }

    fn task(&self, buf: &mut Vec<u8>, task: &Task, view: &View) {
        encode::task(buf, task, view);
    }

    fn list_result(&self, buf: &mut Vec<u8>, page: &Page<'_>, view: &View) {
        let next = page.tasks.last().filter(|_| page.more).map(page_token::after).unwrap_or_default();
        let mut response = ObjectWriter::open(buf);
        write_list(response.member("tasks"), page.tasks, |buf, task| encode::task(buf, task, view));
        response.str("nextPageToken", &next);
        response.number("pageSize", page.page_size);
        response.number("totalSize", page.total);
        response.close();
    }

    fn error(&self, buf: &mut Vec<u8>, error: &WireError) {
        error.write_rpc(buf);
    }

    fn stream(&self, task: &TaskId, context: &ContextId, _: StreamEnd, view: View) -> Box<dyn StreamEncoder> {
        Box::new(encode::Stream::new(task, context, view))
    }
}

/// Reads `params` and the tenant that all of them may name.
fn read(
    params: Option<&RawValue>,
    call: impl FnOnce(&Members<'_>) -> Option<Call>,
) -> Result<Request, Error> {
    read_params(params, |members| {
        let tenant = decode::tenant(members);
        Some(Request { call: call(members)?, tenant })
    })
}

#[cfg(test)]
mod tests;
