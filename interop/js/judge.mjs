// Judges the gateway with the official JavaScript client of A2A 1.0, used as its users do. With the word old-card after
// its other arguments, the client has to make do with the interfaces of A2A 0.3.

// covers: O15

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import { Role, TaskState } from "@a2a-js/sdk";
import { AgentCardResolver, ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client";
import { GrpcTransportFactory } from "@a2a-js/sdk/client/grpc";
import { RequestMalformedError } from "@a2a-js/sdk/errors";

import { Answer, expect, expectEqual, expectError, fetched, run } from "../common.mjs";
import { core } from "./core.mjs";
import { demos } from "./demos.mjs";

const [baseUrl, replayUrl, suiteName, transport, ...more] = process.argv.slice(2);
if (transport === undefined || (more.length > 0 && more.join() !== "old-card")) {
  console.error("usage: node judge.mjs BASE_URL REPLAY_URL SUITE TRANSPORT [old-card]");
  process.exit(2);
}
// whether the client gets to see the interfaces of A2A 0.3 alone, and their version
const hasOldCard = more.length > 0;
const version = hasOldCard ? "0.3" : "1.0";
// like that of A2A 0.3, it knows neither whether an update appends nor how a file is called then
const isForgetful = hasOldCard && transport !== "JSONRPC";
const suite = JSON.parse(readFileSync(new URL("../cases.json", import.meta.url), "utf8"))[suiteName];
const app = suiteName.split("/")[1];

const TRANSPORTS = {
  JSONRPC: JsonRpcTransportFactory,
  "HTTP+JSON": RestTransportFactory,
  GRPC: GrpcTransportFactory,
};

function expectState(status, wanted) {
  expectEqual("the state", TaskState[status.state], TaskState[wanted]);
}

const FINAL = new Set([
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
]);

/** The card, cut down to the interfaces of A2A 0.3 if that is what this is about. */
async function fetchedCard() {
  const card = await AgentCardResolver.default.resolve(baseUrl);
  if (hasOldCard) {
    card.supportedInterfaces = card.supportedInterfaces.filter(({ protocolVersion }) => protocolVersion.startsWith("0.3"));
  }
  return card;
}

/** A client that knows one transport only. */
async function client(clientConfig) {
  const transports = [new TRANSPORTS[transport]({ legacyCompat: { enabled: hasOldCard } })];
  const factory = new ClientFactory({ transports, clientConfig });
  return hasOldCard ? factory.createFromAgentCard(await fetchedCard()) : factory.createFromUrl(baseUrl);
}

/** A message that says a text, or these parts. */
function message(said, { contextId = "", taskId = "" } = {}) {
  const parts = typeof said === "string" ? [{ kind: "text", value: said, mediaType: "text/plain" }] : said;
  return {
    // over gRPC a tenant that is not there would be the one named "undefined"
    tenant: "",
    message: {
      messageId: randomUUID(),
      contextId,
      taskId,
      role: Role.ROLE_USER,
      parts: parts.map(({ kind, value, name = "", mediaType = "" }) => ({
        content: { $case: kind, value },
        metadata: undefined,
        filename: name,
        mediaType,
      })),
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    },
  };
}

function textOf(parts) {
  return parts.map((part) => (part.content?.$case === "text" ? part.content.value : "")).join("");
}

/** Parts as the checks speak of them. */
function partsOf(parts) {
  return parts.map(({ content, filename, mediaType }) => ({
    kind: content?.$case,
    value: content?.value,
    name: filename,
    // A2A 0.3 has no media type for data; what is data is JSON
    mediaType: hasOldCard && content?.$case === "data" ? "application/json" : mediaType,
  }));
}

/** What becomes of a file's name on its way. */
const nameOf = (name) => (isForgetful ? "" : name);

/** Whether an update of the answer appends; from what is told, if the client does not say. */
function appends({ append, lastChunk }, text, pieces) {
  if (!isForgetful) return append;
  return pieces.length > 0 && !(lastChunk && text.startsWith(pieces[0]));
}

/** An artifact's parts; if all of them are text, as one. */
function joined(parts) {
  if (parts.some(({ kind }) => kind !== "text")) return parts;
  return [{ kind: "text", value: parts.map(({ value }) => value).join(""), name: "", mediaType: "" }];
}

function answerOf(task) {
  const answers = task.artifacts.filter((artifact) => artifact.name === "answer");
  expectEqual("the number of artifacts named answer", answers.length, 1);
  expectEqual("the number of the answer's parts", answers[0].parts.length, 1);
  return textOf(answers[0].parts);
}

/** One blocking send. */
async function send(said, place, clientConfig) {
  const result = await (await client(clientConfig)).sendMessage(message(said, place));
  expect("status" in result, "the answer is not a task");
  return result;
}

/** What a stream told. */
async function follow(events, onUpdate) {
  const told = { taskId: "", contextId: "", status: undefined, snapshot: undefined, answer: new Answer(), others: {} };
  for await (const { payload } of events) {
    expect(!FINAL.has(told.status?.state), `a ${payload?.$case} came after the end`);
    if (told.status === undefined) {
      expectEqual("the first event", payload?.$case, "task");
      told.taskId = payload.value.id;
      told.contextId = payload.value.contextId;
      told.status = payload.value.status;
      const { answer, ...others } = artifactsOf(payload.value);
      told.others = others;
      if (answer !== undefined) {
        told.snapshot = answerOf(payload.value);
        told.answer.pieces = [told.snapshot];
      }
    } else if (payload?.$case === "statusUpdate") {
      told.status = payload.value.status;
    } else if (payload?.$case === "artifactUpdate" && payload.value.artifact.name === "answer") {
      const { artifact, lastChunk } = payload.value;
      const text = textOf(artifact.parts);
      told.answer.update(text, appends(payload.value, text, told.answer.pieces), lastChunk);
    } else if (payload?.$case === "artifactUpdate") {
      const { append, artifact } = payload.value;
      expect(!append || artifact.name in told.others, `the first update of ${artifact.name} says append`);
      const before = append ? told.others[artifact.name] : [];
      told.others[artifact.name] = joined([...before, ...partsOf(artifact.parts)]);
    }
    await onUpdate?.(told);
  }
  expect(told.status !== undefined, "the stream was empty");
  return told;
}

async function stream(said, { place, onUpdate, clientConfig } = {}) {
  return follow((await client(clientConfig)).sendMessageStream(message(said, place)), onUpdate);
}

/** The parts of each artifact, by its name. */
function artifactsOf(task) {
  return Object.fromEntries(task.artifacts.map(({ name, parts }) => [name, partsOf(parts)]));
}

/** A task as the checks of forms, files and recordings speak of it. */
function shown(taskId, contextId, status, artifacts, answer) {
  return {
    taskId,
    contextId,
    state: TaskState[status.state].replace("TASK_STATE_", "").toLowerCase().replace("_", "-"),
    said: partsOf(status.message?.parts ?? []),
    code: status.message?.metadata?.code,
    artifacts,
    text: artifacts.answer?.map(({ value }) => value).join(""),
    answer,
  };
}

const shownTask = (task) => shown(task.id, task.contextId, task.status, artifactsOf(task));

/** Sends parts, to a task if one is named. */
async function ask(parts, { place, streaming = true, accepted } = {}) {
  const clientConfig = accepted && { acceptedOutputModes: accepted };
  if (!streaming) return shownTask(await send(parts, place, clientConfig));
  return shownTold(await stream(parts, { place, clientConfig }));
}

/** The task as a stream told it. */
function shownTold({ taskId, contextId, status, answer, others }) {
  const whole = { kind: "text", value: answer.text, name: "", mediaType: "" };
  const artifacts = answer.pieces.length > 0 ? { answer: [whole], ...others } : others;
  return shown(taskId, contextId, status, artifacts, answer);
}

/** Follows a task to its end, as a second client; `onBegin` is called with the first event. */
async function followTask(id, onBegin) {
  const agent = await client();
  return shownTold(await follow(agent.resubscribeTask({ id, tenant: "" }), onBegin));
}

async function look(id) {
  return shownTask(await (await client()).getTask({ id, tenant: "" }));
}

async function cancel(id) {
  return shownTask(await (await client()).cancelTask({ id, tenant: "", metadata: undefined }));
}

/** The parts of what the user said, as the task's history has them. */
async function saidByUser(id) {
  const { history } = await (await client()).getTask({ id, tenant: "" });
  return history.filter(({ role }) => role === Role.ROLE_USER).flatMap(({ parts }) => partsOf(parts));
}

/** The message must be refused for what it says. */
const expectRefused = (call) => expectError(RequestMalformedError, call);

/** A recording: its text, its outputs, its files and its outcome, streamed and as they are kept. */
function recording(name, wanted) {
  return async () => {
    const raw = (file) => ({ kind: "raw", ...file, value: Buffer.from(file.raw, "base64") });
    const files = (wanted.files ?? []).map(raw);
    // the recorded server's address is the stand-in's here
    const text = wanted.text?.replaceAll("{dify}", replayUrl);
    const told = await ask(files.length > 0 ? files : [{ kind: "text", value: `replay:${name}` }]);
    expectEqual("the answer", told.text, text);
    if (text !== undefined && !wanted.replaced) expectEqual("the joined deltas", told.answer.streamed, text);
    expectEqual("the state", told.state, wanted.fails ? "failed" : "completed");
    if (wanted.fails) {
      expect(told.said.some(({ kind, value }) => kind === "text" && value), "the failure has no text");
      expectEqual("the failure's code", told.code, wanted.fails);
    }
    const { answer, ...task } = told;
    const { answer: none, ...stored } = await look(told.taskId);
    expectEqual("the stored task", stored, task);
    if (files.length > 0) {
      const sent = files.map(({ kind, name, mediaType, value }) => ({ kind, value, name, mediaType }));
      expectEqual("what the history says of the user", await saidByUser(told.taskId), sent);
    }

    const names = text === undefined ? [] : ["answer"];
    const whole = {
      reasoning: { kind: "text", mediaType: "" },
      outputs: { kind: "data", mediaType: "application/json" },
    };
    for (const [id, part] of Object.entries(whole)) {
      if (!(id in wanted)) continue;
      names.push(id);
      expectEqual(`the artifact ${id}`, told.artifacts[id], [{ ...part, value: wanted[id], name: "" }]);
    }
    for (const { name, mediaType, value } of files) {
      names.push(name);
      const [part, ...more] = told.artifacts[name] ?? [];
      expectEqual("the file", [part?.kind, part?.name, part?.mediaType, more], ["url", name, mediaType, []]);
      expectEqual("the fetched file", await fetched(part.value), { mediaType, bytes: value });
    }
    expectEqual("the names of the artifacts", Object.keys(told.artifacts).sort(), names.sort());
  };
}

const asked = { client, message, send, stream, follow, ask, look, saidByUser, nameOf, followTask, cancel, expectRefused };
const judge = { app, version, fetchedCard, replayUrl, transport, FINAL, answerOf, textOf, expectState, ...asked };
// an agent without a memory cannot have a second turn, and A2A 0.3 has no lists over JSON-RPC
const lacks = [...((suite.memory ?? true) ? [] : ["second-turn"]), ...(hasOldCard ? ["list"] : [])];
const agent = Object.entries(core(judge)).filter(([name]) => !lacks.includes(name));
const known = demos(judge);
const checks = [
  ...(suite.core ? agent : []),
  ...(suite.checks ?? []).map((name) => [name, known[name]]),
  ...Object.entries(suite.recordings ?? {}).map(([name, wanted]) => [name, recording(name, wanted)]),
];
await run(checks);
