//! A2A 0.3 as its clients write it over HTTP+JSON: the ProtoJSON form of package `a2a.v1`, which is not the form that
//! 0.3 has over JSON-RPC. Answers have no member beside those of the package, since a widespread client refuses any
//! other; requests may be in either form.

mod decode;
mod encode;
mod error;
mod file_bytes;

use std::marker::PhantomData;

use serde_json::value::RawValue;

use crate::core::error::Error;
use crate::core::ids::{ContextId, IdSource, TaskId};
use crate::core::task::Task;
use crate::edge::dialect::{Call, Dialect, EarlyError, Operation, Page, Request, StreamEncoder, StreamEnd};
use crate::edge::error::{EdgeError, WireError};
use crate::edge::json::{read_params, write_list};
use crate::edge::objects;
use crate::edge::updates::Updates;
use crate::edge::view::View;

pub use decode::{ONE_FILE, ONE_KIND};
use encode::Words;
pub use error::{class_name, status};
pub use file_bytes::{FileBytes, Once, Twice};

/// The dialect of A2A 0.3 over HTTP+JSON.
#[derive(Clone, Copy, Debug)]
pub struct V03Http<F>(PhantomData<F>);

impl<F: FileBytes> V03Http<F> {
    /// The dialect, for clients that write the bytes of files like this.
    pub const DIALECT: Self = Self(PhantomData);
}

impl<F: FileBytes> Dialect for V03Http<F> {
    fn name(&self) -> &'static str {
        "0.3 HTTP+JSON"
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
        let send = || read_params(params, decode::send::<F>);
        let call = match operation {
            Operation::Cancel => Call::Cancel(read_params(params, decode::cancel)?),
            Operation::ExtendedCard => Call::ExtendedCard,
            Operation::Get => Call::Get(read_params(params, decode::get)?),
            Operation::List => Call::List(read_params(params, decode::list)?),
            Operation::Push => Call::Push,
            Operation::Send => Call::Send(send()?),
            Operation::Stream => Call::SendStreaming(send()?),
            Operation::Subscribe => Call::Subscribe(read_params(params, decode::subscribe)?),
        };
        Ok(call.into())
    }

    /// 0.3 knows one answer where there is no extended card (A2A 0.3 §8.2).
    fn no_extended_card(&self) -> EdgeError {
        EdgeError::ExtendedCardNotConfigured
    }

    fn early_error(&self, _: Option<&RawValue>) -> EarlyError {
        EarlyError::Plain
    }

    fn send_result(&self, buf: &mut Vec<u8>, task: &Task, view: &View) {
        objects::named_task::<Words<F>>(buf, task, view);
    }

    fn task(&self, buf: &mut Vec<u8>, task: &Task, view: &View) {
        objects::task::<Words<F>>(buf, task, view);
    }

    /// Just the tasks (A2A 0.3 §7.3, `tasks/list`). Where the next page begins is told in a header.
    fn list_result(&self, buf: &mut Vec<u8>, page: &Page<'_>, view: &View) {
        write_list(buf, page.tasks, |buf, task| objects::task::<Words<F>>(buf, task, view));
    }

    /// The whole body of an answer that refuses.
    fn error(&self, buf: &mut Vec<u8>, error: &WireError) {
        error::write(buf, error);
    }

    fn stream(
        &self,
        task: &TaskId,
        context: &ContextId,
        end: StreamEnd,
        view: View,
    ) -> Box<dyn StreamEncoder> {
        Box::new(Updates::<Words<F>>::new(task, context, end, view))
    }
}

#[cfg(test)]
mod tests;
