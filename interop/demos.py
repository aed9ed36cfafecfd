"""What the two Python judges ask of the demo apps: a decision by a person, and a form with a file.

A judge gives itself as a module with `ask`, `look`, `follow`, `cancel` and `expect_refused`, which speak of tasks as
`judge.Shown`, and `said_by_user`.
"""

import asyncio

from judge import Part, expect, expect_equal, fetched, nonce

NOTES = b"Tea came to Europe in 1610.\n"
FILE = Part("raw", NOTES, "notes.txt", "text/plain")


def text(value):
    return Part("text", value)


def data(value):
    return Part("data", value)


def asked_of(shown):
    """What a task that waits for somebody asks: its text, and what it says to programs."""
    expect_equal("the state", shown.state, "input-required")
    expect_equal("the kinds of the parts that ask", [part.kind for part in shown.said], ["text", "data"])
    expect(shown.said[0].value, "the text that asks is empty")
    return shown.said[0].value, shown.said[1].value


class Approval:
    """The demo app that stops until somebody has decided."""

    def __init__(self, judge):
        self.judge = judge

    async def begin(self, streaming=True):
        """A request that waits; gives the task and what was said of it until then."""
        wish = f"Buy 3 laptops {nonce()}"
        shown = await self.judge.ask([text(wish)], streaming=streaming)
        self.expect_asked(shown, wish)
        return shown, f"I have passed on your request: {wish}. Somebody has to decide. "

    @staticmethod
    def expect_asked(shown, wish):
        question, form = asked_of(shown)
        expect(wish in question, f"the text does not say what is asked for: {question!r}")
        actions = [action["id"] for action in form["actions"]]
        expect_equal("the actions", actions, ["approve", "reject"])
        expect_equal("the form's fields", list(form["inputs"]["properties"]), ["comment"])
        answer = f"I have passed on your request: {wish}. Somebody has to decide. "
        expect_equal("the answer until then", shown.text, answer)

    async def ask_streaming(self):
        shown, answer = await self.begin()
        expect_equal("the joined deltas", shown.answer.streamed, answer)
        expect_equal("the task as it is kept", await self.judge.look(shown.task_id), shown)

    async def ask_blocking(self):
        shown, _ = await self.begin(streaming=False)
        expect_equal("the task as it is kept", await self.judge.look(shown.task_id), shown)

    async def approve(self):
        waiting, before = await self.begin()
        decision = data({"action": "approve", "inputs": {"comment": "fine"}})
        shown = await self.judge.ask([decision], waiting.task_id, waiting.context_id)
        rest = "Approved. Go ahead. Comment: fine"
        expect_equal("the task", (shown.task_id, shown.context_id), (waiting.task_id, waiting.context_id))
        expect_equal("the state", shown.state, "completed")
        expect_equal("what the first event has of the answer", shown.answer.pieces[0], before)
        expect_equal("the new text", "".join(shown.answer.pieces[1:]), rest)
        expect_equal("the answer", shown.answer.text, before + rest)
        expect_equal("the answer as it is kept", (await self.judge.look(shown.task_id)).text, before + rest)

    async def reject(self):
        waiting, before = await self.begin()
        # without a context: the task is enough
        shown = await self.judge.ask([text("Reject")], waiting.task_id, streaming=False)
        expect_equal("the state", shown.state, "completed")
        rest = "Rejected. Please do not spend it. Comment: no objections"
        expect_equal("the answer", shown.text, before + rest)

    async def wrong_action(self):
        waiting, before = await self.begin()
        wrong = [data({"action": "postpone"})]
        place = (waiting.task_id, waiting.context_id)
        await self.judge.expect_refused(self.judge.ask(wrong, *place, streaming=False))
        await self.judge.expect_refused(self.judge.ask(wrong, *place))
        expect_equal("the task after a wrong action", await self.judge.look(waiting.task_id), waiting)
        shown = await self.judge.ask([data({"action": "approve"})], *place)
        expect_equal("the state after the right one", shown.state, "completed")
        expect_equal("the answer", shown.text, f"{before}Approved. Go ahead. Comment: no objections")

    async def follow_waiting(self):
        waiting, before = await self.begin()
        begun = asyncio.Event()
        following = asyncio.create_task(self.judge.follow(waiting.task_id, begun))
        # awaited below; should it fail before it begins, this ends too
        await asyncio.wait([following, asyncio.create_task(begun.wait())], return_when=asyncio.FIRST_COMPLETED)
        decided = await self.judge.ask([text("Approve: good")], waiting.task_id, waiting.context_id, streaming=False)
        followed = await following
        rest = "Approved. Go ahead. Comment: good"
        expect_equal("what the follower's first event has of the answer", followed.answer.pieces[0], before)
        expect_equal("the follower's new text", "".join(followed.answer.pieces[1:]), rest)
        expect_equal("the task as the follower saw it", followed, decided)
        expect_equal("the state", followed.state, "completed")

    async def cancel_waiting(self):
        waiting, before = await self.begin()
        for shown in [await self.judge.cancel(waiting.task_id), await self.judge.look(waiting.task_id)]:
            expect_equal("the state", shown.state, "canceled")
            expect_equal("what is left of the answer", shown.text, before)

    def checks(self):
        return {
            "ask-streaming": self.ask_streaming,
            "ask-blocking": self.ask_blocking,
            "approve": self.approve,
            "reject": self.reject,
            "wrong-action": self.wrong_action,
            "follow-waiting": self.follow_waiting,
            "cancel-waiting": self.cancel_waiting,
        }


class Workflow:
    """The demo app that writes a report from a form."""

    def __init__(self, judge):
        self.judge = judge

    async def expect_report(self, shown, begins, words=None):
        """A whole result: the report in the text, in the outputs and as a file."""
        expect_equal("the state", shown.state, "completed")
        expect_equal("the artifacts", sorted(shown.artifacts), ["answer", "outputs", "report.md"])
        outputs = self.outputs_of(shown)
        report = outputs["report"]
        expect(report.startswith(begins), f"the report is {report!r}")
        expect(shown.text.startswith(report), "the text is not the report")
        count = len(report.split("\n\n", 1)[1].split())
        expect_equal("the words that the outputs count", outputs["words"], count)
        expect(words is None or count <= words, f"the report has {count} words")
        [file] = shown.artifacts["report.md"]
        expect_equal("the file", (file.kind, file.name, file.media_type), ("url", "report.md", "text/markdown"))
        expect_equal("the fetched file", await fetched(file.value), ("text/markdown", report.encode()))

    @staticmethod
    def outputs_of(shown):
        [outputs] = shown.artifacts["outputs"]
        expect_equal("the kind of the outputs", outputs.kind, "data")
        return outputs.value

    async def form_and_file(self):
        shown = await self.judge.ask([data({"topic": "tea", "words": 50}), FILE])
        begins = f"# Report: tea\n\nThis report gives an account of tea. It rests on notes.txt ({len(NOTES)} bytes)."
        expect(len(shown.answer.pieces) > 1, "the text came in one piece")
        await self.expect_report(shown, begins, 50)
        expect_equal("the task as it is kept", await self.judge.look(shown.task_id), shown)
        form, *files = await self.judge.said_by_user(shown.task_id)
        expect_equal("the form in the history", (form.kind, form.value), ("data", {"topic": "tea", "words": 50}))
        expect_equal("the files in the history", files, [FILE])

    async def text_only(self):
        shown = await self.judge.ask([text("The history of tea")], streaming=False)
        await self.expect_report(shown, "# Report: The history of tea\n\n")
        expect_equal("the keywords", self.outputs_of(shown)["keywords"], ["the", "history", "tea"])

    async def missing_input(self):
        waiting = await self.judge.ask([data({"tone": "casual"})])
        question, wanted = asked_of(waiting)
        expect("topic" in question, f"the text does not name what is missing: {question!r}")
        expect_equal("what is missing", wanted["inputs"]["required"], ["topic"])
        shown = await self.judge.ask([data({"topic": "tea"})], waiting.task_id, waiting.context_id)
        expect_equal("the task", shown.task_id, waiting.task_id)
        # the tone was given before
        await self.expect_report(shown, "# Report: tea\n\nSo, tea: here is the short of it.")

    async def wrong_input(self):
        wrong = [data({"topic": "tea", "tone": "rude"})]
        await self.judge.expect_refused(self.judge.ask(wrong, streaming=False))
        await self.judge.expect_refused(self.judge.ask(wrong))

    async def json_only(self):
        for streaming in [True, False]:
            form = [data({"topic": "tea", "words": 50})]
            shown = await self.judge.ask(form, streaming=streaming, accepted=["application/json"])
            expect_equal("the state", shown.state, "completed")
            expect_equal("the artifacts", list(shown.artifacts), ["outputs"])
            report = self.outputs_of(shown)["report"]
            expect(report.startswith("# Report: tea\n\n"), f"the report is {report!r}")

    def checks(self):
        return {
            "form-and-file": self.form_and_file,
            "text-only": self.text_only,
            "missing-input": self.missing_input,
            "wrong-input": self.wrong_input,
            "json-only": self.json_only,
        }


def checks(judge, names):
    """The checks of these names, of either app."""
    known = {**Approval(judge).checks(), **Workflow(judge).checks()}
    return [(name, known[name]) for name in names]
