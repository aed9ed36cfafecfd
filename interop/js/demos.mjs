// What the judge asks of the demo apps: a decision by a person, and a form with a file.

import { expect, expectEqual, fetched, nonce } from "../common.mjs";

export const NOTES = Buffer.from("Tea came to Europe in 1610.\n");

const text = (value) => ({ kind: "text", value });
const data = (value) => ({ kind: "data", value });

/**
 * The checks of both apps, by name. The judge gives `ask`, `look`, `followTask`, `cancel` and `expectRefused`, which
 * speak of tasks as `shown` does, `saidByUser`, and `nameOf`, which says what becomes of a file's name.
 */
export function demos({ ask, look, saidByUser, nameOf, followTask, cancel, expectRefused }) {
  /** What a task that waits for somebody asks: its text, and what it says to programs. */
  function askedOf(shown) {
    expectEqual("the state", shown.state, "input-required");
    expectEqual("the kinds of the parts that ask", shown.said.map(({ kind }) => kind), ["text", "data"]);
    const [question, form] = shown.said.map(({ value }) => value);
    return { question, form };
  }

  /** A request that waits; gives the task and what was said of it until then. */
  async function begin({ streaming = true } = {}) {
    const wish = `Buy 3 laptops ${nonce()}`;
    const waiting = await ask([text(wish)], { streaming });
    const { question, form } = askedOf(waiting);
    expect(question.includes(wish), `the text does not say what is asked for: ${question}`);
    expectEqual("the actions", form.actions.map(({ id }) => id), ["approve", "reject"]);
    expectEqual("the form's fields", Object.keys(form.inputs.properties), ["comment"]);
    const before = `I have passed on your request: ${wish}. Somebody has to decide. `;
    expectEqual("the answer until then", waiting.text, before);
    const { taskId, contextId } = waiting;
    return { waiting, before, place: { taskId, contextId } };
  }

  const bare = ({ answer, ...task }) => task;

  async function expectKept(shown) {
    expectEqual("the task as it is kept", bare(await look(shown.taskId)), bare(shown));
  }

  /** A whole result: the report in the text, in the outputs and as a file. */
  async function expectReport(shown, begins, words = Infinity) {
    expectEqual("the state", shown.state, "completed");
    expectEqual("the artifacts", Object.keys(shown.artifacts).sort(), ["answer", "outputs", "report.md"]);
    const outputs = outputsOf(shown);
    const { report } = outputs;
    expect(report.startsWith(begins), `the report is ${report}`);
    expect(shown.text.startsWith(report), "the text is not the report");
    const count = report.slice(report.indexOf("\n\n")).trim().split(/\s+/).length;
    expectEqual("the words that the outputs count", outputs.words, count);
    expect(count <= words, `the report has ${count} words`);
    const [{ kind, name, mediaType, value }] = shown.artifacts["report.md"];
    expectEqual("the file", [kind, name, mediaType], ["url", nameOf("report.md"), "text/markdown"]);
    const file = await fetched(value);
    expectEqual("the fetched file's type", file.mediaType, "text/markdown");
    expectEqual("the fetched file", file.bytes.toString(), report);
  }

  function outputsOf(shown) {
    const [outputs] = shown.artifacts.outputs;
    expectEqual("the kind of the outputs", outputs.kind, "data");
    return outputs.value;
  }

  return {
    async "ask-streaming"() {
      const { waiting, before } = await begin();
      expectEqual("the joined deltas", waiting.answer.streamed, before);
      await expectKept(waiting);
    },

    async "ask-blocking"() {
      const { waiting } = await begin({ streaming: false });
      await expectKept(waiting);
    },

    async approve() {
      const { before, place } = await begin();
      const shown = await ask([data({ action: "approve", inputs: { comment: "fine" } })], { place });
      const rest = "Approved. Go ahead. Comment: fine";
      expectEqual("the task", { taskId: shown.taskId, contextId: shown.contextId }, place);
      expectEqual("the state", shown.state, "completed");
      expectEqual("what the first event has of the answer", shown.answer.pieces[0], before);
      expectEqual("the new text", shown.answer.pieces.slice(1).join(""), rest);
      expectEqual("the answer", shown.answer.text, before + rest);
      expectEqual("the answer as it is kept", (await look(shown.taskId)).text, before + rest);
    },

    async reject() {
      const { before, place } = await begin();
      // without a context: the task is enough
      const shown = await ask([text("Reject")], { place: { taskId: place.taskId }, streaming: false });
      expectEqual("the state", shown.state, "completed");
      const rest = "Rejected. Please do not spend it. Comment: no objections";
      expectEqual("the answer", shown.text, before + rest);
    },

    async "wrong-action"() {
      const { waiting, before, place } = await begin();
      const wrong = [data({ action: "postpone" })];
      await expectRefused(ask(wrong, { place, streaming: false }));
      await expectRefused(ask(wrong, { place }));
      await expectKept(waiting);
      const shown = await ask([data({ action: "approve" })], { place });
      expectEqual("the state after the right one", shown.state, "completed");
      expectEqual("the answer", shown.text, `${before}Approved. Go ahead. Comment: no objections`);
    },

    async "follow-waiting"() {
      const { before, place } = await begin();
      let following;
      await new Promise((resolve) => {
        following = followTask(place.taskId, resolve);
        following.catch(resolve); // awaited below
      });
      const decided = await ask([text("Approve: good")], { place, streaming: false });
      const followed = await following;
      const rest = "Approved. Go ahead. Comment: good";
      expectEqual("what the follower's first event has of the answer", followed.answer.pieces[0], before);
      expectEqual("the follower's new text", followed.answer.pieces.slice(1).join(""), rest);
      expectEqual("the task as the follower saw it", bare(followed), bare(decided));
      expectEqual("the state", followed.state, "completed");
    },

    async "cancel-waiting"() {
      const { before, place } = await begin();
      for (const shown of [await cancel(place.taskId), await look(place.taskId)]) {
        expectEqual("the state", shown.state, "canceled");
        expectEqual("what is left of the answer", shown.text, before);
      }
    },

    async "form-and-file"() {
      const file = { kind: "raw", value: NOTES, name: "notes.txt", mediaType: "text/plain" };
      const shown = await ask([data({ topic: "tea", words: 50 }), file]);
      const account = "# Report: tea\n\nThis report gives an account of tea.";
      const name = nameOf("notes.txt");
      expect(shown.answer.pieces.length > 1, "the text came in one piece");
      await expectReport(shown, `${account} It rests on ${name || "file.txt"} (${NOTES.length} bytes).`, 50);
      await expectKept(shown);
      const [form, ...files] = await saidByUser(shown.taskId);
      expectEqual("the form in the history", [form.kind, form.value], ["data", { topic: "tea", words: 50 }]);
      expectEqual("the files in the history", files, [{ ...file, name }]);
    },

    async "text-only"() {
      const shown = await ask([text("The history of tea")], { streaming: false });
      await expectReport(shown, "# Report: The history of tea\n\n");
      expectEqual("the keywords", outputsOf(shown).keywords, ["the", "history", "tea"]);
    },

    async "missing-input"() {
      const waiting = await ask([data({ tone: "casual" })]);
      const { question, form } = askedOf(waiting);
      expect(question.includes("topic"), `the text does not name what is missing: ${question}`);
      expectEqual("what is missing", form.inputs.required, ["topic"]);
      const { taskId, contextId } = waiting;
      const shown = await ask([data({ topic: "tea" })], { place: { taskId, contextId } });
      expectEqual("the task", shown.taskId, taskId);
      // the tone was given before
      await expectReport(shown, "# Report: tea\n\nSo, tea: here is the short of it.");
    },

    async "wrong-input"() {
      const wrong = [data({ topic: "tea", tone: "rude" })];
      await expectRefused(ask(wrong, { streaming: false }));
      await expectRefused(ask(wrong));
    },

    async "json-only"() {
      for (const streaming of [true, false]) {
        const form = [data({ topic: "tea", words: 50 })];
        const shown = await ask(form, { streaming, accepted: ["application/json"] });
        expectEqual("the state", shown.state, "completed");
        expectEqual("the artifacts", Object.keys(shown.artifacts), ["outputs"]);
        expect(outputsOf(shown).report.startsWith("# Report: tea\n\n"), "the report is another one");
      }
    },
  };
}
