"""What the Python judges have in common. Standard library only: each runs in a venv of its own."""

import asyncio
import base64
import json
import sys
import traceback
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path

# A judge never waits longer for one check. The SDKs keep their own, shorter time-outs.
PATIENCE = 40
JSON = "application/json"
# What a check gives that came to neither pass nor failure: the gateway refused in the right way what it does not
# offer, or the client has no way to ask.
REFUSED = "REFUSED"
LACKS = "LACKS"


class Wrong(Exception):
    """The gateway did not do what it should have."""


def expect(condition, reason):
    if not condition:
        raise Wrong(reason)


def expect_equal(what, got, wanted):
    expect(got == wanted, f"{what} is {got!r} instead of {wanted!r}")


class Answer:
    """The text of the artifact `answer`, put together from a stream's updates as A2A says."""

    def __init__(self, text=None):
        self.pieces = [] if text is None else [text]
        self.closing = None

    def update(self, text, append, last):
        expect(self.closing is None, "an update of the answer came after its last chunk")
        if append:
            expect(self.pieces, "the first update of the answer says append")
            self.pieces.append(text)
        elif last and self.pieces:
            self.closing = text
        else:
            self.pieces = [text]

    @property
    def streamed(self):
        """The deltas, joined."""
        return "".join(self.pieces)

    @property
    def text(self):
        return self.streamed if self.closing is None else self.closing


@dataclass
class Part:
    """A part of a message or an artifact: `kind` is text, data, raw or url."""

    kind: str
    value: object
    name: str = ""
    media_type: str = ""


def joined(parts):
    """An artifact's parts; if all of them are text, as one."""
    if all(part.kind == "text" for part in parts):
        return [Part("text", "".join(part.value for part in parts))]
    return parts


@dataclass
class Shown:
    """A task as a client saw it, in the words of neither protocol version."""

    task_id: str
    context_id: str
    # such as input-required
    state: str
    # the parts of the status message
    said: list
    # the parts of each artifact, by its name
    artifacts: dict
    # the code of a failure
    code: str = None
    # how the answer came, if it was streamed; no part of what a task is
    answer: Answer = field(default=None, compare=False, repr=False)

    @property
    def text(self):
        """The text of the artifact `answer`, if there is one."""
        parts = self.artifacts.get("answer")
        return None if parts is None else "".join(part.value for part in parts)


class Apps:
    """The arguments of a judge with one check for each column.

    `REPLAY_URL TRANSPORT CHAT_URL APPROVAL_URL WORKFLOW_URL [GRPC_URL]`, the last of a gateway with gRPC if the others
    have none
    """

    def __init__(self):
        if len(sys.argv) not in (6, 7):
            script = Path(sys.argv[0]).name
            sys.exit(f"usage: {script} REPLAY_URL TRANSPORT CHAT_URL APPROVAL_URL WORKFLOW_URL [GRPC_URL]")
        self.replay, self.transport, self.chat, self.approval, self.workflow, *grpc = sys.argv[1:]
        self.grpc = grpc[0] if grpc else None


async def lacks():
    """The check of what a client's API cannot do."""
    return LACKS


class Suite:
    """The arguments of a judge: `BASE_URL REPLAY_URL SUITE TRANSPORT [old-card]`."""

    def __init__(self):
        if len(sys.argv) != 5 and sys.argv[5:] != ["old-card"]:
            sys.exit(f"usage: {Path(sys.argv[0]).name} BASE_URL REPLAY_URL SUITE TRANSPORT [old-card]")
        self.url, self.replay, self.name, self.transport, *old_card = sys.argv[1:]
        # whether the client gets to see the interfaces of A2A 0.3 alone
        self.old_card = bool(old_card)
        cases = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
        case = cases[self.name]
        self.core = case.get("core", False)
        self.has_memory = case.get("memory", True)
        self.demo_checks = case.get("checks", [])
        self.recordings = case.get("recordings", {})
        self.app = self.name.split("/")[1]

    def core_checks(self, checks):
        """Which of the checks of an agent this one must pass."""
        return [(name, check) for name, check in checks if self.core and (self.has_memory or name != "second-turn")]

    def recording_checks(self, judge):
        return [(name, recording(judge, self, name, wanted)) for name, wanted in self.recordings.items()]

    async def turn(self, query):
        """What the stand-in for Dify was asked by `query`."""
        with await asyncio.to_thread(urllib.request.urlopen, f"{self.replay}/replay/turns", timeout=5) as reply:
            turns = json.load(reply)["turns"]
        turns = [turn for turn in turns if turn["query"] == query]
        expect_equal(f"the number of times that Dify was asked {query!r}", len(turns), 1)
        return turns[0]

    async def expect_stopped(self, query):
        for _ in range(30):
            turn = await self.turn(query)
            if turn["stopped_by"]:
                return expect_equal("the user of Dify's stop", turn["stopped_by"], [turn["user"]])
            await asyncio.sleep(0.1)
        raise Wrong("Dify was not asked to stop")


async def fetched(url):
    """The media type and the bytes of a file that an agent gave."""

    def fetch():
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.headers.get_content_type(), reply.read()

    return await asyncio.to_thread(fetch)


def recording(judge, suite, case, wanted):
    """The check of one recording: its text, its outputs, its files and its outcome, streamed and as they are kept."""
    files = [Part("raw", base64.b64decode(f["raw"]), f["name"], f["mediaType"]) for f in wanted.get("files", [])]
    text = wanted.get("text")
    # the recorded server's address is the stand-in's here
    text = text and text.replace("{dify}", suite.replay)

    async def check():
        told = await judge.ask(files or [Part("text", f"replay:{case}")])
        expect_equal("the answer", told.answer.text if told.answer.pieces else None, text)
        if text is not None and not wanted.get("replaced"):
            expect_equal("the joined deltas", told.answer.streamed, text)
        expect_equal("the state", told.state, "failed" if "fails" in wanted else "completed")
        if "fails" in wanted:
            expect(any(part.value for part in told.said if part.kind == "text"), "the failure has no text")
            expect_equal("the failure's code", told.code, wanted["fails"])
        names = {"answer"} if text is not None else set()
        if "reasoning" in wanted:
            names.add("reasoning")
            expect_equal("the reasoning", told.artifacts.get("reasoning"), [Part("text", wanted["reasoning"])])
        if "outputs" in wanted:
            names.add("outputs")
            expect_equal("the outputs", told.artifacts.get("outputs"), [Part("data", wanted["outputs"], "", JSON)])
        for file in files:
            names.add(file.name)
            parts = told.artifacts.get(file.name, [])
            expect_equal(f"the kinds of the parts of {file.name}", [part.kind for part in parts], ["url"])
            expect_equal("the file's name", parts[0].name, file.name)
            expect_equal("the file's type", parts[0].media_type, file.media_type)
            expect_equal("the file", await fetched(parts[0].value), (file.media_type, file.value))
        expect_equal("the names of the artifacts", set(told.artifacts), names)
        expect_equal("the stored task", await judge.look(told.task_id), told)
        if files:
            expect_equal("what the history says of the user", await judge.said_by_user(told.task_id), files)
        expect_equal("the stored answer", told.text, text)

    return check


def nonce():
    return uuid.uuid4().hex[:12]


async def run(checks):
    """Runs `(name, coroutine function)` pairs, one line each; the exit code tells whether all passed."""
    failed = 0
    for name, check in checks:
        try:
            outcome = await asyncio.wait_for(check(), PATIENCE)
            print(f"{outcome or 'PASS'} {name}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAIL {name}: {describe(error)}", flush=True)
            if not isinstance(error, Wrong):
                traceback.print_exc()
    sys.exit(1 if failed else 0)


def describe(error):
    if isinstance(error, Wrong):
        return str(error)
    if isinstance(error, asyncio.TimeoutError):
        return f"no end within {PATIENCE} s"
    return f"{type(error).__name__}: {error}".replace("\n", " ")
