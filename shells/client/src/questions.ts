// The questions that wait for a person, and how they ended.
import { trim } from "./approvals.js";
import type { Client } from "./client.js";
import type { PictureDraft } from "./picture.js";
import { reconcile } from "./sharing.js";
import { questionOf } from "./state.js";
import type * as wire from "./types.js";

export class Questions {
  readonly #client: Client;
  readonly #picture: PictureDraft;
  /** Questions that this store has answered. */
  readonly #mine = new Set<string>();

  constructor(client: Client, picture: PictureDraft) {
    this.#client = client;
    this.#picture = picture;
  }

  /** Answers or declines a question, and remembers that the answer came from this store. Rejects with AsterError. */
  async answer(body: wire.AnswerRequest): Promise<wire.QuestionResolved> {
    this.#mine.add(body.question_id);
    try {
      return await this.#client.answer(body);
    } catch (error) {
      this.#mine.delete(body.question_id);
      throw error;
    }
  }

  asked({ agent_id, session_id, turn_id, time, data }: wire.EventOf<"question_asked">): void {
    const { question_id, call_id, name, reason, fields, server, url, expires_at = null } = data;
    const { copies, next } = this.#picture;
    const place = next.questions.findIndex((known) => known.question_id === question_id);
    const question = questionOf({
      question_id,
      call_id,
      agent_id: agent_id ?? "",
      session_id: session_id ?? "",
      turn_id: turn_id ?? "",
      name,
      reason,
      fields,
      server: server ?? null,
      url: url ?? null,
      asked_at: next.questions[place]?.asked_at ?? time,
      expires_at,
    });
    const questions = copies.at(this.#picture.draft(), "questions");
    if (place < 0) questions.push(question);
    else questions[place] = reconcile(questions[place], question);
  }

  answered({ data }: wire.EventOf<"question_answered">): void {
    const { question_id } = data;
    const draft = this.#picture.draft();
    const question = draft.questions.find((known) => known.question_id === question_id) ?? null;
    if (question) draft.questions = draft.questions.filter((known) => known !== question);
    this.#picture.disorder();
    const answered = this.#picture.copies.at(draft, "answered_questions");
    const elsewhere = !this.#mine.delete(question_id);
    answered[question_id] = { answers: null, note: null, ...data, elsewhere, question };
    trim(answered);
  }
}
