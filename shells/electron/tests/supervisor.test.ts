// The parts of the supervisor that deserve separate tests; conformance.test.ts tests them together.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findBinary } from "../src/supervisor/binary.js";
import { readyLine } from "../src/supervisor/life.js";
import { Lines } from "../src/supervisor/lines.js";
import { Log } from "../src/supervisor/log.js";
import { Redaction } from "../src/supervisor/redaction.js";
import { Supervisor } from "../src/supervisor/supervisor.js";
import { socketPath } from "../src/supervisor/socketpath.js";
import { backoff_ms, TIMING } from "../src/supervisor/timing.js";
import { folder } from "./places.js";

function program(...parts: string[]): string {
  const path = join(...parts);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "#!/bin/sh\n");
  chmodSync(path, 0o755);
  return path;
}

describe("which binary is run", () => {
  test("an override wins, then the bundle, then the checkout", () => {
    const home = folder();
    const override = program(home, "mine");
    const bundled = program(home, "resources", "aster-desktop", "aster-desktop");
    const development = program(home, "checkout", ".venv", "bin", "aster-sidecar");
    const places = { override, bundled: [join(home, "resources")], development: join(home, "checkout") };
    expect(findBinary(places)).toEqual({ path: override, source: "override" });
    expect(findBinary({ ...places, override: "" })).toEqual({ path: bundled, source: "bundled" });
    expect(findBinary({ ...places, override: undefined, bundled: [] })).toEqual({
      path: development,
      source: "development",
    });
  });

  test("an override that can't be run is an error, whatever else is there", () => {
    const home = folder();
    const bundled = [join(program(home, "resources", "aster-desktop"), "..")];
    const plain = join(home, "plain.txt");
    writeFileSync(plain, "");
    for (const [override, why] of [
      [join(home, "gone"), "does not exist"],
      ["aster-desktop", "is not an absolute path"],
      [home, "is not a file"],
      ...(process.getuid?.() === 0 ? [] : [[plain, "may not be executed"]]),
    ])
      expect(() => findBinary({ override, bundled })).toThrow(String(why));
  });

  test("nothing from PATH", () => {
    const home = folder();
    program(home, "aster-desktop");
    const before = process.env["PATH"];
    process.env["PATH"] = home;
    try {
      expect(() => findBinary({ bundled: [join(home, "elsewhere")] })).toThrow("no daemon to start");
    } finally {
      process.env["PATH"] = before;
    }
  });
});

test("the delay doubles five times, is 30 s at most, and is never exactly the same for all", () => {
  const middle = Array.from({ length: 8 }, (_, attempt) => backoff_ms(attempt, TIMING, () => 0.5));
  expect(middle).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  expect(backoff_ms(0, TIMING, () => 0)).toBe(800);
  expect(backoff_ms(0, TIMING, () => 1)).toBe(1_200);
});

describe("lines", () => {
  function read(...chunks: (string | Buffer)[]): string[] {
    const found: string[] = [];
    const lines = new Lines((line) => found.push(line), 10);
    for (const chunk of chunks) lines.push(Buffer.from(chunk));
    lines.end();
    return found;
  }

  test("come whole, whatever pieces they come in", () => {
    expect(read("on", "e\ntw", "o\r\n", "\nlast")).toEqual(["one", "two", "", "last"]);
    const [first, second] = [Buffer.from("ü").subarray(0, 1), Buffer.from("ü").subarray(1)];
    expect(read(first, second, "\n")).toEqual(["ü"]);
  });

  test("are cut, and not in the middle of a character", () => {
    expect(read("0123456789abc\nnext\n")).toEqual(["0123456789 […]", "next"]);
    expect(read("012345678ü\n")).toEqual(["012345678 […]"]);
  });

  test("have what is not UTF-8 replaced", () => {
    expect(read(Buffer.from([0xff, 0x41, 0x0a]))).toEqual(["\uFFFDA"]);
  });
});

describe("the log", () => {
  test("rotates, keeps what it may, and is for its owner only", async () => {
    const home = folder();
    const path = join(home, "logs", "engine.log");
    const log = new Log({ path, redaction: new Redaction(), kept: 5, file_bytes: 400, older: 2 });
    for (let number = 0; number < 40; number += 1) {
      log.add("stderr", `line ${number}`);
      await log.flush();
    }
    expect(log.entries().map(({ text }) => text)).toEqual([35, 36, 37, 38, 39].map((number) => `line ${number}`));
    expect(["", ".1", ".2", ".3"].map((end) => existsSync(path + end))).toEqual([true, true, true, false]);
    for (const end of ["", ".1", ".2"]) expect(statSync(path + end).size).toBeLessThanOrEqual(400);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const all = [".2", ".1", ""].map((end) => readFileSync(path + end, "utf8")).join("");
    const numbers = [...all.matchAll(/line (\d+)/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => 40 - numbers.length + index));
  });

  test("counts what came too fast for the file, and loses none of the rest", async () => {
    const path = join(folder(), "engine.log");
    const log = new Log({ path, redaction: new Redaction(), kept: 5, waiting: 10 });
    for (let number = 0; number < 25; number += 1) log.add("stdout", `line ${number}`);
    expect(log.dropped).toBe(15);
    await log.flush();
    log.add("stdout", "afterwards");
    await log.flush();
    const written = readFileSync(path, "utf8").trim().split("\n");
    expect(written.length + log.dropped).toBe(26);
    expect(written.at(-1)).toContain("afterwards");
    expect(log.entries().at(-1)?.seq).toBe(26);
  });

  test("makes no file where its folder was, once it is closed", async () => {
    const home = folder();
    const [before, after] = [join(home, "old"), join(home, "new")];
    const log = new Log({ path: join(before, "engine.log"), redaction: new Redaction() });
    log.add("shell", "the last word");
    await log.close();
    renameSync(before, after);
    log.add("shell", "too late");
    await log.flush();
    expect(existsSync(before)).toBe(false);
    expect(readFileSync(join(after, "engine.log"), "utf8")).toContain("the last word");
    expect(log.entries().map(({ text }) => text)).toEqual(["the last word", "too late"]);
  });

  test("says why it can't be written, and goes on", async () => {
    const home = folder();
    writeFileSync(join(home, "file"), "");
    const log = new Log({ path: join(home, "file", "engine.log"), redaction: new Redaction() });
    log.add("stderr", "kept all the same");
    await log.flush();
    expect(log.failure).toMatch(/ENOTDIR|EEXIST/);
    expect(log.entries().map(({ text }) => text)).toEqual(["kept all the same"]);
  });
});

test("secrets go, by value and by look", () => {
  const redaction = new Redaction();
  redaction.learn("a+secret/value");
  redaction.learnFrom({ OPENAI_API_KEY: "plain-looking-value", HOME: "/home/ada", TOKEN: "short" });
  const said =
    "a+secret/value a%2Bsecret%2Fvalue plain-looking-value /home/ada short Bearer abcdefghij sk-0123456789abcdef";
  expect(redaction.clean(said)).toBe("[secret] [secret] [secret] /home/ada short [secret] [secret]");
});

test("a supervisor that has retired is not started again", async () => {
  const data_dir = join(folder(), "data");
  const supervisor = new Supervisor({
    framework: "electron",
    port: 0,
    data_dir,
    logs_dir: null,
    places: { bundled: [] },
  });
  await expect(supervisor.start()).rejects.toThrow("no daemon to start");
  await supervisor.retire();
  await expect(supervisor.start()).rejects.toThrow("stopped");
  await expect(supervisor.restart()).rejects.toThrow("stopped");
  expect(supervisor.status).toBe("stopped");
  expect(existsSync(data_dir)).toBe(false);
});

describe("the ready line", () => {
  const line = { event: "ready", port: 1, pid: 2, instance_id: "instance_1", protocol: 1, version: "0.1.0" };

  test("is read", () => {
    expect(readyLine(JSON.stringify({ ...line, more: true }))).toEqual(line);
  });

  test.each([
    "",
    "ready",
    "[]",
    "null",
    ...[{ event: "started" }, { port: 0 }, { port: 70_000 }, { port: "1" }, { pid: null }, { instance_id: "" }].map(
      (odd) => JSON.stringify({ ...line, ...odd }),
    ),
  ])("is not %s", (text) => {
    expect(readyLine(text)).toBeNull();
  });
});

test("the Unix socket is in the data directory, or where its path is short enough, or there is none", () => {
  expect(socketPath("/home/ada/data", "linux")).toBe("/home/ada/data/run/aster.sock");
  expect(socketPath("C:\\data", "win32")).toBeNull();
  const long = "/" + "a".repeat(100);
  expect(socketPath(long, "linux", "/run/user/1000")).toMatch(/^\/run\/user\/1000\/aster-[0-9a-f]{16}\/aster.sock$/);
  expect(socketPath(long, "linux", "/" + "b".repeat(100))).not.toContain(long);
  expect(socketPath(long, "linux", "/r")).not.toBe(socketPath(long + "b", "linux", "/r"));
});
