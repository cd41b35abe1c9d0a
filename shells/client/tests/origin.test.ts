// A page of another origin gets the reason why it is refused, and how it can be admitted.
import { request } from "node:http";
import { expect, onTestFinished, test, vi } from "vitest";
import { createClient, createStore } from "../src/index.js";
import { launch } from "./daemon.js";

const ORIGIN = "http://localhost:5173";

/** `fetch` as in a page of ORIGIN: with a preflight if a header needs it, and only answers that CORS allows. */
const pageFetch: typeof fetch = async (input, init) => {
  const headers = Object.fromEntries(new Headers(init?.headers));
  const asked = Object.keys(headers).filter((name) => name !== "accept");
  if (asked.length > 0 || (init?.method ?? "GET") !== "GET") {
    const preflight = { "access-control-request-method": init?.method ?? "GET" };
    const answer = await plain(input as string, "OPTIONS", preflight);
    if (answer.status >= 300 || answer.allowed !== ORIGIN) throw new TypeError("Failed to fetch");
  }
  const answer = await plain(input as string, init?.method ?? "GET", headers);
  if (answer.allowed !== ORIGIN) throw new TypeError("Failed to fetch");
  return new Response(answer.body, { status: answer.status });
};

function plain(url: string, method: string, headers: Record<string, string>) {
  return new Promise<{ status: number; allowed: unknown; body: string }>((resolve, reject) => {
    request(url, { method, headers: { ...headers, Origin: ORIGIN } }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text: string) => (body += text));
      answer.on("end", () => {
        resolve({ status: answer.statusCode ?? 0, allowed: answer.headers["access-control-allow-origin"], body });
      });
    })
      .on("error", reject)
      .end();
  });
}

test("a call and the stream say which origin was refused and which flag lets it in", async () => {
  const daemon = await launch();
  vi.stubGlobal("location", { origin: ORIGIN });
  onTestFinished(() => void vi.unstubAllGlobals());
  const client = createClient({ url: daemon.url, token: daemon.token ?? "", name: "a page", fetch: pageFetch });
  const refused = {
    status: 403,
    code: "origin_refused",
    hint: expect.stringContaining(`--allow-origin ${ORIGIN}`) as string,
  };
  await expect(client.agents()).rejects.toMatchObject(refused);
  const store = createStore(client);
  onTestFinished(() => {
    store.stop();
  });
  void store.start();
  const state = await store.until(({ connection }) => connection.error !== null);
  expect(state.connection).toMatchObject({ state: "offline", error: refused });
  expect(daemon.log).toContain(`--allow-origin ${ORIGIN}`);
});

test("where no daemon answers, the hint says what else it may be", async () => {
  vi.stubGlobal("location", { origin: ORIGIN });
  onTestFinished(() => void vi.unstubAllGlobals());
  const client = createClient({
    url: "http://127.0.0.1:1",
    fetch: () => Promise.reject(new TypeError("Failed to fetch")),
  });
  await expect(client.agents()).rejects.toMatchObject({
    status: 0,
    code: "unreachable",
    hint: expect.stringContaining(`--allow-origin ${ORIGIN}`) as string,
  });
});
