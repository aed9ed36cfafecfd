// Judges the gateway with the last JavaScript client of A2A 0.3, used as its users do: one check for each column of the
// table. Over HTTP+JSON and gRPC this client knows neither whether an update appends nor how a file is called.

import { randomUUID } from "node:crypto";

import {
  ClientFactory,
  JsonRpcTransportFactory,
  PushNotificationNotSupportedError,
  RestTransportFactory,
} from "@a2a-js/sdk/client";
import { GrpcTransportFactory } from "@a2a-js/sdk/client/grpc";

import { REFUSED, expect, expectEqual, expectError, expectStopped, fetched, nonce, run } from "../common.mjs";

if (process.argv.length !== 7) {
  console.error("usage: node judge.mjs REPLAY_URL TRANSPORT CHAT_URL APPROVAL_URL WORKFLOW_URL");
  process.exit(2);
}
const [replayUrl, transport, chat, approval, workflow] = process.argv.slice(2);

const TRANSPORTS = {
  JSONRPC: JsonRpcTransportFactory,
  "HTTP+JSON": RestTransportFactory,
  GRPC: GrpcTransportFactory,
};
const FINAL = new Set(["completed", "failed", "canceled", "rejected"]);
const NOTES = Buffer.from("Tea came to Europe in 1610.\n");

/** A client that knows one transport only. */
function client(url) {
  return new ClientFactory({ transports: [new TRANSPORTS[transport]()] }).createFromUrl(url);
}

const text = (text) => ({ kind: "text", text });
const data = (data) => ({ kind: "data", data });

function params(parts, place = {}) {
  return { message: { kind: "message", messageId: randomUUID(), role: "user", parts, ...place } };
}

/** One blocking send. */
async function send(url, parts, place) {
  const task = await (await client(url)).sendMessage(params(parts, place));
  expectEqual("the kind of the answer", task.kind, "task");
  return task;
}

const textOf = (parts) => parts.map((part) => part.text ?? "").join("");
const artifactOf = (task, name) => task.artifacts?.find((artifact) => artifact.name === name);
const answerOf = (task) => textOf(artifactOf(task, "answer")?.parts ?? []);

/** Reads a stream: the pieces of the answer, and what its last chunk has. */
async function read(events, onUpdate) {
  const told = { task: undefined, state: undefined, pieces: [], closing: undefined, others: {} };
  for await (const event of events) {
    expect(!FINAL.has(told.state), `a ${event.kind} came after the end`);
    if (told.task === undefined) {
      expectEqual("the first event", event.kind, "task");
      told.task = event;
      told.state = event.status.state;
      const snapshot = answerOf(event);
      if (snapshot) told.pieces.push(snapshot);
    } else if (event.kind === "status-update") {
      told.state = event.status.state;
      told.said = event.status.message?.parts;
      expectEqual("whether it is the final one", event.final, FINAL.has(told.state) || told.state === "input-required");
    } else if (event.artifact.name !== "answer") {
      told.others[event.artifact.name] = event.artifact.parts;
    } else if (event.lastChunk) {
      told.closing = textOf(event.artifact.parts);
    } else {
      told.pieces.push(textOf(event.artifact.parts));
    }
    await onUpdate?.(told);
  }
  expect(told.task, "the stream was empty");
  return told;
}

async function stream(url, parts, place, onUpdate) {
  return read((await client(url)).sendMessageStream(params(parts, place)), onUpdate);
}

/** A stream must have told a whole answer, in more than one piece. */
function expectTold(told, answer) {
  expect(told.pieces.length > 1, "the answer came in one piece");
  expectEqual("the state", told.state, "completed");
  const deltas = told.pieces.join("");
  expect(told.closing !== undefined, "there was no last chunk");
  // the last chunk is the whole answer, or with ANSWER_CLOSE=delta the last delta
  expectEqual("the joined deltas", told.closing === answer ? deltas : deltas + told.closing, answer);
}

const checks = {
  async card() {
    const card = await (await client(chat)).getAgentCard();
    expectEqual("the card's name", card.name, "chat_basic");
    expect(card.protocolVersion.startsWith("0.3"), `the version is ${card.protocolVersion}`);
    expectEqual("the preferred transport", card.preferredTransport, "JSONRPC");
    expect(card.capabilities.streaming, "the card does not say that the agent streams");
    expect(card.skills.length > 0, "the card has no skill");
  },

  async send() {
    const said = `hello ${nonce()} from a blocking client`;
    const task = await send(chat, [text(said)]);
    expectEqual("the state", task.status.state, "completed");
    expectEqual("the answer", answerOf(task), `You said: ${said}`);
    const kept = await (await client(chat)).getTask({ id: task.id });
    expectEqual("the state as it is kept", kept.status.state, "completed");
    expectEqual("the answer as it is kept", answerOf(kept), `You said: ${said}`);
    const users = kept.history.filter(({ role }) => role === "user").map(({ parts }) => textOf(parts));
    expectEqual("what the history says of the user", users, [said]);
  },

  async stream() {
    const said = `hello ${nonce()} from a streaming client`;
    expectTold(await stream(chat, [text(said)]), `You said: ${said}`);
  },

  async "multi-turn"() {
    const name = nonce();
    const { contextId } = await send(chat, [text(`My name is ${name}.`)]);
    const second = await stream(chat, [text("What is my name?")], { contextId });
    expectEqual("the context", second.task.contextId, contextId);
    expectTold(second, `Your name is ${name}.`);
    const stranger = await send(chat, [text("What is my name?")]);
    expectEqual("the answer in another context", answerOf(stranger), "I do not know your name.");
  },

  async files() {
    const file = { bytes: NOTES.toString("base64"), mimeType: "text/plain", name: "notes.txt" };
    const told = await stream(workflow, [data({ topic: "tea", words: 50 }), { kind: "file", file }]);
    expectEqual("the state", told.state, "completed");
    const [outputs] = told.others.outputs ?? [];
    const { report } = outputs?.data ?? {};
    const sent = transport === "JSONRPC" ? "notes.txt" : "file.txt";
    expect(report?.includes(`It rests on ${sent} (${NOTES.length} bytes).`), `the report is ${report}`);
    const [part, ...more] = told.others["report.md"] ?? [];
    expectEqual("the file's parts", [part?.kind, part?.file.mimeType, more], ["file", "text/markdown", []]);
    if (transport === "JSONRPC") expectEqual("the file's name", part.file.name, "report.md");
    const kept = await (await client(workflow)).getTask({ id: told.task.id });
    const [form, back] = kept.history.find(({ role }) => role === "user").parts;
    expectEqual("the form in the history", form.data, { topic: "tea", words: 50 });
    expectEqual("the file in the history", [back.file.bytes, back.file.mimeType], [file.bytes, "text/plain"]);
    const got = await fetched(part.file.uri);
    expectEqual("the fetched file", [got.mediaType, got.bytes.toString()], ["text/markdown", report]);
  },

  async "input-required"() {
    const wish = `Buy 3 laptops ${nonce()}`;
    const waiting = await stream(approval, [text(wish)]);
    const before = `I have passed on your request: ${wish}. Somebody has to decide. `;
    expectEqual("the state", waiting.state, "input-required");
    expectEqual("the answer until then", waiting.pieces.join(""), before);
    const [question, form] = waiting.said ?? [];
    expect(question?.text?.includes(wish), `the text does not say what is asked for: ${question?.text}`);
    expectEqual("the actions", form?.data?.actions?.map(({ id }) => id), ["approve", "reject"]);
    const { id: taskId, contextId } = waiting.task;
    const decision = data({ action: "approve", inputs: { comment: "fine" } });
    const decided = await send(approval, [decision], { taskId, contextId });
    expectEqual("the task", [decided.id, decided.contextId], [taskId, contextId]);
    expectEqual("the state after the decision", decided.status.state, "completed");
    expectEqual("the answer", answerOf(decided), `${before}Approved. Go ahead. Comment: fine`);
  },

  async cancel() {
    const said = `hold ${nonce()} and never come to an end`;
    let canceled;
    const told = await stream(chat, [text(said)], {}, async ({ task, pieces }) => {
      if (canceled === undefined && pieces.at(-1)?.endsWith("end")) {
        canceled = await (await client(chat)).cancelTask({ id: task.id });
      }
    });
    expectEqual("the state that cancel gives", canceled?.status.state, "canceled");
    expectEqual("what is left of the answer", answerOf(canceled), said.replace("hold ", ""));
    expectEqual("the stream's state", told.state, "canceled");
    await expectStopped(replayUrl, said);
  },

  async resubscribe() {
    const said = `drip 150 ${nonce()} one two three four five six seven eight nine ten`;
    const whole = said.replace("drip 150 ", "");
    let following;
    // made before: the turn does not wait for it
    const other = await client(chat);
    const first = await stream(chat, [text(said)], {}, async ({ task, pieces }) => {
      if (following === undefined && pieces.length >= 3) {
        following = read(other.resubscribeTask({ id: task.id }));
        following.catch(() => {}); // awaited below
      }
    });
    expect(following, "the stream never had three deltas");
    const second = await following;
    expectTold(first, whole);
    expectTold(second, whole);
    expectEqual("the second client's task", second.task.id, first.task.id);
    const snapshot = answerOf(second.task);
    expect(snapshot && whole.startsWith(snapshot) && snapshot !== whole, `the snapshot holds ${snapshot}`);
  },

  async push() {
    const { id } = await send(chat, [text(`notify ${nonce()}`)]);
    const config = { taskId: id, pushNotificationConfig: { id: "hook", url: "http://127.0.0.1:9/" } };
    const agent = await client(chat);
    // the client sees from the card that there are none, and does not ask
    const asking = (async () => agent.setTaskPushNotificationConfig(config))();
    await expectError(PushNotificationNotSupportedError, asking);
    await expectError(PushNotificationNotSupportedError, agent.transport.setTaskPushNotificationConfig(config));
    return REFUSED;
  },
};

await run(Object.entries(checks));
