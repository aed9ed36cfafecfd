"""Judges the gateway with the official Python client of A2A 0.3, used as its users do."""

# covers: O13 O16

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncio

import client_0_3

from a2a.types import (
    PushNotificationConfig,
    Role,
    TaskIdParams,
    TaskPushNotificationConfig,
    TaskQueryParams,
    TaskState,
)
from a2a.utils import get_message_text
from client_0_3 import (
    FINAL,
    SUITE,
    Followed,
    answer_of,
    client,
    drained,
    expect_error,
    expect_no_stream,
    expect_state,
    message,
    send,
    stream,
)

import demos
from judge import REFUSED, expect, expect_equal, nonce, run


async def card():
    async with await client() as agent:
        card = await agent.get_card()
    expect_equal("the card's name", card.name, SUITE.app)
    expect(card.capabilities.streaming, "the card does not say that the agent streams")
    expect(card.skills, "the card has no skill")
    expect_equal("the preferred transport", card.preferred_transport, "JSONRPC")
    transports = {card.preferred_transport, *(each.transport for each in card.additional_interfaces or [])}
    expect(SUITE.transport in transports, f"the card names the transports {transports}")
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
    # made before: the turn does not wait for it
    async with await client() as other:

        async def begin(told):
            if not followers and len(told.answer.pieces) >= 3:
                following = Followed().read(other.resubscribe(TaskIdParams(id=told.task.id)))
                followers.append(asyncio.create_task(following))

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
        await expect_no_stream([-32001], agent.resubscribe(TaskIdParams(id=nonce())))
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


async def check_push():
    task = await send(f"notify {nonce()}")
    config = PushNotificationConfig(id="hook", url="http://127.0.0.1:9/")
    async with await client() as agent:
        expect(not (await agent.get_card()).capabilities.push_notifications, "the card offers push notifications")
        config = TaskPushNotificationConfig(task_id=task.id, push_notification_config=config)
        await expect_error([-32003], agent.set_task_callback(config))
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
    ("push", check_push),
    ("slow-send", check_slow_send),
    ("slow-stream", check_slow_stream),
]

if __name__ == "__main__":
    checks = SUITE.core_checks(CORE)
    checks += demos.checks(client_0_3, SUITE.demo_checks) + SUITE.recording_checks(client_0_3)
    asyncio.run(run(checks))
