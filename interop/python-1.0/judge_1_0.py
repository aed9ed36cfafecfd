"""Judges the gateway with the official Python client of A2A 1.0, used as its users do.

With the word old-card after its other arguments, the client has to make do with the interfaces of A2A 0.3.
"""

# covers: O15

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncio

import client_1_0

from a2a.helpers.proto_helpers import get_message_text
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import (
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from client_1_0 import (
    FINAL,
    SUITE,
    VERSION,
    Followed,
    answer_of,
    client,
    drained,
    expect_error,
    expect_state,
    fetched_card,
    message,
    send,
    stream,
)

import demos
from judge import REFUSED, expect, expect_equal, nonce, run


async def card():
    card = await fetched_card()
    expect_equal("the card's name", card.name, SUITE.app)
    expect(card.capabilities.streaming, "the card does not say that the agent streams")
    expect(card.skills, "the card has no skill")
    interfaces = [(each.protocol_binding, each.protocol_version) for each in card.supported_interfaces]
    expect_equal("the preferred interface", interfaces[0], ("JSONRPC", VERSION))
    expect((SUITE.transport, VERSION) in interfaces, f"the card names the interfaces {interfaces}")


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
    # in A2A 0.3 none is no limit
    expect_equal("the length of a history of none", len(bare.history), len(task.history) if SUITE.old_card else 0)


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
    followers, snapshots = [], []

    async def keep(told):
        snapshots.append(told.answer.streamed)

    # made before: the turn does not wait for it
    async with await client() as other:

        async def begin(told):
            if not followers and len(told.answer.pieces) >= 3:
                following = Followed().read(other.subscribe(SubscribeToTaskRequest(id=told.task_id)), keep)
                followers.append(asyncio.create_task(following))

        first = await stream(text, on_update=begin)
        expect(followers, "the stream never had three deltas")
        second = await followers[0]
    snapshot = snapshots[0]
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
    checks = SUITE.core_checks(CORE)
    if SUITE.old_card:
        # A2A 0.3 has no lists over JSON-RPC, and this client none at all
        checks = [(name, check) for name, check in checks if name != "list"]
    checks += demos.checks(client_1_0, SUITE.demo_checks) + SUITE.recording_checks(client_1_0)
    asyncio.run(run(checks))
