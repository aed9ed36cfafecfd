//! A2A 1.0 as JSON (the ProtoJSON form of `lf.a2a.v1`), as the JSON-RPC and HTTP+JSON bindings carry it.

mod decode;
mod encode;
mod page_token;

use serde_json::value::RawValue;

use crate::core::error::Error;
use crate::core::ids::{ContextId, IdSource, TaskId};
use crate::core::task::Task;
use crate::edge::dialect::{Call, Dialect, EarlyError, Operation, Page, StreamEncoder, StreamEnd};
use crate::edge::error::WireError;
use crate::edge::json::{ObjectWriter, read_params, write_list};
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

    fn call(&self, operation: Operation, params: Option<&RawValue>, _: &dyn IdSource) -> Result<Call, Error> {
        Ok(match operation {
            Operation::Cancel => Call::Cancel(read_params(params, decode::cancel)?),
            Operation::ExtendedCard => Call::ExtendedCard,
            Operation::Get => Call::Get(read_params(params, decode::get)?),
            Operation::List => Call::List(read_params(params, decode::list)?),
            Operation::Push => Call::Push,
            Operation::Send => Call::Send(read_params(params, decode::send)?),
            Operation::Stream => Call::SendStreaming(read_params(params, decode::send)?),
            Operation::Subscribe => Call::Subscribe(read_params(params, decode::subscribe)?),
        })
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

#[cfg(test)]
mod tests;
