// The files of a message that is being written, for each composer. They are uploaded at once, also while the person
// looks at another conversation. Uploaded ones are kept with the draft; those that are not are lost with the page.
import { ATTACHMENT_MOST, ATTACHMENTS_MOST, type Attachment } from "@aster-sidecar/client";
import { announce } from "./announce.js";
import { Cell, useCell } from "./cell.js";
import { attachmentOf, isPicture, offer } from "./contents.js";
import { client } from "./engine.js";
import { keep, keptJson } from "./keep.js";
import { texts } from "./messages.js";
import { said } from "./problems.js";
import { bytes } from "./words.js";

export interface Attached {
  /** Unique on this page. */
  key: string;
  name: string;
  /** In bytes, as `sent`. */
  size: number;
  sent: number;
  /** The object URL of a picture that is not uploaded yet. */
  preview: string | null;
  /** Null until it is uploaded. */
  info: Attachment | null;
  /** Why it can't be sent; null if it can be, or if it is still being uploaded. */
  problem: string | null;
}

/** How many files are uploaded at the same time. */
const AT_ONCE = 3;

const trays = new Map<string, Cell<readonly Attached[]>>();
/** Brings a file to the daemon. Some sources have several files in one. */
type Load = (key: string, signal: AbortSignal) => Promise<readonly Attachment[]>;

/** The files that the daemon does not have yet, by `key`. */
const pending = new Map<string, { load: Load; limit: AbortController }>();
const queue: string[] = [];
let running = 0;
let last = 0;

function cellOf(tray: string): Cell<readonly Attached[]> {
  let cell = trays.get(tray);
  if (cell === undefined) {
    cell = new Cell<readonly Attached[]>(keptJson<Attachment[]>(`files.${tray}`, []).map((info) => uploaded(info)));
    trays.set(tray, cell);
  }
  return cell;
}

export function useTray(tray: string): readonly Attached[] {
  return useCell(cellOf(tray));
}

/** Whether all of these files can be sent now. */
export const allReady = (files: readonly Attached[]): boolean =>
  files.every(({ info, problem }) => info !== null && problem === null);

export const uploadsRun = (files: readonly Attached[]): boolean =>
  files.some(({ info, problem }) => info === null && problem === null);

function uploaded(info: Attachment, problem: string | null = null): Attached {
  last += 1;
  const { name, size } = info;
  return { key: `file${last}`, name, size, sent: size, preview: null, info, problem };
}

function put(tray: string, files: readonly Attached[]): void {
  cellOf(tray).set(files);
  const infos = files.flatMap(({ info }) => (info === null ? [] : [info]));
  keep(`files.${tray}`, infos.length > 0 ? JSON.stringify(infos) : null);
}

function change(key: string, news: Partial<Attached>): void {
  for (const [tray, cell] of trays) {
    const files = cell.get();
    if (!files.some((file) => file.key === key)) continue;
    const next = files.map((file) => (file.key === key ? { ...file, ...news } : file));
    if ("sent" in news && !("info" in news)) cell.set(next);
    else put(tray, next);
  }
}

function forget({ key, preview }: Attached): void {
  pending.get(key)?.limit.abort();
  pending.delete(key);
  if (preview !== null) URL.revokeObjectURL(preview);
}

/** Attaches files and begins to upload them. Returns the problems with those that can't be attached. */
export function attach(tray: string, given: readonly File[]): string[] {
  const files = [...cellOf(tray).get()];
  const problems: string[] = [];
  for (const file of given) {
    if (file.size > ATTACHMENT_MOST) {
      problems.push(texts.attachments.tooLarge(file.name, bytes(file.size), ATTACHMENT_MOST / 1024 / 1024));
    } else if (files.length >= ATTACHMENTS_MOST) {
      problems.push(texts.attachments.tooMany(ATTACHMENTS_MOST));
      break;
    } else {
      files.push(waiting(file.name, file.size, uploadOf(file), isPicture({ media_type: file.type }) ? file : null));
    }
  }
  put(tray, files);
  work();
  return problems;
}

/** Attaches a file that the daemon gets from elsewhere. Returns the problem if there is no room for it. */
export function attachFrom(tray: string, name: string, load: (signal: AbortSignal) => Promise<readonly Attachment[]>) {
  const files = cellOf(tray).get();
  if (files.length >= ATTACHMENTS_MOST) return [texts.attachments.tooMany(ATTACHMENTS_MOST)];
  put(tray, [...files, waiting(name, 0, (_, signal) => load(signal), null)]);
  work();
  return [];
}

/** Attaches files that the daemon has. Returns the problem if there is no room for all. */
export function add(tray: string, infos: readonly Attachment[]): string[] {
  const files = cellOf(tray).get();
  const room = ATTACHMENTS_MOST - files.length;
  put(tray, [...files, ...infos.slice(0, room).map((info) => uploaded(info))]);
  return infos.length > room ? [texts.attachments.tooMany(ATTACHMENTS_MOST)] : [];
}

/** A file that waits in the queue. */
function waiting(name: string, size: number, load: Load, picture: File | null): Attached {
  last += 1;
  const key = `file${last}`;
  pending.set(key, { load, limit: new AbortController() });
  queue.push(key);
  const preview = picture === null ? null : URL.createObjectURL(picture);
  return { key, name, size, sent: 0, preview, info: null, problem: null };
}

const uploadOf =
  (file: File): Load =>
  async (key, signal) => {
    const progress = (sent: number): void => {
      change(key, { sent });
    };
    return [attachmentOf(await client.upload(file.name, file, { signal, progress }))];
  };

function work(): void {
  while (running < AT_ONCE) {
    const key = queue.shift();
    if (key === undefined) return;
    running += 1;
    void fetchOne(key).finally(() => {
      running -= 1;
      work();
    });
  }
}

async function fetchOne(key: string): Promise<void> {
  const found = pending.get(key);
  if (found === undefined) return; // it was removed
  const { load, limit } = found;
  const { signal } = limit;
  const shown = (): Attached | undefined =>
    [...trays.values()].flatMap((cell) => cell.get()).find((one) => one.key === key);
  announce(texts.attachments.uploadingFile(shown()?.name ?? ""));
  try {
    const infos = await load(key, signal);
    const [info] = infos;
    if (signal.aborted || info === undefined) return;
    const preview = shown()?.preview;
    if (preview != null) offer(info.attachment_id, preview);
    pending.delete(key);
    replace(key, infos);
    for (const { name } of infos) announce(texts.attachments.attached(name));
  } catch (error) {
    if (signal.aborted) return;
    const { message, hint } = said(error);
    if ((error as { unreachable?: boolean }).unreachable !== true) pending.delete(key); // it would be refused again
    change(key, { problem: hint ? texts.shared.withHint(message, hint) : message });
  }
}

/** Puts what the daemon has in the place of a file. */
function replace(key: string, infos: readonly Attachment[]): void {
  for (const [tray, cell] of trays) {
    const files = cell.get();
    const at = files.findIndex((file) => file.key === key);
    if (at < 0) continue;
    const [first, ...more] = infos.slice(0, ATTACHMENTS_MOST - files.length + 1).map((info) => uploaded(info));
    if (first !== undefined) put(tray, [...files.slice(0, at), { ...first, key }, ...more, ...files.slice(at + 1)]);
  }
}

/** Whether `again` can upload this file. */
export const canRepeat = ({ key, problem }: Attached): boolean => problem !== null && pending.has(key);

export function again(key: string): void {
  if (!pending.has(key)) return;
  change(key, { problem: null, sent: 0 });
  queue.push(key);
  work();
}

export function detach(tray: string, key: string): void {
  const files = cellOf(tray).get();
  const found = files.find((file) => file.key === key);
  if (found === undefined) return;
  forget(found);
  put(
    tray,
    files.filter((file) => file !== found),
  );
  announce(texts.attachments.removed(found.name));
}

/** Replaces the files by ones that are uploaded. `gone`: those that the daemon no longer has. */
export function fill(tray: string, infos: readonly Attachment[], gone: readonly string[] = []): void {
  cellOf(tray).get().forEach(forget);
  put(
    tray,
    infos.map((info) => uploaded(info, gone.includes(info.attachment_id) ? texts.attachments.gone : null)),
  );
}

/** Moves all files to another tray, in place of those in it. */
export function move(from: string, to: string): void {
  cellOf(to).get().forEach(forget);
  put(to, cellOf(from).get());
  put(from, []);
}
