"""The official Python client of A2A 0.3 in the words of the judge, which are those of neither protocol version."""

import base64
import uuid

import grpc.aio

from a2a.client import ClientConfig, ClientFactory, create_text_message_object
from a2a.client.errors import A2AClientHTTPError, A2AClientJSONRPCError
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

from judge import Answer, Part, Shown, Suite, Wrong, expect, expect_equal, joined

SUITE = Suite()
FINAL = {TaskState.completed, TaskState.failed, TaskState.canceled, TaskState.rejected}

# What this client tells of an error: over JSON-RPC its code, over HTTP+JSON and gRPC no more than the status. A2A 0.3
# names no status; these are the ones that its own servers and the gateway give.
STATUSES = {
    -32001: {404, grpc.StatusCode.NOT_FOUND},
    -32002: {400, 409, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.FAILED_PRECONDITION},
    -32003: {400, 501, grpc.StatusCode.UNIMPLEMENTED},
    -32004: {400, 501, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.FAILED_PRECONDITION},
    -32602: {400, 422, grpc.StatusCode.INVALID_ARGUMENT},
}


async def client(**config):
    """A client that knows one transport only."""
    transport = {"supported_transports": [SUITE.transport]}
    if SUITE.transport == "GRPC":
        transport["grpc_channel_factory"] = grpc.aio.insecure_channel
    return await ClientFactory.connect(SUITE.url, ClientConfig(**transport, **config))


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


async def said_by_user(task_id):
    """The parts of what the user said, as the task's history has them."""
    async with await client() as agent:
        task = await agent.get_task(TaskQueryParams(id=task_id))
    return [part for said in task.history or [] if said.role == Role.user for part in parts_of(said.parts)]


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
    statuses = set().union(*(STATUSES[code] for code in codes))
    try:
        await call
    except A2AClientJSONRPCError as error:
        return expect(error.error.code in codes, f"the error is {error.error!r}")
    except A2AClientHTTPError as error:
        return expect(error.status_code in statuses, f"the error is {error!r}")
    except grpc.aio.AioRpcError as error:
        return expect(error.code() in statuses, f"the error is {error!r}")
    raise Wrong("the answer is no error")


async def expect_no_stream(codes, events):
    """Like `expect_error`; but over HTTP+JSON, whatever is no stream is to this client an error of status 400."""
    if SUITE.transport != "HTTP+JSON":
        return await expect_error(codes, drained(events))
    try:
        await drained(events)
    except A2AClientHTTPError as error:
        expect_equal("the error's status", error.status_code, 400)
        return expect("got 'application/json'" in error.message, f"the error is {error!r}")
    raise Wrong("the answer is no error")


async def drained(events):
    async for _ in events:
        pass
