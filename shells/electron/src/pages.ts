// The app's own scheme: it serves the files of the page, and nothing else.
import { promises as files } from "node:fs";
import { extname, join, normalize, sep } from "node:path";
import { ORIGIN } from "./host/checks.js";

/** The page uses only the host, so it needs no connections of its own. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".md": "text/plain; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

export interface Page {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

const SAME: Record<string, string> = {
  "Content-Security-Policy": POLICY,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
};

/** The file for an address of the app's scheme, inside `folder`. */
export async function page(folder: string, method: string, url: string): Promise<Page> {
  if (method !== "GET" && method !== "HEAD") return refused(405, "this scheme only serves files");
  if (url !== ORIGIN && !url.startsWith(`${ORIGIN}/`)) return refused(404, "no such host");
  let name: string;
  try {
    name = decodeURIComponent(new URL(url).pathname);
  } catch {
    return refused(400, "not an address");
  }
  const path = normalize(join(folder, name === "/" ? "index.html" : name));
  const type = TYPES[extname(path)];
  if (name.includes("\0") || !path.startsWith(folder + sep) || type === undefined) return refused(404, "no such file");
  try {
    const body = await files.readFile(path);
    // Names of assets contain a hash of their content; other files may change with an update.
    const cache = name.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    return { status: 200, headers: { ...SAME, "Content-Type": type, "Cache-Control": cache }, body };
  } catch {
    return refused(404, "no such file");
  }
}

function refused(status: number, why: string): Page {
  return { status, headers: { ...SAME, "Content-Type": "text/plain; charset=utf-8" }, body: Buffer.from(why) };
}
