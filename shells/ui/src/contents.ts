// The content of attachments: pictures as object URLs, which all places of the page share, and saving a file.
import type { Attachment, AttachmentInfo } from "@aster-sidecar/client";
import { useEffect, useState } from "react";
import { client, host, usePicture } from "./engine.js";
import { texts } from "./messages.js";
import { said } from "./problems.js";
import { toast } from "./toasts.js";

/** The only types that are shown as pictures. An SVG is a document, which could contain more than a picture. */
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
/** How long the page keeps a picture that is not shown: it may be scrolled back into view. */
const KEEP_MS = 10_000;

export function isPicture({ media_type, type = "image" }: { media_type: string; type?: string }): boolean {
  return type === "image" && PICTURES.has(media_type);
}

export function attachmentOf(info: AttachmentInfo): Attachment {
  const { attachment_id, name, media_type, size, sha256, width = null, height = null } = info;
  return { attachment_id, name, media_type, size, sha256, width, height };
}

interface Held {
  url: string | null;
  /** Rejects with the reason why there is no picture. */
  loading: Promise<string>;
  users: number;
  idle: ReturnType<typeof setTimeout> | undefined;
}

/** By `attachment_id`. */
const held = new Map<string, Held>();

function drop(attachment_id: string, entry: Held): void {
  if (held.get(attachment_id) === entry) held.delete(attachment_id);
  entry.loading.then(
    (url) => {
      URL.revokeObjectURL(url);
    },
    () => undefined,
  );
}

function dropSoon(attachment_id: string, entry: Held): void {
  entry.idle = setTimeout(() => {
    drop(attachment_id, entry);
  }, KEEP_MS);
}

/** Takes over the object URL of a picture that the page itself has uploaded, so that it is not downloaded. */
export function offer(attachment_id: string, url: string): void {
  const entry: Held = { url, loading: Promise.resolve(url), users: 0, idle: undefined };
  held.set(attachment_id, entry);
  dropSoon(attachment_id, entry);
}

function hold(attachment_id: string): Held {
  const known = held.get(attachment_id);
  if (known) {
    clearTimeout(known.idle);
    known.users += 1;
    return known;
  }
  const loading = client.download(attachment_id).then((blob) => (entry.url = URL.createObjectURL(blob)));
  const entry: Held = { url: null, loading, users: 1, idle: undefined };
  held.set(attachment_id, entry);
  loading.catch(() => {
    if (held.get(attachment_id) === entry) held.delete(attachment_id); // the next one tries again
  });
  return entry;
}

function release(attachment_id: string, entry: Held): void {
  entry.users -= 1;
  if (entry.users === 0) dropSoon(attachment_id, entry);
}

/** The object URL of a picture while it is `wanted`; null until it is loaded. A failed load is repeated after a reconnect. */
export function usePictureUrl(attachment_id: string | null, wanted = true): { url: string | null; failed: boolean } {
  const connected = usePicture((state) => state.connection.state === "connected");
  const [loaded, setLoaded] = useState<{ id: string; url: string | null } | null>(null);
  useEffect(() => {
    if (attachment_id === null || !wanted) return;
    let gone = false;
    const entry = hold(attachment_id);
    const set = (url: string | null) => (): void => {
      if (!gone) setLoaded({ id: attachment_id, url });
    };
    entry.loading.then((url) => {
      set(url)();
    }, set(null));
    return () => {
      gone = true;
      release(attachment_id, entry);
    };
  }, [attachment_id, wanted, connected]);
  if (attachment_id === null) return { url: null, failed: false };
  const mine = loaded?.id === attachment_id ? loaded : null;
  const url = mine?.url ?? held.get(attachment_id)?.url ?? null;
  return { url, failed: mine !== null && url === null };
}

/** Saves a file where the person wants it: the native shell asks, a browser downloads it. */
export async function save({ attachment_id, name }: Attachment): Promise<void> {
  try {
    if (host) {
      const path = await host.saveAttachment(attachment_id, name);
      if (path !== null) toast(texts.attachments.saved(path));
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await client.download(attachment_id));
    link.download = name;
    link.click();
    setTimeout(() => {
      URL.revokeObjectURL(link.href);
    }, KEEP_MS); // some browsers begin to read it later
  } catch (error) {
    const { message } = said(error);
    toast(texts.attachments.notSaved(message), { kind: "error" });
  }
}
