"""Judges the gateway with the remote agent of Google's ADK, used as its users do: in a runner, by the card's address.

One check for each column of the table, and one of what the table says of it. A remote agent has no call for cancel,
resubscribe and push.
"""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
# most of what it is made of is marked as experimental
warnings.simplefilter("ignore")

import asyncio
import json

from a2a.client import ClientConfig, ClientFactory
from google.adk.agents.remote_a2a_agent import RemoteA2aAgent
from google.adk.runners import InMemoryRunner
from google.genai.types import Blob, Content, FunctionResponse, Part

from judge import Apps, Wrong, expect, expect_equal, fetched, lacks, nonce, run

APPS = Apps()
NOTES = b"Tea came to Europe in 1610.\n"


class Session:
    """A conversation of one user with one remote agent."""

    def __init__(self, url, streaming=True):
        config = ClientConfig(streaming=streaming, supported_protocol_bindings=[APPS.transport])
        card = f"{url}/.well-known/agent-card.json"
        self.agent = RemoteA2aAgent(
            name="remote", agent_card=card, a2a_client_factory=ClientFactory(config)
        )
        self.runner = InMemoryRunner(agent=self.agent, app_name="interop")
        self.session = None

    async def say(self, *parts):
        """Says something; gives the events that it led to."""
        if self.session is None:
            self.session = await self.runner.session_service.create_session(app_name="interop", user_id="somebody")
        place = {"user_id": "somebody", "session_id": self.session.id}
        message = Content(role="user", parts=list(parts))
        events = [event async for event in self.runner.run_async(**place, new_message=message)]
        for event in events:
            expect(event.error_message is None, f"an event says: {event.error_message}")
        return events


def text(value):
    return Part(text=value)


def parts_of(events):
    """The parts of whole events, without the agent's thoughts."""
    whole = [event for event in events if not event.partial and event.content]
    return [part for event in whole for part in event.content.parts or [] if not part.thought]


def text_of(events):
    return "".join(part.text for part in parts_of(events) if part.text)


def deltas_of(events):
    partial = [event for event in events if event.partial and event.content]
    return [part.text for event in partial for part in event.content.parts or [] if not part.thought]


async def card():
    session = Session(APPS.chat)
    await session.say(text("hello"))
    # it takes over what the card says of the agent, as a quotation
    expect("chat_basic" in session.agent.description, f"the description is {session.agent.description!r}")


async def grpc_card():
    """It takes no card in which any interface has an address without a scheme, as gRPC has them."""
    try:
        await Session(APPS.grpc).say(text("hello"))
    except Wrong as refused:
        said = str(refused)
        return expect("RPC URL must use https" in said and APPS.grpc.removeprefix("http://") in said, said)
    raise Wrong("it takes a card with a gRPC address: so show it one in all checks")


async def send():
    said = f"hello {nonce()} from a blocking client"
    events = await Session(APPS.chat, streaming=False).say(text(said))
    expect_equal("the answer", text_of(events), f"You said: {said}")
    expect_equal("the number of pieces", len(deltas_of(events)), 0)


async def stream():
    said = f"hello {nonce()} from a streaming client"
    events = await Session(APPS.chat).say(text(said))
    expect_equal("the joined deltas", "".join(deltas_of(events)), f"You said: {said}")
    expect(len(deltas_of(events)) > 1, "the answer came in one piece")
    expect_equal("the answer", text_of(events), f"You said: {said}")


async def multi_turn():
    name = nonce()
    session = Session(APPS.chat)
    await session.say(text(f"My name is {name}."))
    expect_equal("the answer", text_of(await session.say(text("What is my name?"))), f"Your name is {name}.")
    stranger = await Session(APPS.chat).say(text("What is my name?"))
    expect_equal("the answer in another context", text_of(stranger), "I do not know your name.")


async def files():
    notes = Part(inline_data=Blob(data=NOTES, mime_type="text/plain", display_name="notes.txt"))
    events = await Session(APPS.workflow).say(text("The history of tea"), notes)
    # its event of what is for programs is a text in marks
    [outputs] = [part.inline_data.data.decode() for part in parts_of(events) if part.inline_data]
    report = json.loads(outputs.removeprefix("<a2a_datapart_json>").removesuffix("</a2a_datapart_json>"))["report"]
    expect(f"It rests on notes.txt ({len(NOTES)} bytes)." in report, f"the report is {report!r}")
    expect(text_of(events).startswith(report), "the text is not the report")
    [file] = [part.file_data for part in parts_of(events) if part.file_data]
    expect_equal("the file", (file.display_name, file.mime_type), ("report.md", "text/markdown"))
    expect_equal("the fetched file", await fetched(file.file_uri), ("text/markdown", report.encode()))


async def input_required():
    wish = f"Buy 3 laptops {nonce()}"
    session = Session(APPS.approval)
    before = f"I have passed on your request: {wish}. Somebody has to decide. "
    waiting = await session.say(text(wish))
    expect_equal("the joined deltas", "".join(deltas_of(waiting)), before)
    # it makes a call of its own of a task that waits; the answer to the call continues the task
    [call] = [part.function_call for part in parts_of(waiting) if part.function_call]
    expect(wish in call.args["input_required"], f"the call does not say what is asked for: {call.args}")
    answer = FunctionResponse(id=call.id, name=call.name, response={"result": "Approve: fine"})
    decided = await session.say(Part(function_response=answer))
    tasks = {event.custom_metadata["a2a:task_id"] for event in [*waiting, *decided] if event.custom_metadata}
    expect_equal("the number of tasks", len(tasks), 1)
    expect_equal("the new text", "".join(deltas_of(decided)), "Approved. Go ahead. Comment: fine")
    expect_equal("the answer", text_of(decided), f"{before}Approved. Go ahead. Comment: fine")


CHECKS = {
    "card": card,
    "grpc-card": grpc_card,
    "send": send,
    "stream": stream,
    "multi-turn": multi_turn,
    "files": files,
    "input-required": input_required,
    "cancel": lacks,
    "resubscribe": lacks,
    "push": lacks,
}

if __name__ == "__main__":
    asyncio.run(run(CHECKS.items()))
