// What the person has begun to write as an answer: a note, edited arguments, a form. It is kept as long as the daemon
// waits for the answer, even if the card is out of view, the person goes to another page, or the page is reloaded.
import { store } from "./engine.js";
import type { Entered } from "./form.js";
import { keep, keptJson } from "./keep.js";

export interface Begun {
  note: string | null;
  edited: string | null;
}

export interface BegunForm {
  /** By the ids of the fields that the person has changed. */
  fields: Readonly<Record<string, Entered>>;
  note: string | null;
  /** The page that the server asks the person to visit was opened. */
  opened: boolean;
}

const ANSWERS = "answers";
const FORMS = "forms";
const NOTHING: Begun = { note: null, edited: null };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function all(key: string): Record<string, unknown> {
  const known = keptJson<unknown>(key, {});
  return isObject(known) ? known : {};
}

/** Keeps an entry, or removes it. Those that nothing waits for any more are removed too. */
function put(key: string, id: string, entry: unknown, waiting: readonly string[]): void {
  const next = Object.fromEntries(
    Object.entries(all(key)).filter(([known]) => known !== id && waiting.includes(known)),
  );
  if (entry !== null) next[id] = entry;
  keep(key, Object.keys(next).length > 0 ? JSON.stringify(next) : null);
}

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

export function begun(call_id: string): Begun {
  const known = all(ANSWERS)[call_id];
  return isObject(known) ? { note: textOf(known.note), edited: textOf(known.edited) } : NOTHING;
}

export function keepBegun(call_id: string, { note, edited }: Begun): void {
  const waiting = store.getState().approvals.map((question) => question.call_id);
  put(ANSWERS, call_id, note !== null || edited !== null ? { note, edited } : null, waiting);
}

export function begunForm(question_id: string): BegunForm {
  const known = all(FORMS)[question_id];
  if (!isObject(known)) return { fields: {}, note: null, opened: false };
  const fields = Object.entries(isObject(known.fields) ? known.fields : {}).flatMap(
    ([id, entered]): [string, Entered][] => {
      if (!isObject(entered) || !Array.isArray(entered.chosen)) return [];
      const { chosen, text, other } = entered;
      return [[id, { chosen: chosen.map(String), text: textOf(text) ?? "", other: other === true }]];
    },
  );
  return { fields: Object.fromEntries(fields), note: textOf(known.note), opened: known.opened === true };
}

const open = (): string[] => store.getState().questions.map((question) => question.question_id);

export function keepForm(question_id: string, form: BegunForm): void {
  const empty = Object.keys(form.fields).length === 0 && form.note === null && !form.opened;
  put(FORMS, question_id, empty ? null : form, open());
}

/** Drops the forms of questions that are no longer open. */
export function dropForms(): void {
  put(FORMS, "", null, open());
}
