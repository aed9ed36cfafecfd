"""What the two Python judges have in common. Standard library only: each runs in a venv of its own."""

import asyncio
import json
import sys
import traceback
import urllib.request
import uuid
from pathlib import Path

# A judge never waits longer for one check. The SDKs keep their own, shorter time-outs.
PATIENCE = 40


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


class Suite:
    """The arguments of a judge: `BASE_URL REPLAY_URL SUITE`."""

    def __init__(self):
        if len(sys.argv) != 4:
            sys.exit(f"usage: {Path(sys.argv[0]).name} BASE_URL REPLAY_URL SUITE")
        self.url, self.replay, self.name = sys.argv[1:]
        cases = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
        self.core = cases[self.name].get("core", False)
        self.recordings = cases[self.name]["recordings"]
        self.app = self.name.split("/")[1]

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


def nonce():
    return uuid.uuid4().hex[:12]


async def run(checks):
    """Runs `(name, coroutine function)` pairs, one line each; the exit code tells whether all passed."""
    failed = 0
    for name, check in checks:
        try:
            await asyncio.wait_for(check(), PATIENCE)
            print(f"PASS {name}", flush=True)
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
