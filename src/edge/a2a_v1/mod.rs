//! A2A 1.0 as JSON (the ProtoJSON form of `lf.a2a.v1`), as the JSON-RPC and HTTP+JSON bindings carry it.

mod decode;
mod encode;

use serde_json::value::RawValue;

use crate::core::error::Error;
use crate::core::ids::{ContextId, IdSource, TaskId};
use crate::core::task::Task;
use crate::edge::dialect::{Call, Dialect, EarlyError, Operation, Page, Request, StreamEncoder, StreamEnd};
use crate::edge::error::WireError;
use crate::edge::json::{Members, read_params};
use crate::edge::updates::Updates;
use crate::edge::view::View;
use crate::edge::{objects, page};

pub(super) use encode::Words;

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
        objects::named_task::<Words>(buf, task, view);
    }

    fn task(&self, buf: &mut Vec<u8>, task: &Task, view: &View) {
        objects::task::<Words>(buf, task, view);
    }

    fn list_result(&self, buf: &mut Vec<u8>, page: &Page<'_>, view: &View) {
        page::write::<Words>(buf, page, view);
    }

    fn error(&self, buf: &mut Vec<u8>, error: &WireError) {
        error.write_rpc(buf);
    }

    fn stream(
        &self,
        task: &TaskId,
        context: &ContextId,
        end: StreamEnd,
        view: View,
    ) -> Box<dyn StreamEncoder> {
        Box::new(Updates::<Words>::new(task, context, end, view))
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
