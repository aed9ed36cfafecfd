//! A2A 0.3 as JSON over JSON-RPC: unions tagged by `kind`, lower-case states, bare results.

mod decode;
mod encode;

use serde_json::value::RawValue;

use crate::core::error::Error;
use crate::core::ids::{ContextId, IdSource, TaskId};
use crate::core::task::Task;
use crate::edge::dialect::{Call, Dialect, EarlyError, Operation, Page, Request, StreamEncoder, StreamEnd};
use crate::edge::error::{EdgeError, WireError};
use crate::edge::json::read_params;
use crate::edge::updates::Updates;
use crate::edge::view::View;
use crate::edge::{objects, page};

use encode::Words;
pub(super) use encode::{WRAPPED, write_marked};

/// The dialect of A2A 0.3.
#[derive(Clone, Copy, Debug)]
pub struct V03;

impl Dialect for V03 {
    fn name(&self) -> &'static str {
        "0.3"
    }

    fn version(&self) -> &'static str {
        "0.3"
    }

    fn call(
        &self,
        operation: Operation,
        params: Option<&RawValue>,
        _: &dyn IdSource,
    ) -> Result<Request, Error> {
        let call = match operation {
            Operation::Cancel => Call::Cancel(read_params(params, decode::cancel)?),
            Operation::ExtendedCard => Call::ExtendedCard,
            Operation::Get => Call::Get(read_params(params, decode::get)?),
            Operation::List => {
                return Err(Error::UnsupportedOperation("A2A 0.3 has no list of tasks".to_owned()));
            }
            Operation::Push => Call::Push,
            Operation::Send => Call::Send(read_params(params, decode::send)?),
            Operation::Stream => Call::SendStreaming(read_params(params, decode::send)?),
            Operation::Subscribe => Call::Subscribe(read_params(params, decode::subscribe)?),
        };
        Ok(call.into())
    }

    /// 0.3 knows one answer where there is no extended card (A2A 0.3 §8.2).
    fn no_extended_card(&self) -> EdgeError {
        EdgeError::ExtendedCardNotConfigured
    }

    /// The official 0.3 client reads a plain JSON answer to a stream request as a broken stream.
    fn early_error(&self, _: Option<&RawValue>) -> EarlyError {
        EarlyError::Event
    }

    fn send_result(&self, buf: &mut Vec<u8>, task: &Task, view: &View) {
        objects::named_task::<Words>(buf, task, view);
    }

    fn task(&self, buf: &mut Vec<u8>, task: &Task, view: &View) {
        objects::task::<Words>(buf, task, view);
    }

    /// Never asked for over JSON-RPC.
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

#[cfg(test)]
mod tests;
