// What the person has begun to write for a question: a note or edited arguments. It is kept as long as the question
// waits, even if the card is out of view, the person goes to another page, or the page is reloaded.
import { store } from "./engine.js";
import { keep, keptJson } from "./keep.js";

export interface Begun {
  note: string | null;
  edited: string | null;
}

const KEY = "answers";
const NOTHING: Begun = { note: null, edited: null };

function all(): Record<string, Begun> {
  const known = keptJson<unknown>(KEY, {});
  return typeof known === "object" && known !== null && !Array.isArray(known) ? (known as Record<string, Begun>) : {};
}

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

export function begun(call_id: string): Begun {
  const known = all()[call_id];
  return known ? { note: textOf(known.note), edited: textOf(known.edited) } : NOTHING;
}

export function keepBegun(call_id: string, { note, edited }: Begun): void {
  const waiting = new Set(store.getState().approvals.map((question) => question.call_id));
  const next = Object.fromEntries(Object.entries(all()).filter(([known]) => known !== call_id && waiting.has(known)));
  if (note !== null || edited !== null) next[call_id] = { note, edited };
  keep(KEY, Object.keys(next).length > 0 ? JSON.stringify(next) : null);
}
