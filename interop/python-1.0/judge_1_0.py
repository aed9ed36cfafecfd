"""Judges the gateway with the official Python client of A2A 1.0, used as its users do."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncio

import grpc.aio
import httpx

from a2a.client import A2ACardResolver, ClientConfig, create_client
from a2a.helpers.proto_helpers import (
    get_message_text,
    new_data_part,
    new_message,
    new_raw_part,
    new_text_message,
    new_text_part,
)
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import (
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import MessageToDict

import demos
from judge import REFUSED, Answer, Part, Shown, Suite, expect, expect_equal, joined, nonce, run

SUITE = Suite()
FINAL = {
    TaskState.TASK_STATE_COMPLETED,
    TaskState.TASK_STATE_FAILED,
    TaskState.TASK_STATE_CANCELED,
    TaskState.TASK_STATE_REJECTED,
}


async def client(**config):
    """A client that knows one transport only."""
    transport = {"supported_protocol_bindings": [SUITE.transport]}
    if SUITE.transport == "GRPC":
        transport["grpc_channel_factory"] = grpc.aio.insecure_channel
    return await create_client(SUITE.url, ClientConfig(**transport, **config))


def message(said, context_id=None, task_id=None):
    """A message that says a text, or these parts."""
    if isinstance(said, str):
        return SendMessageRequest(message=new_text_message(said, context_id=context_id, role=Role.ROLE_USER))
    make = {
        "text": lambda part: new_text_part(part.value),
        "data": lambda part: new_data_part(part.value),
        "raw": lambda part: new_raw_part(part.value, media_type=part.media_type, filename=part.name),
    }
    parts = [make[part.kind](part) for part in said]
    return SendMessageRequest(
        message=new_message(parts, context_id=context_id, task_id=task_id, role=Role.ROLE_USER)
    )


def parts_of(parts):
    """Parts in the words of no protocol version."""

    def part_of(part):
        kind = part.WhichOneof("content")
        value = MessageToDict(part.data) if kind == "data" else getattr(part, kind)
        return Part(kind, value, part.filename, part.media_type)

    return [part_of(part) for part in parts]


def shown(task_id, context_id, status, artifacts, answer=None):
    state = TaskState.Name(status.state).removeprefix("TASK_STATE_").lower().replace("_", "-")
    code = MessageToDict(status.message.metadata).get("code")
    return Shown(task_id, context_id, state, parts_of(status.message.parts), artifacts, code, answer)


def shown_task(task):
    artifacts = {artifact.name: parts_of(artifact.parts) for artifact in task.artifacts}
    return shown(task.id, task.context_id, task.status, artifacts)


def answer_of(task):
    answers = [artifact for artifact in task.artifacts if artifact.name == "answer"]
    expect_equal("the number of artifacts named answer", len(answers), 1)
    expect_equal("the number of the answer's parts", len(answers[0].parts), 1)
    return answers[0].parts[0].text


def expect_state(status, wanted):
    expect_equal("the state", TaskState.Name(status.state), TaskState.Name(wanted))


async def send(said, context_id=None, task_id=None, **config):
    """One blocking send."""
    async with await client(streaming=False, **config) as agent:
        events = [event async for event in agent.send_message(message(said, context_id, task_id))]
    expect_equal("the number of answers to a blocking send", len(events), 1)
    expect(events[0].HasField("task"), "the answer is not a task")
    return events[0].task


class Followed:
    """What a stream told."""

    def __init__(self):
        self.task_id = self.context_id = None
        self.answer = Answer()
        self.status = None
        # the other artifacts' parts, by their names
        self.others = {}

    async def read(self, stream, on_update=None):
        async for event in stream:
            kind = event.WhichOneof("payload")
            expect(self.status is None or self.status.state not in FINAL, f"a {kind} came after the end")
            if self.task_id is None:
                expect_equal("the first event", kind, "task")
                self.task_id, self.context_id = event.task.id, event.task.context_id
                self.status = event.task.status
                artifacts = shown_task(event.task).artifacts
                if artifacts.pop("answer", None):
                    self.answer = Answer(answer_of(event.task))
                self.others = artifacts
            elif kind == "status_update":
                self.status = event.status_update.status
            elif kind == "artifact_update" and event.artifact_update.artifact.name == "answer":
                update = event.artifact_update
                self.answer.update("".join(p.text for p in update.artifact.parts), update.append, update.last_chunk)
            elif kind == "artifact_update":
                artifact = event.artifact_update.artifact
                parts = parts_of(artifact.parts)
                if event.artifact_update.append:
                    expect(artifact.name in self.others, f"the first update of {artifact.name} says append")
                    parts = joined([*self.others[artifact.name], *parts])
                self.others[artifact.name] = parts
            if on_update is not None:
                await on_update(self)
        expect(self.status is not None, "the stream was empty")
        return self


    def shown(self):
        """The task as the stream told it."""
        answer = {"answer": [Part("text", self.answer.text)]} if self.answer.pieces else {}
        return shown(self.task_id, self.context_id, self.status, {**answer, **self.others}, self.answer)


async def stream(said, context_id=None, on_update=None, task_id=None, **config):
    async with await client(**config) as agent:
        return await Followed().read(agent.send_message(message(said, context_id, task_id)), on_update)


async def ask(parts, task_id=None, context_id=None, streaming=True, accepted=None):
    """Sends parts, to a task if one is named."""
    config = {"accepted_output_modes": accepted} if accepted else {}
    if streaming:
        return (await stream(parts, context_id, task_id=task_id, **config)).shown()
    return shown_task(await send(parts, context_id, task_id, **config))


async def look(task_id):
    async with await client() as agent:
        return shown_task(await agent.get_task(GetTaskRequest(id=task_id)))


async def follow(task_id, begun):
    """Follows a task to its end; `begun` is set with the first event."""

    async def begin(_):
        begun.set()

    async with await client() as agent:
        told = await Followed().read(agent.subscribe(SubscribeToTaskRequest(id=task_id)), begin)
    return told.shown()


async def cancel(task_id):
    async with await client() as agent:
        return shown_task(await agent.cancel_task(CancelTaskRequest(id=task_id)))


async def expect_refused(call):
    """The message must be refused for what it says."""
    await expect_error(InvalidParamsError, call)


async def expect_error(kind, call):
    try:
        await call
    except kind:
        return
    expect(False, f"the answer is no {kind.__name__}")


async def drained(events):
    async for _ in events:
        pass


async def fetched_card():
    async with httpx.AsyncClient() as http:
        return await A2ACardResolver(http, SUITE.url).get_agent_card()


async def card():
    card = await fetched_card()
    expect_equal("the card's name", card.name, SUITE.app)
    expect(card.capabilities.streaming, "the card does not say that the agent streams")
    expect(card.skills, "the card has no skill")
    interfaces = [(each.protocol_binding, each.protocol_version) for each in card.supported_interfaces]
    expect_equal("the preferred interface", interfaces[0], ("JSONRPC", "1.0"))
    expect((SUITE.transport, "1.0") in interfaces, f"the card names the interfaces {interfaces}")


async def check_send():
    text = f"hello {nonce()} from a blocking client"
    task = await send(text)
    expect_state(task.status, TaskState.TASK_STATE_COMPLETED)
    expect_equal("the answer", answer_of(task), f"You said: {text}")


async def check_stream():
    text = f"hello {nonce()} from a streaming client"
    told = await stream(text)
    expect_state(told.status, TaskState.TASK_STATE_COMPLETED)
    expect_equal("the joined deltas", told.answer.streamed, f"You said: {text}")
    expect_equal("the answer", told.answer.text, f"You said: {text}")
    expect(len(told.answer.pieces) > 1, "the answer came in one piece")


async def check_poll():
    text = f"drip 100 polled {nonce()} word for word"
    async with await client(streaming=False, polling=True) as agent:
        began = [event async for event in agent.send_message(message(text))][0].task
        expect(began.status.state not in FINAL, "a send that returns immediately waited for the end")
        for _ in range(50):
            task = await agent.get_task(GetTaskRequest(id=began.id))
            if task.status.state in FINAL:
                break
            await asyncio.sleep(0.1)
    expect_state(task.status, TaskState.TASK_STATE_COMPLETED)
    expect_equal("the answer", answer_of(task), text.removeprefix("drip 100 "))


async def check_second_turn():
    name = nonce()
    first = await send(f"My name is {name}.")
    second = await stream("What is my name?", first.context_id)
    expect_equal("the context", second.context_id, first.context_id)
    expect_equal("the answer of the second turn", second.answer.text, f"Your name is {name}.")
    stranger = await send("What is my name?")
    expect_equal("the answer in another context", answer_of(stranger), "I do not know your name.")


async def check_get():
    text = f"remember {nonce()}"
    sent = await send(text)
    async with await client() as agent:
        task = await agent.get_task(GetTaskRequest(id=sent.id))
        bare = await agent.get_task(GetTaskRequest(id=sent.id, history_length=0))
    expect_state(task.status, TaskState.TASK_STATE_COMPLETED)
    expect_equal("the answer", answer_of(task), f"You said: {text}")
    said = [get_message_text(message) for message in task.history if message.role == Role.ROLE_USER]
    expect_equal("what the history says of the user", said, [text])
    expect_equal("the length of a history of none", len(bare.history), 0)


async def check_list():
    first = await send(f"first {nonce()}")
    second = await send(f"second {nonce()}", first.context_id)
    async with await client() as agent:
        plain = await agent.list_tasks(ListTasksRequest(context_id=first.context_id))
        whole = await agent.list_tasks(ListTasksRequest(context_id=first.context_id, include_artifacts=True))
        page = await agent.list_tasks(ListTasksRequest(context_id=first.context_id, page_size=1))
        rest = await agent.list_tasks(
            ListTasksRequest(context_id=first.context_id, page_size=1, page_token=page.next_page_token)
        )
    expect_equal("the listed tasks", [task.id for task in plain.tasks], [second.id, first.id])
    expect_equal("the total", plain.total_size, 2)
    expect_equal("the artifacts of a plain list", [len(task.artifacts) for task in plain.tasks], [0, 0])
    expect_equal("a listed answer", answer_of(whole.tasks[0]), answer_of(second))
    expect_equal("the pages", [task.id for task in [*page.tasks, *rest.tasks]], [second.id, first.id])
    expect_equal("the last page's token", rest.next_page_token, "")


async def check_cancel():
    text = f"hold {nonce()} and never come to an end"
    canceled = []

    async def cancel(told):
        if not canceled and told.answer.streamed.endswith("an end"):
            async with await client() as other:
                canceled.append(await other.cancel_task(CancelTaskRequest(id=told.task_id)))

    told = await stream(text, on_update=cancel)
    expect(canceled, "the held turn ended by itself")
    expect_state(canceled[0].status, TaskState.TASK_STATE_CANCELED)
    expect_state(told.status, TaskState.TASK_STATE_CANCELED)
    expect_equal("what is left of the answer", answer_of(canceled[0]), text.removeprefix("hold "))
    await SUITE.expect_stopped(text)


async def check_resubscribe():
    text = f"drip 150 {nonce()} one two three four five six seven eight nine ten"
    whole = text.removeprefix("drip 150 ")
    followers = []

    async def follow(task_id):
        async with await client() as other:
            snapshots = []

            async def keep(told):
                snapshots.append(told.answer.streamed)

            told = await Followed().read(other.subscribe(SubscribeToTaskRequest(id=task_id)), keep)
            return told, snapshots[0]

    async def begin(told):
        if not followers and len(told.answer.pieces) >= 3:
            followers.append(asyncio.create_task(follow(told.task_id)))

    first = await stream(text, on_update=begin)
    expect(followers, "the stream never had three deltas")
    second, snapshot = await followers[0]
    expect_equal("the first client's answer", first.answer.text, whole)
    expect_equal("the second client's task", second.task_id, first.task_id)
    expect(snapshot and whole.startswith(snapshot) and snapshot != whole, f"the snapshot holds {snapshot!r}")
    expect_equal("the snapshot and the rest", second.answer.streamed, whole)
    expect_equal("the second client's answer", second.answer.text, whole)
    expect_state(second.status, TaskState.TASK_STATE_COMPLETED)


async def check_unknown_task():
    async with await client() as agent:
        await expect_error(TaskNotFoundError, agent.get_task(GetTaskRequest(id=nonce())))
        await expect_error(TaskNotFoundError, agent.cancel_task(CancelTaskRequest(id=nonce())))
        await expect_error(TaskNotFoundError, drained(agent.subscribe(SubscribeToTaskRequest(id=nonce()))))
        astray = message("hello")
        astray.message.task_id = nonce()
        await expect_error(TaskNotFoundError, drained(agent.send_message(astray)))


async def check_finished_task():
    task = await send(f"done {nonce()}")
    async with await client() as agent:
        await expect_error(TaskNotCancelableError, agent.cancel_task(CancelTaskRequest(id=task.id)))
        await expect_error(UnsupportedOperationError, drained(agent.subscribe(SubscribeToTaskRequest(id=task.id))))
        late = message("more", task.context_id)
        late.message.task_id = task.id
        await expect_error(UnsupportedOperationError, drained(agent.send_message(late)))


async def check_push():
    task = await send(f"notify {nonce()}")
    config = TaskPushNotificationConfig(task_id=task.id, url="http://127.0.0.1:9/")
    expect(not (await fetched_card()).capabilities.push_notifications, "the card offers push notifications")
    async with await client() as agent:
        await expect_error(
            PushNotificationNotSupportedError, agent.create_task_push_notification_config(config)
        )
    return REFUSED


async def check_slow_send():
    text = f"late but {nonce()} whole"
    began = time.monotonic()
    task = await send(f"slow 6500 {text}")
    expect(time.monotonic() - began > 6, "the turn was not slow")
    expect_equal("the answer", answer_of(task), text)


async def check_slow_stream():
    text = f"late but {nonce()} whole"
    began = time.monotonic()
    told = await stream(f"slow 6500 {text}")
    expect(time.monotonic() - began > 6, "the turn was not slow")
    expect_equal("the answer", told.answer.text, text)
    expect_state(told.status, TaskState.TASK_STATE_COMPLETED)


CORE = [
    ("card", card),
    ("send", check_send),
    ("stream", check_stream),
    ("poll", check_poll),
    ("second-turn", check_second_turn),
    ("get", check_get),
    ("list", check_list),
    ("cancel", check_cancel),
    ("resubscribe", check_resubscribe),
    ("unknown-task", check_unknown_task),
    ("finished-task", check_finished_task),
    ("push", check_push),
    ("slow-send", check_slow_send),
    ("slow-stream", check_slow_stream),
]

if __name__ == "__main__":
    judge = sys.modules[__name__]
    checks = SUITE.core_checks(CORE) + demos.checks(judge, SUITE.demo_checks) + SUITE.recording_checks(judge)
    asyncio.run(run(checks))
