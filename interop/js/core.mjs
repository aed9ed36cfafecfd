// What every agent must do.

import { Role, TaskState } from "@a2a-js/sdk";
import {
  PushNotificationNotSupportedError,
  TaskNotCancelableError,
  TaskNotFoundError,
  UnsupportedOperationError,
} from "@a2a-js/sdk/errors";

import { REFUSED, drained, expect, expectEqual, expectError, expectStopped, nonce, sleep } from "../common.mjs";

/** A call that may throw at once, or later. */
const asking = async (call) => call();

/** The checks, by name. The judge gives what it has for them. */
export function core(judge) {
  const { app, version, fetchedCard, replayUrl, transport, client, expectState, FINAL } = judge;
  const { follow, answerOf, message, send, stream, textOf } = judge;

  return {
    async card() {
      const card = await fetchedCard();
      expectEqual("the card's name", card.name, app);
      expect(card.capabilities?.streaming, "the card does not say that the agent streams");
      expect(card.skills.length > 0, "the card has no skill");
      const interfaces = card.supportedInterfaces.map((each) => `${each.protocolBinding} ${each.protocolVersion}`);
      expectEqual("the preferred interface", interfaces[0], `JSONRPC ${version}`);
      expect(interfaces.includes(`${transport} ${version}`), `the card names the interfaces ${interfaces}`);
    },

    async send() {
      const text = `hello ${nonce()} from a blocking client`;
      const task = await send(text);
      expectState(task.status, TaskState.TASK_STATE_COMPLETED);
      expectEqual("the answer", answerOf(task), `You said: ${text}`);
    },

    async stream() {
      const text = `hello ${nonce()} from a streaming client`;
      const told = await stream(text);
      expectState(told.status, TaskState.TASK_STATE_COMPLETED);
      expectEqual("the joined deltas", told.answer.streamed, `You said: ${text}`);
      expectEqual("the answer", told.answer.text, `You said: ${text}`);
      expect(told.answer.pieces.length > 1, "the answer came in one piece");
    },

    async poll() {
      const text = `drip 100 polled ${nonce()} word for word`;
      const agent = await client({ polling: true });
      let task = await agent.sendMessage(message(text));
      expect(!FINAL.has(task.status.state), "a send that returns immediately waited for the end");
      for (let i = 0; i < 50 && !FINAL.has(task.status.state); i++) {
        await sleep(100);
        task = await agent.getTask({ id: task.id, tenant: "" });
      }
      expectState(task.status, TaskState.TASK_STATE_COMPLETED);
      expectEqual("the answer", answerOf(task), text.replace("drip 100 ", ""));
    },

    async "second-turn"() {
      const name = nonce();
      const { contextId } = await send(`My name is ${name}.`);
      const second = await stream("What is my name?", { place: { contextId } });
      expectEqual("the context", second.contextId, contextId);
      expectEqual("the answer of the second turn", second.answer.text, `Your name is ${name}.`);
      const stranger = await send("What is my name?");
      expectEqual("the answer in another context", answerOf(stranger), "I do not know your name.");
    },

    async get() {
      const text = `remember ${nonce()}`;
      const { id } = await send(text);
      const agent = await client();
      const task = await agent.getTask({ id, tenant: "" });
      const bare = await agent.getTask({ id, tenant: "", historyLength: 0 });
      expectState(task.status, TaskState.TASK_STATE_COMPLETED);
      expectEqual("the answer", answerOf(task), `You said: ${text}`);
      const said = task.history.filter(({ role }) => role === Role.ROLE_USER).map(({ parts }) => textOf(parts));
      expectEqual("what the history says of the user", said, [text]);
      // in A2A 0.3 none is no limit
      expectEqual("the length of a history of none", bare.history.length, version === "0.3" ? task.history.length : 0);
    },

    async list() {
      const first = await send(`first ${nonce()}`);
      const { contextId } = first;
      const second = await send(`second ${nonce()}`, { contextId });
      const agent = await client();
      const list = (more) =>
        agent.listTasks({
          tenant: "",
          contextId,
          status: TaskState.TASK_STATE_UNSPECIFIED,
          pageToken: "",
          statusTimestampAfter: undefined,
          ...more,
        });
      const plain = await list({});
      const whole = await list({ includeArtifacts: true });
      const page = await list({ pageSize: 1 });
      const rest = await list({ pageSize: 1, pageToken: page.nextPageToken });
      const ids = (tasks) => tasks.map(({ id }) => id);
      expectEqual("the listed tasks", ids(plain.tasks), [second.id, first.id]);
      expectEqual("the total", plain.totalSize, 2);
      expectEqual("the artifacts of a plain list", plain.tasks.map((task) => task.artifacts.length), [0, 0]);
      expectEqual("a listed answer", answerOf(whole.tasks[0]), answerOf(second));
      expectEqual("the pages", ids([...page.tasks, ...rest.tasks]), [second.id, first.id]);
      expectEqual("the last page's token", rest.nextPageToken, "");
    },

    async cancel() {
      const text = `hold ${nonce()} and never come to an end`;
      let canceled;
      const told = await stream(text, {
        async onUpdate({ taskId, answer }) {
          if (canceled === undefined && answer.streamed.endsWith("an end")) {
            canceled = await (await client()).cancelTask({ id: taskId, tenant: "", metadata: undefined });
          }
        },
      });
      expect(canceled, "the held turn ended by itself");
      expectState(canceled.status, TaskState.TASK_STATE_CANCELED);
      expectState(told.status, TaskState.TASK_STATE_CANCELED);
      expectEqual("what is left of the answer", answerOf(canceled), text.replace("hold ", ""));
      await expectStopped(replayUrl, text);
    },

    async resubscribe() {
      const text = `drip 150 ${nonce()} one two three four five six seven eight nine ten`;
      const whole = text.replace("drip 150 ", "");
      let following;
      // made before: the turn does not wait for it
      const other = await client();
      const first = await stream(text, {
        async onUpdate({ taskId, answer }) {
          if (following === undefined && answer.pieces.length >= 3) {
            following = follow(other.resubscribeTask({ id: taskId, tenant: "" }));
            following.catch(() => {}); // awaited below
          }
        },
      });
      expect(following, "the stream never had three deltas");
      const second = await following;
      expectEqual("the first client's answer", first.answer.text, whole);
      expectEqual("the second client's task", second.taskId, first.taskId);
      const { snapshot } = second;
      expect(snapshot && whole.startsWith(snapshot) && snapshot !== whole, `the snapshot holds ${snapshot}`);
      expectEqual("the snapshot and the rest", second.answer.streamed, whole);
      expectEqual("the second client's answer", second.answer.text, whole);
      expectState(second.status, TaskState.TASK_STATE_COMPLETED);
    },

    async "unknown-task"() {
      const agent = await client();
      const unknown = () => ({ id: nonce(), tenant: "", metadata: undefined });
      await expectError(TaskNotFoundError, agent.getTask(unknown()));
      await expectError(TaskNotFoundError, agent.cancelTask(unknown()));
      await expectError(TaskNotFoundError, drained(agent.resubscribeTask(unknown())));
      await expectError(TaskNotFoundError, agent.sendMessage(message("hello", { taskId: nonce() })));
      await expectError(TaskNotFoundError, drained(agent.sendMessageStream(message("hello", { taskId: nonce() }))));
    },

    async "finished-task"() {
      const { id, contextId } = await send(`done ${nonce()}`);
      const agent = await client();
      await expectError(TaskNotCancelableError, agent.cancelTask({ id, tenant: "", metadata: undefined }));
      await expectError(UnsupportedOperationError, drained(agent.resubscribeTask({ id, tenant: "" })));
      await expectError(UnsupportedOperationError, agent.sendMessage(message("more", { contextId, taskId: id })));
    },

    async push() {
      const { id } = await send(`notify ${nonce()}`);
      const config = { tenant: "", id: "", taskId: id, url: "http://127.0.0.1:9/", token: "", authentication: undefined };
      const agent = await client();
      // the client sees from the card that there are none, and does not ask
      await expectError(PushNotificationNotSupportedError, asking(() => agent.createTaskPushNotificationConfig(config)));
      await expectError(PushNotificationNotSupportedError, agent.transport.createTaskPushNotificationConfig(config));
      return REFUSED;
    },

    async "slow-send"() {
      const text = `late but ${nonce()} whole`;
      const began = performance.now();
      const task = await send(`slow 6500 ${text}`);
      expect(performance.now() - began > 6000, "the turn was not slow");
      expectEqual("the answer", answerOf(task), text);
    },

    async "slow-stream"() {
      const text = `late but ${nonce()} whole`;
      const began = performance.now();
      const told = await stream(`slow 6500 ${text}`);
      expect(performance.now() - began > 6000, "the turn was not slow");
      expectEqual("the answer", told.answer.text, text);
      expectState(told.status, TaskState.TASK_STATE_COMPLETED);
    },
  };
}
