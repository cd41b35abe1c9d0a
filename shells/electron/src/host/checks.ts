// Checks what a page passes to the host, and whether it is one of the app's own pages.

export const SCHEME = "aster-app";
export const ORIGIN = `${SCHEME}://app`;
export const ENGINE_ORIGIN = "aster-host://engine";

const METHODS = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]);
const PATHS = /^\/(?:health|webui\/bootstrap|openapi\.json|api\/[\x21-\x7e]*)$/;
/** The stream goes over openSocket; as an answer it would never end. */
const STREAM = /^\/api\/events(?:[?/]|$)/;
/** The daemon takes bodies and frames up to 1 MiB. */
const MOST_BYTES = 1024 * 1024;
/** The daemon takes files up to 25 MiB. */
const MOST_FILE_BYTES = 25 * 1024 * 1024;
const LONGEST_PATH = 16 * 1024;
/** The longest name of a file as the daemon takes it, percent-encoded. */
const LONGEST_NAME = 4096;

export class Refused extends Error {
  override name = "Refused";
}

/** Whether an address is one of the app's own pages. */
export function isOurs(url: string): boolean {
  return url === ORIGIN || url.startsWith(`${ORIGIN}/`);
}

export interface CheckedRequest {
  method: string;
  path: string;
  body: string | undefined;
}

/** Raises: Refused. */
export function checkRequest(method: unknown, path: unknown, body: unknown): CheckedRequest {
  if (typeof method !== "string" || !METHODS.has(method)) throw new Refused("the method is none of the daemon's");
  if (typeof path !== "string" || path.length > LONGEST_PATH || !PATHS.test(path.split("?")[0] ?? "") || !plain(path))
    throw new Refused("the path is none of the daemon's");
  if (STREAM.test(path)) throw new Refused("the stream goes by openSocket");
  if (body === undefined || body === null) return { method, path, body: undefined };
  if (typeof body !== "string") throw new Refused("the body is not text");
  if (Buffer.byteLength(body) > MOST_BYTES) throw new Refused("the body is over 1 MiB");
  return { method, path, body };
}

/** Whether the path has no control characters, no spaces and nothing that a server could resolve to another path. */
function plain(path: string): boolean {
  return (
    /^[\x21-\x7e]+$/.test(path) &&
    !/(?:^|\/)(?:\.|%2e){1,2}(?:\/|\?|$)/i.test(path) &&
    !/[\\#]|%(?:00|2f|5c)/i.test(path.split("?")[0] ?? "")
  );
}

export interface CheckedUpload {
  /** Without halves of characters, which can't be encoded. */
  name: string;
  bytes: Uint8Array;
}

/** Raises: Refused. */
export function checkUpload(name: unknown, bytes: unknown): CheckedUpload {
  if (typeof name !== "string" || name.length > LONGEST_NAME) throw new Refused("not the name of a file");
  const whole = name.replace(/\p{Surrogate}/gu, "\ufffd");
  if (encodeURIComponent(whole).length > LONGEST_NAME) throw new Refused("not the name of a file");
  if (!(bytes instanceof Uint8Array)) throw new Refused("a file is bytes");
  if (bytes.byteLength > MOST_FILE_BYTES) throw new Refused("the file is over 25 MiB");
  return { name: whole, bytes };
}

/** Checks the id of an attachment and returns the path of its file. Raises: Refused. */
export function checkAttachment(id: unknown): string {
  if (typeof id !== "string" || !/^[\w-]{1,200}$/.test(id)) throw new Refused("not the id of an attachment");
  return `/api/attachments/${id}`;
}

/** A name for a file to save: without folders, control characters and characters that reorder text. Raises: Refused. */
export function fileName(name: unknown): string {
  if (typeof name !== "string") throw new Refused("not the name of a file");
  const last = name.split(/[/\\]/).pop() ?? "";
  const plain = last.replace(/[\p{Control}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "").trim();
  return ["", ".", ".."].includes(plain) ? "attachment" : plain;
}

/** Checks the address of the daemon's socket and returns its path. Raises: Refused. */
export function checkSocketUrl(url: unknown): "/ws" {
  if (url !== `${ENGINE_ORIGIN}/ws`) throw new Refused(`not a socket of this host; there is ${ENGINE_ORIGIN}/ws`);
  return "/ws";
}

export function checkSocketId(id: unknown): string {
  if (typeof id !== "string" || !/^socket_[0-9a-f]{32}$/.test(id)) throw new Refused("not the id of a socket");
  return id;
}

export function checkFrame(data: unknown): string {
  if (typeof data !== "string") throw new Refused("a frame is text");
  if (Buffer.byteLength(data) > MOST_BYTES) throw new Refused("the frame is over 1 MiB");
  return data;
}

/** Whether the system's browser or mail program may open a link. */
export function isSafeLink(url: string): boolean {
  try {
    const { protocol, username, password, hostname } = new URL(url);
    if (protocol === "mailto:") return true;
    return (protocol === "https:" || protocol === "http:") && hostname !== "" && username === "" && password === "";
  } catch {
    return false;
  }
}

/** The place in the page of a link with the app's own scheme (`aster://session/ID`), or null. */
export function deepLink(url: string, scheme = "aster"): string | null {
  const match = new RegExp(`^${scheme}://session/([A-Za-z0-9_-]{1,128})/?$`).exec(url);
  if (match?.[1]) return `#/s/${match[1]}`;
  return new RegExp(`^${scheme}://inbox/?$`).test(url) ? "#/inbox" : null;
}
