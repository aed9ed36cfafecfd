"""Judges the gateway with the A2A agent of Microsoft's Agent Framework, used as its users do.

One check for each column of the table. An agent has no call for cancel and push.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncio
import json

import httpx

from a2a.client import A2ACardResolver
from agent_framework import AgentSession, Content, Message
from agent_framework_a2a import A2AAgent

from judge import Apps, expect, expect_equal, fetched, lacks, nonce, run

APPS = Apps()
NOTES = b"Tea came to Europe in 1610.\n"


async def agent(url):
    async with httpx.AsyncClient() as http:
        card = await A2ACardResolver(http, url).get_agent_card()
    return A2AAgent(agent_card=card, supported_protocol_bindings=[APPS.transport])


class Told:
    """A streamed run: its updates, and what the framework made of them."""

    def __init__(self, updates, response):
        self.response = response
        texts = [update for update in updates if update.message_id == "answer" and update.text]
        # what replaces the pieces before it is the whole
        self.deltas = [update.text for n, update in enumerate(texts) if n == 0 or update.merge_mode != "replace"]


async def stream_of(running, on_update=None):
    updates = []
    async for update in running:
        updates.append(update)
        if on_update is not None:
            await on_update(updates)
    return Told(updates, await running.get_final_response())


async def card():
    async with await agent(APPS.chat) as remote:
        expect_equal("the name", remote.name, "chat_basic")
        expect(remote.description, "there is no description")


async def send():
    said = f"hello {nonce()} from a blocking client"
    async with await agent(APPS.chat) as remote:
        response = await remote.run(said)
    expect_equal("the answer", response.text, f"You said: {said}")


async def stream():
    said = f"hello {nonce()} from a streaming client"
    async with await agent(APPS.chat) as remote:
        told = await stream_of(remote.run(said, stream=True))
    expect_equal("the joined deltas", "".join(told.deltas), f"You said: {said}")
    expect(len(told.deltas) > 1, "the answer came in one piece")
    expect_equal("the answer", told.response.text, f"You said: {said}")


async def multi_turn():
    name = nonce()
    session = AgentSession()
    async with await agent(APPS.chat) as remote:
        await remote.run(f"My name is {name}.", session=session)
        second = await stream_of(remote.run("What is my name?", session=session, stream=True))
        stranger = await remote.run("What is my name?", session=AgentSession())
    expect_equal("the answer", second.response.text, f"Your name is {name}.")
    expect_equal("the answer in another context", stranger.text, "I do not know your name.")


async def files():
    contents = [Content.from_text("The history of tea"), Content.from_data(data=NOTES, media_type="text/plain")]
    async with await agent(APPS.workflow) as remote:
        response = await remote.run(Message(role="user", contents=contents))
    messages = {message.message_id: message for message in response.messages}
    # its message of what is for programs is JSON as a text
    report = json.loads(messages["outputs"].text)["report"]
    # it does not send the names of files
    expect(f" ({len(NOTES)} bytes)." in report, f"the report is {report!r}")
    expect(messages["answer"].text.startswith(report), "the text is not the report")
    [file] = [content for message in response.messages for content in message.contents if content.type == "uri"]
    expect_equal("the file's type", file.media_type, "text/markdown")
    expect_equal("the fetched file", await fetched(file.uri), ("text/markdown", report.encode()))


async def input_required():
    wish = f"Buy 3 laptops {nonce()}"
    session = AgentSession()
    async with await agent(APPS.approval) as remote:
        waiting = await remote.run(wish, session=session)
        [request] = waiting.user_input_requests
        expect(wish in request.text, f"the request does not say what is asked for: {request.text!r}")
        task = session.service_session_id["task_id"]
        decided = await remote.run("Approve: fine", session=session)
        expect_equal("the task", session.service_session_id["task_id"], task)
    answer = f"I have passed on your request: {wish}. Somebody has to decide. Approved. Go ahead. Comment: fine"
    expect_equal("the answer", decided.text, answer)


async def resubscribe():
    said = f"drip 150 {nonce()} one two three four five six seven eight nine ten"
    whole = said.removeprefix("drip 150 ")
    followers = []
    # both made before: the turn does not wait for them
    async with await agent(APPS.chat) as remote, await agent(APPS.chat) as other:

        async def begin(updates):
            tokens = [update.continuation_token for update in updates if update.continuation_token]
            if not followers and len(updates) > 4:
                following = stream_of(other.run(stream=True, continuation_token=tokens[0]))
                followers.append(asyncio.create_task(following))

        first = await stream_of(remote.run(said, stream=True, background=True), begin)
        expect(followers, "the stream never had three deltas")
        second = await followers[0]
    expect_equal("the first client's answer", first.response.text, whole)
    # it shows nothing of the task that a second stream begins with
    rest = "".join(second.deltas)
    expect(rest and whole.endswith(rest) and rest != whole, f"the second client's deltas are {rest!r}")
    expect_equal("the second client's answer", second.response.text, whole)


CHECKS = {
    "card": card,
    "send": send,
    "stream": stream,
    "multi-turn": multi_turn,
    "files": files,
    "input-required": input_required,
    "cancel": lacks,
    "resubscribe": resubscribe,
    "push": lacks,
}

if __name__ == "__main__":
    asyncio.run(run(CHECKS.items()))
