"""The official Python client of A2A 1.0 in the words of the judge, which are those of neither protocol version."""

import grpc.aio
import httpx

from a2a.client import A2ACardResolver, ClientConfig, create_client
from a2a.helpers.proto_helpers import (
    new_data_part,
    new_message,
    new_raw_part,
    new_text_message,
    new_text_part,
)
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import InvalidParamsError
from google.protobuf.json_format import MessageToDict

from judge import JSON, Answer, Part, Shown, Suite, Wrong, expect, expect_equal, joined

SUITE = Suite()
# that of A2A in the interfaces which the client gets to see
VERSION = "0.3" if SUITE.old_card else "1.0"
FINAL = {
    TaskState.TASK_STATE_COMPLETED,
    TaskState.TASK_STATE_FAILED,
    TaskState.TASK_STATE_CANCELED,
    TaskState.TASK_STATE_REJECTED,
}


async def fetched_card():
    """The card, cut down to the interfaces of A2A 0.3 if that is what this is about."""
    async with httpx.AsyncClient() as http:
        card = await A2ACardResolver(http, SUITE.url).get_agent_card()
    if SUITE.old_card:
        old = [each for each in card.supported_interfaces if each.protocol_version.startswith("0.3")]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(old)
    return card


async def client(**config):
    """A client that knows one transport only."""
    transport = {"supported_protocol_bindings": [SUITE.transport]}
    if SUITE.transport == "GRPC":
        transport["grpc_channel_factory"] = grpc.aio.insecure_channel
    agent = await fetched_card() if SUITE.old_card else SUITE.url
    return await create_client(agent, ClientConfig(**transport, **config))


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
        # A2A 0.3 has no media type for data; what is data is JSON
        media_type = JSON if kind == "data" and SUITE.old_card else part.media_type
        return Part(kind, value, part.filename, media_type)

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


async def said_by_user(task_id):
    """The parts of what the user said, as the task's history has them."""
    async with await client() as agent:
        task = await agent.get_task(GetTaskRequest(id=task_id))
    return [part for said in task.history if said.role == Role.ROLE_USER for part in parts_of(said.parts)]


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
    raise Wrong(f"the answer is no {kind.__name__}")


async def drained(events):
    async for _ in events:
        pass
