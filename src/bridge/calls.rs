//! The small calls to Dify beside a turn's stream.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout};

use crate::dify::client::Client;
use crate::dify::error::Error;
use crate::dify::request::Endpoint;

/// How long a stop may take, the second try included.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Wait before the second try.
const STOP_PAUSE: Duration = Duration::from_millis(250);

/// Tells Dify to stop a task; whether it took that. Tries once more where trouble may have passed.
pub(super) fn stop(
    client: Client,
    endpoint: Endpoint,
    task_id: String,
    user: String,
) -> BoxFuture<'static, bool> {
    let tries = async move {
        match client.stop(endpoint, &task_id, &user).await {
            Err(error) if may_pass(&error) => {
                sleep(STOP_PAUSE).await;
                client.stop(endpoint, &task_id, &user).await
            }
            answer => answer,
        }
    };
    async move {
        match timeout(STOP_LIMIT, tries).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "dify did not take a stop");
                false
            }
            Err(_) => {
                tracing::warn!("dify did not take a stop in time");
                false
            }
        }
    }
    .boxed()
}

fn may_pass(error: &Error) -> bool {
    match error {
        Error::Connect(_) => true,
        Error::Refused(refusal) => refusal.status >= 500,
        Error::Cut(_) | Error::Strange(_) | Error::Timeout(_) | Error::TooLarge(_) => false,
    }
}

/// Asks Dify whether it does not have the conversation. Any other answer than a plain "no" says nothing.
pub(super) fn is_lost<'a>(client: &'a Client, conversation: &'a str, user: &'a str) -> BoxFuture<'a, bool> {
    async move {
        match client.messages(conversation, user).await {
            Err(Error::Refused(refusal)) => refusal.is_lost_conversation(),
            Ok(_) | Err(_) => false,
        }
    }
    .boxed()
}
