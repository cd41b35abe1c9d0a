// Questions of an agent to a person, with the real daemon and several clients that may answer.
import { expect, test } from "vitest";
import { questionsOf, type Client, type Question, type Store, type StoreState } from "../src/index.js";
import { agrees, idle, launch, watch } from "./daemon.js";

const COLOUR = { id: "colour", text: "Which colour?", kind: "choice", options: ["red", "blue"] };
const SIZE = { id: "size", text: "How large?", kind: "number", required: false };

const asking = (...questions: object[]): string => `call ask_user ${JSON.stringify({ questions, reason: "to begin" })}`;

async function asked(client: Client, store: Store, ...fields: object[]): Promise<Question> {
  const { session_id } = await client.sessions.create();
  await store.open(session_id);
  await client.send({ agent_id: "default", session_id, message: asking(...fields) });
  const state = await store.until(
    (now) => questionsOf(now, session_id).length === 1 && now.sessions[session_id]?.state === "waiting_approval",
  );
  const [question] = questionsOf(state, session_id);
  if (!question) throw new Error("no question");
  return question;
}

function part(state: StoreState, { session_id, call_id }: Question) {
  const parts = state.sessions[session_id]?.history?.messages.flatMap((message) => message.parts);
  return parts?.find((one) => one.type === "tool" && one.call_id === call_id);
}

test("a question is in the picture with its form, and its answers are in the history", async () => {
  const daemon = await launch();
  const client = daemon.client({ name: "the first" });
  const store = await watch(client);
  const question = await asked(client, store, COLOUR, SIZE);
  expect(question).toMatchObject({ name: "ask_user", reason: "to begin", server: null, url: null, expires_at: null });
  expect(question.fields).toMatchObject([
    { ...COLOUR, other: true, required: true, default: null, labels: null },
    { ...SIZE, options: null, minimum: null },
  ]);
  expect(part(store.getState(), question)).toMatchObject({ state: "pending", question: { outcome: null } });
  expect(await client.questions({ session_id: question.session_id })).toMatchObject([{ reason: "to begin" }]);
  await agrees(store, client);

  const wrong = { question_id: question.question_id, answers: { size: "large" } };
  await expect(store.answer(wrong)).rejects.toMatchObject({ status: 422, code: "answers_invalid" });
  expect(store.getState().questions).toHaveLength(1);

  const answers = { colour: "blue", size: 3 };
  const given = await store.answer({ question_id: question.question_id, answers, note: "quickly" });
  expect(given).toMatchObject({ outcome: "answered", answers });
  const state = await idle(store, question.session_id);
  expect(state.questions).toEqual([]);
  expect(state.answered_questions[question.question_id]).toMatchObject({
    outcome: "answered",
    answers,
    note: "quickly",
    resolved_by: "the first",
    elsewhere: false,
    question: { reason: "to begin" },
  });
  expect(part(state, question)).toMatchObject({
    state: "done",
    question: { outcome: "answered", answers, note: "quickly" },
  });
  await agrees(store, client);
});

test("an answer from another client closes the question here, and says whose it was", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  const question = await asked(client, store, COLOUR);
  const { question_id } = question;
  await daemon.client({ name: "the phone" }).answer({ question_id, decline: true, note: "not now" });
  const { answered_questions } = await store.until(({ questions }) => questions.length === 0);
  expect(answered_questions[question_id]).toMatchObject({
    outcome: "declined",
    answers: null,
    resolved_by: "the phone",
    elsewhere: true,
  });
  await expect(store.answer({ question_id, answers: { colour: "red" } })).rejects.toMatchObject({
    status: 409,
    code: "question_resolved",
  });
  const state = await idle(store, question.session_id);
  expect(part(state, question)).toMatchObject({ state: "denied", question: { outcome: "declined", note: "not now" } });
  await agrees(store, client);
});

test("one of many answers of this store counts", async () => {
  const daemon = await launch();
  const client = daemon.client({ name: "the first" });
  const store = await watch(client);
  const { question_id, session_id } = await asked(client, store, COLOUR);
  const answers = await Promise.allSettled(
    Array.from({ length: 10 }, (_, number) => store.answer({ question_id, answers: { colour: `n${number}` } })),
  );
  expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const { answered_questions } = await store.until(({ questions }) => questions.length === 0);
  expect(answered_questions[question_id]?.resolved_by).toBe("the first");
  await idle(store, session_id);
});

test("a question waits over a restart of the daemon, and for stores that come later", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  const question = await asked(client, store, COLOUR);
  await daemon.restart();
  await store.until(({ current }) => current);
  await agrees(store, client);
  const late = await watch(client, [question.session_id]);
  expect(late.getState().questions).toEqual([{ ...question, asked_at: expect.any(String) as string }]);
  await late.answer({ question_id: question.question_id, answers: { colour: "red" } });
  const state = await idle(store, question.session_id);
  expect(part(state, question)).toMatchObject({ question: { answers: { colour: "red" } } });
  await agrees(store, client);
});

test("what was answered while the store was away is not asked any more, and all that waits is in the inbox", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  const first = await asked(client, store, COLOUR);
  await client.sessions.archive(first.session_id);
  const second = await asked(client, store, SIZE, COLOUR);
  const { session_id } = await client.sessions.create();
  await client.send({ agent_id: "default", session_id, message: "write a.txt" });
  await store.until(({ approvals }) => approvals.length === 1);
  const inbox = await client.inbox();
  expect(inbox.map(({ kind }) => kind)).toEqual(["question", "question", "approval"]);
  expect(inbox[0]?.question?.question_id).toBe(first.question_id);
  store.close(first.session_id);
  // An archived session stays in the picture while its question waits.
  expect((await store.until(({ current }) => current)).sessions[first.session_id]).toMatchObject({ archived: true });
  store.stop();
  await client.answer({ question_id: second.question_id, answers: { colour: "red" } });
  await daemon.kill();
  daemon.trim(); // the events can't be replayed
  await daemon.start();
  await store.start();
  const state = await store.until(({ current }) => current);
  expect(state.questions.map(({ question_id }) => question_id)).toEqual([first.question_id]);
  await client.cancel({ agent_id: "default", session_id: first.session_id });
  const { answered_questions } = await store.until(({ questions }) => questions.length === 0);
  expect(answered_questions[first.question_id]).toMatchObject({ outcome: "cancelled", elsewhere: true });
  await agrees(store, client);
});

test("a message that answers the lone question says so", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  const { session_id, question_id, turn_id } = await asked(client, store, COLOUR);
  const started = await client.send({ agent_id: "default", session_id, message: "Blue" });
  expect(started).toMatchObject({ status: "answered", turn_id });
  const state = await idle(store, session_id);
  expect(state.answered_questions[question_id]?.answers).toEqual({ colour: "blue" });
  expect(state.sessions[session_id]?.history?.messages.at(-1)).toMatchObject({ text: "Blue", turn_id });
  await agrees(store, client);
});
