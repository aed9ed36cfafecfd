//! The `message.send` dialect: what clients of an older gateway for Dify speak. Parts are tagged by `type`,
//! states are `pending` and `running`, and a task may show Dify's conversation id, as these clients are
//! used to.

mod decode;
mod encode;

use serde_json::value::RawValue;

use crate::core::error::Error;
use crate::core::ids::{ContextId, IdSource, TaskId};
use crate::core::task::Task;
use crate::edge::dialect::{Call, Dialect, EarlyError, Operation, Page, Request, StreamEncoder, StreamEnd};
use crate::edge::error::{WireError, write_violations};
use crate::edge::json::{ObjectWriter, read_params, write_list};
use crate::edge::view::View;

/// The `message.send` dialect.
#[derive(Clone, Copy, Debug)]
pub struct Legacy;

impl Dialect for Legacy {
    fn name(&self) -> &'static str {
        "message.send"
    }

    fn has_extensions(&self) -> bool {
        false
    }

    /// It has no version of its own. An absent version means 0.3 (A2A 1.0 §3.6.2), so that is what may be
    /// said.
    fn version(&self) -> &'static str {
        "0.3"
    }

    /// [`Operation::Send`] and [`Operation::Stream`] are the same here: the params say whether to stream.
    fn call(
        &self,
        operation: Operation,
        params: Option<&RawValue>,
        ids: &dyn IdSource,
    ) -> Result<Request, Error> {
        let call = match operation {
            Operation::Cancel => Call::Cancel(read_params(params, decode::cancel)?),
            Operation::Get => Call::Get(read_params(params, decode::get)?),
            Operation::List => Call::List(read_params(params, decode::list)?),
            Operation::Send | Operation::Stream => {
                match read_params(params, |members| decode::send(members, ids))? {
                    (send, true) => Call::SendStreaming(send),
                    (send, false) => Call::Send(send),
                }
            }
            Operation::ExtendedCard | Operation::Push | Operation::Subscribe => {
                return Err(Error::UnsupportedOperation("message.send has no such method".to_owned()));
            }
        };
        Ok(call.into())
    }

    fn early_error(&self, params: Option<&RawValue>) -> EarlyError {
        if decode::wants_stream(params) { EarlyError::Event } else { EarlyError::Plain }
    }

    fn send_result(&self, buf: &mut Vec<u8>, task: &Task, view: &View) {
        encode::task(buf, task, view);
    }

    fn task(&self, buf: &mut Vec<u8>, task: &Task, view: &View) {
        encode::task(buf, task, view);
    }

    fn list_result(&self, buf: &mut Vec<u8>, page: &Page<'_>, view: &View) {
        let mut response = ObjectWriter::open(buf);
        write_list(response.member("tasks"), page.tasks, |buf, task| encode::task(buf, task, view));
        response.number("total", page.total);
        response.close();
    }

    /// `{"code","message","data":{"reason",…}}`, with the wrong fields as `data.errors`.
    fn error(&self, buf: &mut Vec<u8>, error: &WireError) {
        let mut object = ObjectWriter::open(buf);
        object.number("code", error.code);
        object.str("message", &error.message);
        let mut data = ObjectWriter::open(object.member("data"));
        data.str("reason", error.reason);
        for (name, value) in &error.metadata {
            data.str(name, value);
        }
        if !error.violations.is_empty() {
            write_violations(data.member("errors"), &error.violations);
        }
        data.close();
        object.close();
    }

    fn stream(&self, task: &TaskId, context: &ContextId, _: StreamEnd, view: View) -> Box<dyn StreamEncoder> {
        Box::new(encode::Stream::new(task, context, view))
    }
}

#[cfg(test)]
mod tests;
