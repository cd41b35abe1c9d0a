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
/** The files that are not uploaded, by `key`. */
const pending = new Map<string, { file: File; limit: AbortController }>();
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
      last += 1;
      const key = `file${last}`;
      const { name, size, type } = file;
      const preview = isPicture({ media_type: type }) ? URL.createObjectURL(file) : null;
      files.push({ key, name, size, sent: 0, preview, info: null, problem: null });
      pending.set(key, { file, limit: new AbortController() });
      queue.push(key);
    }
  }
  put(tray, files);
  work();
  return problems;
}

function work(): void {
  while (running < AT_ONCE) {
    const key = queue.shift();
    if (key === undefined) return;
    running += 1;
    void upload(key).finally(() => {
      running -= 1;
      work();
    });
  }
}

async function upload(key: string): Promise<void> {
  const found = pending.get(key);
  if (found === undefined) return; // it was removed
  const { file, limit } = found;
  const { signal } = limit;
  announce(texts.attachments.uploadingFile(file.name));
  try {
    const progress = (sent: number): void => {
      change(key, { sent });
    };
    const info = attachmentOf(await client.upload(file.name, file, { signal, progress }));
    if (signal.aborted) return;
    const preview = [...trays.values()].flatMap((cell) => cell.get()).find((one) => one.key === key)?.preview;
    if (preview != null) offer(info.attachment_id, preview);
    pending.delete(key);
    change(key, { info, name: info.name, sent: file.size, preview: null });
    announce(texts.attachments.attached(info.name));
  } catch (error) {
    if (signal.aborted) return;
    const { message, hint } = said(error);
    if ((error as { unreachable?: boolean }).unreachable !== true) pending.delete(key); // it would be refused again
    change(key, { problem: hint ? texts.shared.withHint(message, hint) : message });
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
