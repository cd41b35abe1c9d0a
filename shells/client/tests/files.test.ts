// Files through each transport, to and from the real daemon.
import { randomBytes } from "node:crypto";
import { expect, onTestFinished, test, vi } from "vitest";
import { AsterError, hostTransport, httpTransport, type Answer, type Transport } from "../src/index.js";
import { socketTransport } from "../src/socket.js";
import { launch, TOKEN, type Daemon } from "./daemon.js";
import { TestHost } from "./host.js";

const NAME = "Übersicht 🦊 50%.bin";

const TRANSPORTS: Record<string, (daemon: Daemon) => Transport> = {
  http: ({ url }) => httpTransport({ url, token: TOKEN }),
  socket: ({ url }) => socketTransport({ url, token: TOKEN }, url.replace("http", "ws") + "/ws"),
  host: (daemon) => hostTransport({ host: new TestHost(daemon) }),
};

function dataOf({ status, body }: Answer): { attachment_id: string; name: string; size: number } {
  expect(status, body).toBe(200);
  return (JSON.parse(body) as { data: ReturnType<typeof dataOf> }).data;
}

async function bytesOf(file: Blob): Promise<Buffer> {
  return Buffer.from(await file.arrayBuffer());
}

test.each(Object.entries(TRANSPORTS))("a file goes to the daemon and comes back byte for byte: %s", async (_, make) => {
  const daemon = await launch();
  const transport = make(daemon);
  const bytes = new Uint8Array(randomBytes(3 * 1024 * 1024));
  const sent: number[] = [];
  const uploaded = dataOf(await transport.upload(NAME, bytes, { progress: (count) => sent.push(count) }));
  expect(uploaded).toMatchObject({ name: NAME, size: bytes.byteLength });
  expect(sent).toEqual([bytes.byteLength]);
  const file = await transport.download(uploaded.attachment_id);
  expect((await bytesOf(file)).equals(bytes)).toBe(true);

  // Only the part of a buffer that was given is sent.
  const part = dataOf(await transport.upload("text.txt", new TextEncoder().encode("- a text -").subarray(2, 8)));
  const text = await transport.download(part.attachment_id);
  expect([text.type.split(";")[0], await text.text()]).toEqual(["text/plain", "a text"]);

  const refused = await transport.upload("empty", new Uint8Array());
  expect(refused.status).toBe(422);
  expect(JSON.parse(refused.body)).toMatchObject({ success: false, code: "invalid_shape" });
  const missing = transport.download("att_nothing");
  await expect(missing).rejects.toBeInstanceOf(AsterError);
  await expect(missing).rejects.toMatchObject({ status: 404, code: "attachment_not_found" });
  const aborted = AbortSignal.abort(new Error("not wanted"));
  await expect(transport.upload(NAME, bytes, { signal: aborted })).rejects.toThrow("not wanted");
  await expect(transport.download(uploaded.attachment_id, aborted)).rejects.toThrow("not wanted");

  await daemon.kill();
  await expect(transport.upload(NAME, bytes)).rejects.toMatchObject({ status: 0, code: "unreachable" });
  await expect(transport.download(uploaded.attachment_id)).rejects.toMatchObject({ code: "unreachable" });
});

test("more than 25 MiB are refused without sending", async () => {
  const bytes = new Uint8Array(25 * 1024 * 1024 + 1);
  const asked: string[] = [];
  const never = (): never => {
    asked.push("something was sent");
    throw new Error("something was sent");
  };
  const host = { request: never, openSocket: never, sendSocket: never, closeSocket: never, onSocketEvent: never };
  for (const transport of [
    httpTransport({ url: "http://127.0.0.1:1", fetch: never }),
    hostTransport({ host: { ...host, upload: never } }),
  ]) {
    await expect(transport.upload("big", bytes)).rejects.toMatchObject({ status: 413, code: "body_too_large" });
  }
  expect(asked).toEqual([]);
  // A host of another app may have no files at all.
  const without = hostTransport({ host });
  await expect(without.upload("small", new Uint8Array(1))).rejects.toMatchObject({ code: "not_supported" });
  await expect(without.download("att_1")).rejects.toMatchObject({ code: "not_supported" });
});

/** An XMLHttpRequest like a browser's, as far as an upload uses it, that sends in two steps. */
class FakeRequest {
  static last: FakeRequest;
  readonly upload: { onprogress?: (event: { loaded: number }) => void } = {};
  readonly headers: Record<string, string> = {};
  readonly status = 200;
  readonly responseText = "{}";
  asked = "";
  body: unknown = null;
  aborted = false;
  onload?: () => void;
  onerror?: () => void;
  onloadend?: () => void;

  constructor() {
    FakeRequest.last = this;
  }

  open(method: string, url: string): void {
    this.asked = `${method} ${url}`;
  }

  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value;
  }

  send(body: unknown): void {
    this.body = body;
  }

  abort(): void {
    this.aborted = true;
    this.onloadend?.();
  }
}

test("a page learns how much of a file is sent", async () => {
  vi.stubGlobal("XMLHttpRequest", FakeRequest);
  onTestFinished(() => void vi.unstubAllGlobals());
  const transport = httpTransport({ url: "http://127.0.0.1:1", token: TOKEN, name: "a page" });
  const bytes = new Uint8Array([1, 2, 3]);
  const sent: number[] = [];
  const options = { progress: (count: number): void => void sent.push(count) };
  const begun = async (): Promise<[FakeRequest, Promise<Answer>]> => {
    const before = FakeRequest.last as FakeRequest | undefined;
    const uploading = transport.upload(NAME, bytes, options);
    await vi.waitFor(() => {
      expect(FakeRequest.last).not.toBe(before);
      expect(FakeRequest.last.body).toBe(bytes);
    });
    return [FakeRequest.last, uploading];
  };
  const [asked, uploading] = await begun();
  expect(asked.asked).toBe("POST http://127.0.0.1:1/api/attachments");
  expect(asked.headers).toEqual({
    authorization: `Bearer ${TOKEN}`,
    "content-type": "application/octet-stream",
    "x-aster-client": "a page",
    "x-filename": encodeURIComponent(NAME),
  });
  asked.upload.onprogress?.({ loaded: 2 });
  asked.upload.onprogress?.({ loaded: 3 });
  asked.onload?.();
  expect(await uploading).toEqual({ status: 200, body: "{}" });
  expect(sent).toEqual([2, 3]);

  const [broken, breaking] = await begun();
  broken.onerror?.();
  await expect(breaking).rejects.toMatchObject({ status: 0, code: "unreachable" });

  const stop = new AbortController();
  Object.assign(options, { signal: stop.signal });
  const [stopped, stopping] = await begun();
  stop.abort(new Error("not wanted"));
  await expect(stopping).rejects.toThrow("not wanted");
  expect(stopped.aborted).toBe(true);
});
