//! The calls beside a turn: what became of runs and messages, forms that wait for people, questions to go on with.

use super::client::{Client, EventResponse, SmallAnswer, event_response};
use super::error::Error;
use super::human::{FormToken, HumanForm};
use super::human_answer::Submission;
use super::request::{Endpoint, StopRequest};
use super::stored::{RunDetail, StoredMessage, suggested_questions};

/// How many messages of a conversation are looked through for one; the newest, and a turn's is among them.
const MESSAGES: &str = "20";

impl Client {
    /// Tells Dify to stop a task that was begun at `endpoint`. Success says nothing: Dify gives it for any task and
    /// any user.
    ///
    /// # Errors
    /// [`Error`] when Dify did not take the call.
    pub async fn stop(&self, endpoint: Endpoint, task_id: &str, user: &str) -> Result<(), Error> {
        let url = self.at(&endpoint.stop_path(task_id));
        self.small(self.http.post(url).json(&StopRequest { user })).await.map(drop)
    }

    /// `GET /workflow/{id}/events` (since 1.14): what a run of a graph has done, and then what it does. Goes on over
    /// pauses, so it is live once its first frame with data is there, and a form can be submitted then; it does not end
    /// with the pause. For a run that is over it is `workflow_finished` only. The future has all it needs.
    ///
    /// # Errors
    /// [`Error`]; see [`Refusal::is_unknown_run`](super::error::Refusal::is_unknown_run) for runs of other users.
    pub fn events(
        &self,
        run_id: &str,
        user: &str,
    ) -> impl Future<Output = Result<EventResponse, Error>> + Send + use<> {
        let query = [("user", user), ("include_state_snapshot", "true"), ("continue_on_pause", "true")];
        let request = self.http.get(self.at(&["workflow", run_id, "events"])).query(&query);
        async move { event_response(request.send().await?).await }
    }

    /// `GET /workflows/run/{id}`: how a run stands, chatflows' since 1.4. `None` when Dify does not have it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn run_detail(&self, run_id: &str) -> Result<Option<RunDetail>, Error> {
        match self.small(self.http.get(self.at(&["workflows", "run", run_id]))).await {
            Ok(answer) => Ok(RunDetail::read(text(&answer)?)),
            Err(Error::Refused(refusal)) if refusal.is_unknown_run() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET /workflows/run/{id}` for a run that does not exist: tells kinds of apps apart.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn unknown_run(&self) -> Result<SmallAnswer, Error> {
        let url = self.at(&["workflows", "run", "00000000-0000-0000-0000-000000000000"]);
        self.small(self.http.get(url)).await
    }

    /// `GET /messages` with one entry of a conversation. A refusal with
    /// [`Refusal::is_lost_conversation`](super::error::Refusal::is_lost_conversation) says that `user` has no such conversation.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn messages(&self, conversation_id: &str, user: &str) -> Result<SmallAnswer, Error> {
        self.page_of_messages(conversation_id, user, "1").await
    }

    /// `GET /messages`, and the message of this id, if it is among the newest of its conversation. Chat family only.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn message(
        &self,
        conversation_id: &str,
        message_id: &str,
        user: &str,
    ) -> Result<Option<StoredMessage>, Error> {
        let answer = self.page_of_messages(conversation_id, user, MESSAGES).await?;
        Ok(StoredMessage::find(text(&answer)?, message_id))
    }

    async fn page_of_messages(
        &self,
        conversation_id: &str,
        user: &str,
        limit: &str,
    ) -> Result<SmallAnswer, Error> {
        let query = [("conversation_id", conversation_id), ("user", user), ("limit", limit)];
        self.small(self.http.get(self.at(&["messages"])).query(&query)).await
    }

    /// `GET /messages/{id}/suggested`: questions to go on with. Costs a call to the app's model.
    ///
    /// # Errors
    /// [`Error`]; an app that does not make them refuses with 400.
    pub async fn suggested(&self, message_id: &str, user: &str) -> Result<Vec<String>, Error> {
        let url = self.at(&["messages", message_id, "suggested"]);
        // The model has to be waited for.
        let answer = self.patient(self.http.get(url).query(&[("user", user)])).await?;
        Ok(suggested_questions(text(&answer)?))
    }

    /// `GET /form/human_input/{token}` (since 1.14): a form as it is shown to people, without its ids.
    ///
    /// # Errors
    /// [`Error`]; see [`Refusal::closed_form`](super::error::Refusal::closed_form) for forms that wait no more.
    pub async fn form(&self, token: &FormToken) -> Result<HumanForm, Error> {
        let answer = self.small(self.http.get(self.form_url(token))).await?;
        serde_json::from_str(text(&answer)?).map_err(|_| Error::Strange("a form that is none"))
    }

    /// `POST /form/human_input/{token}`: answers a form. The run goes on by itself; the first answer counts.
    ///
    /// # Errors
    /// [`Error`]; see [`Refusal::closed_form`](super::error::Refusal::closed_form) for forms that wait no more, [`Refusal::is_bad_answer`](super::error::Refusal::is_bad_answer) for an answer
    /// that does not fit, after which the form still waits.
    pub async fn submit_form(&self, token: &FormToken, answer: &Submission<'_>) -> Result<(), Error> {
        self.small(self.http.post(self.form_url(token)).json(answer)).await.map(drop)
    }

    fn form_url(&self, token: &FormToken) -> url::Url {
        self.at(&["form", "human_input", token.expose()])
    }
}

fn text(answer: &SmallAnswer) -> Result<&str, Error> {
    std::str::from_utf8(&answer.body).map_err(|_| Error::Strange("a document that is not UTF-8"))
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
