// The README's first example is a program that works.
import { readFileSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { createClient, createStore, type Client, type Store } from "../src/index.js";
import { launch } from "./daemon.js";

type Run = (create: (options: object) => Client, make: (client: Client) => Store) => Promise<void>;

test("the twenty lines stream an answer, show the connection and ask before a file is written", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const example = /```js\n(.*?)```/s.exec(readme)?.[1] ?? "";
  expect(example.trim().split("\n").length).toBeLessThanOrEqual(24);
  const program = example.replace(/^import .*$/m, "");
  const daemon = await launch();
  const shown: Record<string, { textContent: string }> = { "#log": { textContent: "" }, "#link": { textContent: "" } };
  const asked: string[] = [];
  vi.stubGlobal("document", { querySelector: (name: string) => shown[name] });
  vi.stubGlobal("confirm", (text: string) => asked.push(text));
  onTestFinished(() => void vi.unstubAllGlobals());
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- it is our own README
  const run = new Function("createClient", "createStore", `return (async () => {${program}})()`) as Run;
  let store: Store | undefined;
  await run(
    (options) => createClient({ ...options, url: daemon.url, token: daemon.token ?? "" }),
    (client) => (store = createStore(client)),
  );
  onTestFinished(() => store?.stop());
  await vi.waitFor(() => {
    expect(shown["#log"]?.textContent).toContain("`write_file` is done");
  }, 60_000);
  expect(shown["#link"]?.textContent).toBe("connected");
  expect(asked).toEqual([expect.stringContaining("hello.txt")]);
  expect(daemon.file("hello.txt")).toContain("demo model");
});
