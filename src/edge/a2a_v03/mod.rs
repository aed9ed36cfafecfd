//! Placeholder until the dialect is written.

use serde_json::value::RawValue;

use crate::core::error::Error;
use crate::core::ids::{ContextId, IdSource, TaskId};
use crate::core::task::Task;
use crate::edge::dialect::{Call, Dialect, EarlyError, Operation, Page, StreamEncoder, StreamEnd};
use crate::edge::error::WireError;

/// Not written yet.
#[derive(Clone, Copy, Debug)]
pub struct V03;

impl Dialect for V03 {
    fn name(&self) -> &'static str {
        "0.3"
    }
    fn version(&self) -> &'static str {
        "0.3"
    }
    fn call(&self, _: Operation, _: Option<&RawValue>, _: &dyn IdSource) -> Result<Call, Error> {
        Err(Error::UnsupportedOperation("not written yet".to_owned()))
    }
    fn early_error(&self) -> EarlyError {
        EarlyError::Event
    }
    fn send_result(&self, _: &mut Vec<u8>, _: &Task) {}
    fn task(&self, _: &mut Vec<u8>, _: &Task) {}
    fn list_result(&self, _: &mut Vec<u8>, _: &Page<'_>) {}
    fn error(&self, buf: &mut Vec<u8>, error: &WireError) {
        error.write_rpc(buf);
    }
    fn stream(&self, _: &TaskId, _: &ContextId, _: StreamEnd) -> Box<dyn StreamEncoder> {
        Box::new(Self)
    }
}

impl StreamEncoder for V03 {
    fn snapshot(&mut self, _: &Task, _: &mut dyn FnMut(&[u8])) {}
    fn event(&mut self, _: &mut Vec<u8>, _: crate::core::event::LogEvent<'_>) -> bool {
        false
    }
}
