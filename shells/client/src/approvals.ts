// The approval requests that wait for a person, and how they were answered.
import type { Client } from "./client.js";
import type { PictureDraft } from "./picture.js";
import { reconcile } from "./sharing.js";
import type * as wire from "./types.js";

/** How many answers the picture keeps. */
const ANSWERED_MOST = 50;

/** Removes the oldest entry of a full record. */
export function trim(answered: Record<string, unknown>): void {
  const [oldest, ...others] = Object.keys(answered);
  if (oldest !== undefined && others.length >= ANSWERED_MOST) Reflect.deleteProperty(answered, oldest);
}

export class Approvals {
  readonly #client: Client;
  readonly #picture: PictureDraft;
  /** Calls that this store has answered. */
  readonly #mine = new Set<string>();

  constructor(client: Client, picture: PictureDraft) {
    this.#client = client;
    this.#picture = picture;
  }

  /** Answers an approval request, and remembers that the answer came from this store. Rejects with AsterError. */
  async approve(body: wire.ApproveRequest): Promise<wire.Approved> {
    this.#mine.add(body.call_id);
    try {
      return await this.#client.approve(body);
    } catch (error) {
      this.#mine.delete(body.call_id);
      throw error;
    }
  }

  asked({ agent_id, session_id, turn_id, time, data }: wire.EventOf<"approval_required">): void {
    const { call_id, name, risk, reason, summary, display, preview } = data;
    const question: wire.ApprovalInfo = {
      call_id,
      agent_id: agent_id ?? "",
      session_id: session_id ?? "",
      turn_id: turn_id ?? "",
      name,
      arguments: data.arguments,
      risk,
      reason,
      summary: summary ?? `Use ${name}`,
      display,
      preview: preview ?? null,
      remember: data.remember ?? null,
      scopes: data.scopes ?? [],
      requested_at: time,
      expires_at: data.expires_at ?? null,
    };
    const { copies, next } = this.#picture;
    const place = next.approvals.findIndex((known) => known.call_id === call_id);
    const approvals = copies.at(this.#picture.draft(), "approvals");
    if (place < 0) approvals.push(question);
    else
      approvals[place] = reconcile(approvals[place], {
        ...question,
        requested_at: approvals[place]?.requested_at ?? time,
      });
    if (this.#picture.next.answered[call_id]) {
      Reflect.deleteProperty(copies.at(this.#picture.draft(), "answered"), call_id);
    }
  }

  answered({ data }: wire.EventOf<"approval_resolved">): void {
    const { call_id, decision, resolved_by, resolved_at } = data;
    const draft = this.#picture.draft();
    const question = draft.approvals.find((known) => known.call_id === call_id) ?? null;
    if (question) draft.approvals = draft.approvals.filter((known) => known !== question);
    this.#picture.disorder();
    const answered = this.#picture.copies.at(draft, "answered");
    const elsewhere = !this.#mine.delete(call_id);
    answered[call_id] = { call_id, decision, resolved_by, resolved_at, note: data.note ?? null, elsewhere, question };
    trim(answered);
  }
}
