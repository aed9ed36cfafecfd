//! The small calls to Dify beside a turn's stream.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::dify::client::Client;
use crate::dify::error::Error;

/// Tells Dify to stop a task; whether it took that.
pub(super) fn stop(client: Client, task_id: String, user: String) -> BoxFuture<'static, bool> {
    async move {
        let answer = client.stop(&task_id, &user).await;
        if let Err(error) = &answer {
            tracing::warn!(%error, "dify did not take a stop");
        }
        answer.is_ok()
    }
    .boxed()
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
