"""Judges the gateway with the official Python client of A2A 0.3, used as its users do."""

# covers: O13 O16

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncio
import base64
import uuid

from a2a.client import ClientConfig, ClientFactory, create_text_message_object
from a2a.client.errors import A2AClientJSONRPCError
from a2a.types import (
    DataPart,
    FilePart,
    FileWithBytes,
    Message,
    Role,
    TaskArtifactUpdateEvent,
    TaskIdParams,
    TaskQueryParams,
    TaskState,
    TextPart,
)
from a2a.utils import get_message_text

import demos
from judge import Answer, Part, Shown, Suite, expect, expect_equal, joined, nonce, run

SUITE = Suite()
FINAL = {TaskState.completed, TaskState.failed, TaskState.canceled, TaskState.rejected}


async def client(**config):
    return await ClientFactory.connect(SUITE.url, ClientConfig(**config) if config else None)


def message(said, context_id=None, task_id=None):
    """A message that says a text, or these parts."""
    if isinstance(said, str):
        message = create_text_message_object(Role.user, said)
        message.context_id = context_id
        return message

    def raw(part):
        content = base64.b64encode(part.value).decode()
        return FilePart(file=FileWithBytes(bytes=content, mime_type=part.media_type, name=part.name))

    make = {
        "text": lambda part: TextPart(text=part.value),
        "data": lambda part: DataPart(data=part.value),
        "raw": raw,
    }
    parts = [make[part.kind](part) for part in said]
    ids = {"message_id": str(uuid.uuid4()), "context_id": context_id, "task_id": task_id}
    return Message(role=Role.user, parts=parts, **ids)


def parts_of(parts):
    """Parts in the words of no protocol version."""

    def part_of(part):
        part = part.root
        if part.kind == "text":
            return Part("text", part.text)
        if part.kind == "data":
            # A2A 0.3 has no media type here; what is data is JSON
            return Part("data", part.data, "", "application/json")
        file = part.file
        if isinstance(file, FileWithBytes):
            return Part("raw", base64.b64decode(file.bytes), file.name, file.mime_type)
        return Part("url", file.uri, file.name, file.mime_type)

    return [part_of(part) for part in parts]


def shown_task(task, answer=None):
    said = task.status.message
    # the client keeps what is appended as parts of their own
    artifacts = {artifact.name: joined(parts_of(artifact.parts)) for artifact in task.artifacts or []}
    code = (said.metadata or {}).get("code") if said else None
    parts = parts_of(said.parts) if said else []
    return Shown(task.id, task.context_id, task.status.state.value, parts, artifacts, code, answer)


def text_of(artifact):
    return "".join(part.root.text for part in artifact.parts)


def answer_of(task):
    answers = [artifact for artifact in task.artifacts or [] if artifact.name == "answer"]
    expect_equal("the number of artifacts named answer", len(answers), 1)
    return text_of(answers[0])


def expect_state(status, wanted):
    expect_equal("the state", status.state.value, wanted.value)


async def send(said, context_id=None, task_id=None, **config):
    """One blocking send."""
    async with await client(streaming=False, **config) as agent:
        events = [event async for event in agent.send_message(message(said, context_id, task_id))]
    expect_equal("the number of answers to a blocking send", len(events), 1)
    expect(isinstance(events[0], tuple), "the answer is not a task")
    return events[0][0]


class Followed:
    """What a stream told."""

    def __init__(self):
        self.task = None
        self.answer = Answer()
        self.snapshot = None

    async def read(self, stream, on_update=None):
        async for event in stream:
            expect(isinstance(event, tuple), "the agent answered with a message")
            task, update = event
            if self.task is None:
                expect(update is None, "the first event is not the task")
                if task.artifacts:
                    self.snapshot = answer_of(task)
                    self.answer = Answer(self.snapshot)
            self.task = task
            if isinstance(update, TaskArtifactUpdateEvent) and update.artifact.name == "answer":
                self.answer.update(text_of(update.artifact), update.append, update.last_chunk)
            if on_update is not None:
                await on_update(self)
        expect(self.task is not None, "the stream was empty")
        return self

    def expect_answer(self, wanted):
        expect_equal("the answer", self.answer.text, wanted)
        expect_equal("the answer as the client put it together", answer_of(self.task), wanted)


async def stream(said, context_id=None, on_update=None, task_id=None, **config):
    async with await client(**config) as agent:
        return await Followed().read(agent.send_message(message(said, context_id, task_id)), on_update)


async def ask(parts, task_id=None, context_id=None, streaming=True, accepted=None):
    """Sends parts, to a task if one is named. A stream's task is the one that the client put together."""
    config = {"accepted_output_modes": accepted} if accepted else {}
    if streaming:
        told = await stream(parts, context_id, task_id=task_id, **config)
        return shown_task(told.task, told.answer)
    return shown_task(await send(parts, context_id, task_id, **config))


async def look(task_id):
    async with await client() as agent:
        return shown_task(await agent.get_task(TaskQueryParams(id=task_id)))


async def follow(task_id, begun):
    """Follows a task to its end; `begun` is set with the first event."""

    async def begin(_):
        begun.set()

    async with await client() as agent:
        told = await Followed().read(agent.resubscribe(TaskIdParams(id=task_id)), begin)
    return shown_task(told.task, told.answer)


async def cancel(task_id):
    async with await client() as agent:
        return shown_task(await agent.cancel_task(TaskIdParams(id=task_id)))


async def expect_refused(call):
    """The message must be refused for what it says."""
    await expect_error([-32602], call)


async def expect_error(codes, call):
    try:
        await call
    except A2AClientJSONRPCError as error:
        expect(error.error.code in codes, f"the error is {error.error!r}")
        return
    expect(False, "the answer is no error")


async def drained(events):
    async for _ in events:
        pass


async def card():
    async with await client() as agent:
        card = await agent.get_card()
    expect_equal("the card's name", card.name, SUITE.app)
    expect(card.capabilities.streaming, "the card does not say that the agent streams")
    expect(card.skills, "the card has no skill")
    expect_equal("the preferred transport", card.preferred_transport, "JSONRPC")
    expect(card.protocol_version.startswith("0.3"), f"the version is {card.protocol_version!r}")


async def check_send():
    text = f"hello {nonce()} from a blocking client"
    task = await send(text)
    expect_state(task.status, TaskState.completed)
    expect_equal("the answer", answer_of(task), f"You said: {text}")


async def check_stream():
    text = f"hello {nonce()} from a streaming client"
    told = await stream(text)
    expect_state(told.task.status, TaskState.completed)
    expect_equal("the joined deltas", told.answer.streamed, f"You said: {text}")
    told.expect_answer(f"You said: {text}")
    expect(len(told.answer.pieces) > 1, "the answer came in one piece")


async def check_poll():
    text = f"drip 100 polled {nonce()} word for word"
    async with await client(streaming=False, polling=True) as agent:
        began = [event async for event in agent.send_message(message(text))][0][0]
        expect(began.status.state not in FINAL, "a send that does not block waited for the end")
        for _ in range(50):
            task = await agent.get_task(TaskQueryParams(id=began.id))
            if task.status.state in FINAL:
                break
            await asyncio.sleep(0.1)
    expect_state(task.status, TaskState.completed)
    expect_equal("the answer", answer_of(task), text.removeprefix("drip 100 "))


async def check_second_turn():
    name = nonce()
    first = await send(f"My name is {name}.")
    second = await stream("What is my name?", first.context_id)
    expect_equal("the context", second.task.context_id, first.context_id)
    second.expect_answer(f"Your name is {name}.")
    stranger = await send("What is my name?")
    expect_equal("the answer in another context", answer_of(stranger), "I do not know your name.")


async def check_get():
    text = f"remember {nonce()}"
    sent = await send(text)
    async with await client() as agent:
        task = await agent.get_task(TaskQueryParams(id=sent.id))
    expect_state(task.status, TaskState.completed)
    expect_equal("the answer", answer_of(task), f"You said: {text}")
    said = [get_message_text(message) for message in task.history or [] if message.role == Role.user]
    expect_equal("what the history says of the user", said, [text])


async def check_cancel():
    text = f"hold {nonce()} and never come to an end"
    canceled = []

    async def cancel(told):
        if not canceled and told.answer.streamed.endswith("an end"):
            async with await client() as other:
                canceled.append(await other.cancel_task(TaskIdParams(id=told.task.id)))

    told = await stream(text, on_update=cancel)
    expect(canceled, "the held turn ended by itself")
    expect_state(canceled[0].status, TaskState.canceled)
    expect_state(told.task.status, TaskState.canceled)
    expect_equal("what is left of the answer", answer_of(canceled[0]), text.removeprefix("hold "))
    await SUITE.expect_stopped(text)


async def check_resubscribe():
    text = f"drip 150 {nonce()} one two three four five six seven eight nine ten"
    whole = text.removeprefix("drip 150 ")
    followers = []

    async def follow(task_id):
        async with await client() as other:
            return await Followed().read(other.resubscribe(TaskIdParams(id=task_id)))

    async def begin(told):
        if not followers and len(told.answer.pieces) >= 3:
            followers.append(asyncio.create_task(follow(told.task.id)))

    first = await stream(text, on_update=begin)
    expect(followers, "the stream never had three deltas")
    second = await followers[0]
    first.expect_answer(whole)
    expect_equal("the second client's task", second.task.id, first.task.id)
    snapshot = second.snapshot
    expect(snapshot and whole.startswith(snapshot) and snapshot != whole, f"the snapshot holds {snapshot!r}")
    expect_equal("the snapshot and the rest", second.answer.streamed, whole)
    second.expect_answer(whole)
    expect_state(second.task.status, TaskState.completed)


async def check_unknown_task():
    async with await client() as agent:
        await expect_error([-32001], agent.get_task(TaskQueryParams(id=nonce())))
        await expect_error([-32001], agent.cancel_task(TaskIdParams(id=nonce())))
        await expect_error([-32001], drained(agent.resubscribe(TaskIdParams(id=nonce()))))
        astray = message("hello")
        astray.task_id = nonce()
        await expect_error([-32001], drained(agent.send_message(astray)))


async def check_finished_task():
    task = await send(f"done {nonce()}")
    async with await client() as agent:
        await expect_error([-32002], agent.cancel_task(TaskIdParams(id=task.id)))
        late = message("more", task.context_id)
        late.task_id = task.id
        # A2A 0.3 names no code; its own server says -32602, later ones -32004
        await expect_error([-32602, -32004], drained(agent.send_message(late)))


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
    told.expect_answer(text)
    expect_state(told.task.status, TaskState.completed)


CORE = [
    ("card", card),
    ("send", check_send),
    ("stream", check_stream),
    ("poll", check_poll),
    ("second-turn", check_second_turn),
    ("get", check_get),
    ("cancel", check_cancel),
    ("resubscribe", check_resubscribe),
    ("unknown-task", check_unknown_task),
    ("finished-task", check_finished_task),
    ("slow-send", check_slow_send),
    ("slow-stream", check_slow_stream),
]

if __name__ == "__main__":
    judge = sys.modules[__name__]
    checks = SUITE.core_checks(CORE) + demos.checks(judge, SUITE.demo_checks) + SUITE.recording_checks(judge)
    asyncio.run(run(checks))
