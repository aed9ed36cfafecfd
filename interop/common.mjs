// What the JavaScript judges have in common. No packages: each has node_modules of its own.

import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

// A judge never waits longer for one check.
const PATIENCE_MS = 40_000;

// What a check gives that came to neither pass nor failure: the gateway refused in the right way what it does not
// offer, or the client has no way to ask.
export const REFUSED = "REFUSED";
export const LACKS = "LACKS";

/** The gateway did not do what it should have. */
export class Wrong extends Error {}

export function expect(condition, reason) {
  if (!condition) throw new Wrong(reason);
}

export function expectEqual(what, got, wanted) {
  expect(isDeepStrictEqual(got, wanted), `${what} is ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}

export async function expectError(kind, call) {
  try {
    await call;
  } catch (error) {
    // at interfaces of A2A 0.3, the errors of streams are the causes of others
    if (error instanceof kind || error.cause instanceof kind) return;
    throw new Wrong(`the error is ${error} instead of a ${kind.name}`);
  }
  throw new Wrong(`the answer is no ${kind.name}`);
}

export const nonce = () => randomUUID().replaceAll("-", "").slice(0, 12);
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function drained(events) {
  for await (const _ of events);
}

/** The text of the artifact `answer`, put together from a stream's updates as A2A says. */
export class Answer {
  pieces = [];
  closing;

  update(text, append, lastChunk) {
    expect(this.closing === undefined, "an update of the answer came after its last chunk");
    if (append) {
      expect(this.pieces.length > 0, "the first update of the answer says append");
      this.pieces.push(text);
    } else if (lastChunk && this.pieces.length > 0) {
      this.closing = text;
    } else {
      this.pieces = [text];
    }
  }

  /** The deltas, joined. */
  get streamed() {
    return this.pieces.join("");
  }

  get text() {
    return this.closing ?? this.streamed;
  }
}

/** A file that the agent gave. */
export async function fetched(url) {
  const reply = await fetch(url);
  expect(reply.ok, `the file's address answers with ${reply.status}`);
  const [mediaType] = (reply.headers.get("content-type") ?? "").split(";");
  return { mediaType, bytes: Buffer.from(await reply.arrayBuffer()) };
}

/** What the stand-in for Dify was asked by `query`. */
async function turn(replayUrl, query) {
  const { turns } = await (await fetch(`${replayUrl}/replay/turns`)).json();
  const found = turns.filter((turn) => turn.query === query);
  expectEqual(`the number of times that Dify was asked "${query}"`, found.length, 1);
  return found[0];
}

/** Waits until the stand-in for Dify was told to stop, by the user who asked `query`. */
export async function expectStopped(replayUrl, query) {
  for (let i = 0; i < 30; i++) {
    const { user, stopped_by } = await turn(replayUrl, query);
    if (stopped_by.length > 0) return expectEqual("the user of Dify's stop", stopped_by, [user]);
    await sleep(100);
  }
  throw new Wrong("Dify was not asked to stop");
}

async function passes(name, check) {
  let timer;
  const patience = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Wrong(`no end within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
  });
  try {
    const outcome = await Promise.race([check(), patience]);
    console.log(`${outcome ?? "PASS"} ${name}`);
    return true;
  } catch (error) {
    const reason = error instanceof Wrong ? error.message : String(error);
    console.log(`FAIL ${name}: ${reason.replaceAll("\n", " ")}`);
    if (!(error instanceof Wrong)) console.error(error);
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs checks, one line each; the exit code tells whether all passed. */
export async function run(checks) {
  let failed = 0;
  for (const [name, check] of checks) {
    if (!(await passes(name, check))) failed++;
  }
  process.exit(failed === 0 ? 0 : 1);
}
