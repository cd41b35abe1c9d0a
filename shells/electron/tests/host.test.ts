// The parts of the host that need no window, with the real daemon where a test needs one.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { HostSocketEvent } from "@aster-sidecar/client";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { browserLine } from "../src/app/browser-line.js";
import { autostartEntry, autostartPath } from "../src/app/login-entry.js";
import { Attention, type News, type Picture } from "../src/host/attention.js";
import { CALLS, EVENTS } from "../src/host/channels.js";
import {
  checkAttachment,
  checkRequest,
  checkSocketUrl,
  checkUpload,
  deepLink,
  fileName,
  isOurs,
  isSafeLink,
} from "../src/host/checks.js";
import { Sockets } from "../src/host/sockets.js";
import { ownClient, ownWire } from "../src/host/wire.js";
import { page, POLICY } from "../src/pages.js";
import { chosenRoot, holdsData, moveData } from "../src/root.js";
import { placed, StateFile, StateTooNew } from "../src/state.js";
import { Supervisor } from "../src/supervisor/index.js";
import { folder, python, repository } from "./places.js";

const WAIT = { timeout: 60_000, interval: 20 };

/** The real daemon, started by the shell's own supervisor; it is stopped when the test ends. */
async function engine(unix_socket = true, more: Record<string, string> = {}): Promise<Supervisor> {
  const home = folder();
  const binary = join(home, "aster-desktop");
  writeFileSync(binary, `#!/bin/sh\nPYTHONPATH="${repository}" exec "${python}" -m aster_sidecar "$@"\n`);
  chmodSync(binary, 0o755);
  const supervisor = new Supervisor({
    framework: "electron",
    port: 0,
    data_dir: join(home, "data"),
    logs_dir: join(home, "logs"),
    places: { override: binary },
    unix_socket,
    environment: { ASTER_MODEL: "demo:instant", ASTER_WORK_DIR: home, ...more },
    timing: { start_timeout_ms: 120_000, health_timeout_ms: 30_000, stop_ms: 30_000 },
  });
  onTestFinished(() => supervisor.retire());
  await supervisor.start();
  return supervisor;
}

describe("what a page may ask", () => {
  test.each([
    ["GET", "/api/agents"],
    ["GET", "/health"],
    ["GET", "/webui/bootstrap"],
    ["GET", "/api/history?agent_id=default&before=msg_1%2F"],
    ["DELETE", "/api/sessions/ses_1"],
    ["PUT", "/api/secrets/openai"],
  ])("%s %s", (method, path) => {
    expect(checkRequest(method, path, undefined)).toEqual({ method, path, body: undefined });
  });

  test.each([
    ["get", "/api/agents"],
    ["TRACE", "/api/agents"],
    [7, "/api/agents"],
    ["GET", "api/agents"],
    ["GET", "//host/api/agents"],
    ["GET", "/"],
    ["GET", "/ws"],
    ["GET", "/assets/index.js"],
    ["GET", "/api/events"],
    ["GET", "/api/events?after=0"],
    ["GET", "/api/../health"],
    ["GET", "/api/%2E%2e/health"],
    ["GET", "/api/a%2f..%2fb"],
    ["GET", "/api/a#b"],
    ["GET", "/api/a b"],
    ["GET", "/api/a\r\nX: y"],
    ["GET", "/api/ä"],
    ["GET", "/api/" + "a".repeat(20_000)],
    ["GET", null],
  ])("not %s %s", (method, path) => {
    expect(() => checkRequest(method, path, undefined)).toThrow(/none of the daemon's|openSocket/);
  });

  test("a body is text of at most 1 MiB", () => {
    expect(checkRequest("POST", "/api/chat", "ü".repeat(512 * 1024)).body).toHaveLength(512 * 1024);
    expect(() => checkRequest("POST", "/api/chat", "ü".repeat(512 * 1024) + "x")).toThrow("1 MiB");
    expect(() => checkRequest("POST", "/api/chat", {})).toThrow("not text");
  });

  test("a file has bytes, at most 25 MiB of them, and a name", () => {
    const most = new Uint8Array(25 * 1024 * 1024);
    const { name, bytes } = checkUpload("Übersicht 🦊.png", most);
    expect([name, bytes === most]).toEqual(["Übersicht 🦊.png", true]);
    expect(checkUpload("half \ud83e", new Uint8Array()).name).toBe("half \ufffd");
    expect(() => checkUpload("big", new Uint8Array(25 * 1024 * 1024 + 1))).toThrow("25 MiB");
    for (const bytes of ["text", [1, 2], null, new ArrayBuffer(1)])
      expect(() => checkUpload("x", bytes)).toThrow("a file is bytes");
    for (const name of [7, undefined, "ü".repeat(700)])
      expect(() => checkUpload(name, new Uint8Array())).toThrow("name of a file");
  });

  test("an attachment by its id, and nothing else", () => {
    expect(checkAttachment("att_0aZ-9")).toBe("/api/attachments/att_0aZ-9");
    for (const id of ["", "a/b", "..", "a%2fb", "a?b", "ä", "a\n", "x".repeat(201), 7])
      expect(() => checkAttachment(id)).toThrow("not the id of an attachment");
  });

  test.each([
    ["Übersicht 🦊.png", "Übersicht 🦊.png"],
    ["/etc/passwd", "passwd"],
    ["..\\..\\evil.exe", "evil.exe"],
    ["a\u202egnp.\r\nexe\0", "agnp.exe"],
    ["dir/", "attachment"],
    ["..", "attachment"],
    ["", "attachment"],
  ])("the name %j is saved as %j", (name, saved) => {
    expect(fileName(name)).toBe(saved);
  });

  test("the one socket there is", () => {
    expect(checkSocketUrl("aster-host://engine/ws")).toBe("/ws");
    for (const url of ["aster-host://engine/ws?token=1", "aster-host://engine/", "ws://engine/ws", undefined])
      expect(() => checkSocketUrl(url)).toThrow("not a socket of this host");
  });

  test("only as a page of the app", () => {
    expect(["aster-app://app", "aster-app://app/index.html#/x"].map(isOurs)).toEqual([true, true]);
    expect(["aster-app://app.evil/", "aster-app://evil/", "https://app/", "file:///x", ""].map(isOurs)).toEqual(
      Array(5).fill(false),
    );
  });

  test("names of channels are there once", () => {
    const names = [...Object.values(CALLS), ...Object.values(EVENTS)];
    expect(new Set(names).size).toBe(names.length);
  });
});

test("links: what the system's browser opens, and where the app's own lead", () => {
  expect(["https://a.example/x", "http://127.0.0.1:8080/#c", "mailto:a@b.example"].map(isSafeLink)).toEqual(
    Array(3).fill(true),
  );
  expect(
    [
      "file:///etc/passwd",
      "javascript:alert(1)",
      "https://user:pw@a.example",
      "smb://x/y",
      "aster://x",
      "nonsense",
    ].map(isSafeLink),
  ).toEqual(Array(6).fill(false));
  expect(deepLink("aster://session/ses_1")).toBe("#/s/ses_1");
  expect(deepLink("aster://inbox/")).toBe("#/inbox");
  for (const odd of [
    "aster://session/",
    "aster://session/a/b",
    "aster://session/a?x",
    "aster://evil",
    "http://session/a",
  ])
    expect(deepLink(odd)).toBeNull();
});

describe("the page's files", () => {
  function site(): string {
    const home = folder();
    mkdirSync(join(home, "ui", "assets"), { recursive: true });
    writeFileSync(join(home, "ui", "index.html"), "<!doctype html>");
    writeFileSync(join(home, "ui", "assets", "a-1234.js"), "0");
    writeFileSync(join(home, "ui", "secret.key"), "no type, no file");
    writeFileSync(join(home, "main.js"), "outside");
    return join(home, "ui");
  }

  test("come with a strict policy and their type, and assets may be kept", async () => {
    const ui = site();
    const index = await page(ui, "GET", "aster-app://app/#/inbox");
    expect(index).toMatchObject({ status: 200, headers: { "Content-Type": "text/html; charset=utf-8" } });
    expect(index.headers["Content-Security-Policy"]).toBe(POLICY);
    expect(POLICY).not.toMatch(/unsafe|\*|https?:/);
    expect(index.headers["X-Content-Type-Options"]).toBe("nosniff");
    expect(index.headers["Cache-Control"]).toBe("no-cache");
    const asset = await page(ui, "GET", "aster-app://app/assets/a-1234.js");
    expect(asset.headers["Cache-Control"]).toContain("immutable");
    expect(asset.body.toString()).toBe("0");
  });

  test.each([
    ["GET", "aster-app://app/../main.js"],
    ["GET", "aster-app://app/%2e%2e/main.js"],
    ["GET", "aster-app://app/%2e%2e%2fmain.js"],
    ["GET", "aster-app://app/assets/../../main.js"],
    ["GET", "aster-app://app/secret.key"],
    ["GET", "aster-app://app/nothing.html"],
    ["GET", "aster-app://app/index.html%00.js"],
    ["GET", "aster-app://other/index.html"],
    ["GET", "aster-app://app/assets"],
  ])("not %s %s", async (method, url) => {
    expect((await page(site(), method, url)).status).toBe(404);
  });

  test("are only read", async () => {
    expect((await page(site(), "POST", "aster-app://app/index.html")).status).toBe(405);
    expect((await page(site(), "GET", "aster-app://app/%zz")).status).toBe(400);
  });
});

test.each([true, false])("the daemon takes and gives files (Unix socket: %s)", async (unix_socket) => {
  const supervisor = await engine(unix_socket);
  const bytes = randomBytes(3 * 1024 * 1024);
  const [path, timeout_ms] = ["/api/attachments", 60_000];
  const body = { name: "Übersicht 🦊 50%.bin", bytes };
  const { status, body: text } = await supervisor.call({ method: "POST", path, body, timeout_ms });
  const { data } = JSON.parse(text) as { data: { attachment_id: string; name: string } };
  expect([status, data.name]).toEqual([200, body.name]);
  const file = await supervisor.fetch({ method: "GET", path: `${path}/${data.attachment_id}`, timeout_ms });
  expect([file.status, file.media_type]).toEqual([200, "application/octet-stream"]);
  expect(file.bytes.equals(bytes)).toBe(true);
});

describe("sockets", () => {
  test.each([true, false])("carry the daemon's stream (Unix socket: %s)", async (unix_socket) => {
    const supervisor = await engine(unix_socket);
    expect(supervisor.info.transport).toBe(unix_socket ? "unix_socket" : "tcp");
    const sockets = new Sockets(() => supervisor.endpoint, "the test");
    const seen: HostSocketEvent[] = [];
    const id = sockets.open("window 1", "aster-host://engine/ws", (event) => seen.push(event));
    await vi.waitFor(() => {
      expect(seen).toEqual([{ id, type: "open" }]);
    }, WAIT);
    sockets.send("window 1", id, JSON.stringify({ id: "7", type: "subscribe" }));
    await vi.waitFor(() => {
      const types = seen.slice(1, 3).map(({ data = "{}" }) => JSON.parse(data) as { id?: string; type?: string });
      expect(types).toMatchObject([{ id: "7" }, { type: "connected" }]);
    }, WAIT);

    expect(() => {
      sockets.send("window 2", id, "{}");
    }).toThrow("no such socket");
    sockets.close("window 2", id);
    expect(sockets.size).toBe(1);
    sockets.closeAll("window 1");
    expect(sockets.size).toBe(0);

    const other: HostSocketEvent[] = [];
    sockets.open("window 1", "aster-host://engine/ws", (event) => other.push(event));
    await vi.waitFor(() => {
      expect(other.map(({ type }) => type)).toEqual(["open"]);
    }, WAIT);
    await supervisor.stop();
    await vi.waitFor(() => {
      expect(other.map(({ type }) => type)).toEqual(["open", "close"]);
    }, WAIT);
    expect(seen.filter(({ type }) => type === "close")).toEqual([]); // the shell closed it, so no event follows
    expect(() => sockets.open("window 1", "aster-host://engine/ws", () => undefined)).toThrow(
      "the daemon is not there",
    );
  });

  test("are bounded in number and size", async () => {
    const supervisor = await engine();
    const sockets = new Sockets(() => supervisor.endpoint, "the test");
    const open = (owner: string): string => sockets.open(owner, "aster-host://engine/ws", () => undefined);
    const first = open("window 1");
    for (let number = 1; number < 16; number += 1) open("window 1");
    expect(() => open("window 1")).toThrow("no more than 16");
    open("window 2");
    expect(() => {
      sockets.send("window 1", first, "x".repeat(1024 * 1024 + 1));
    }).toThrow("1 MiB");
    for (const owner of ["window 1", "window 2"]) sockets.closeAll(owner);
  });
});

test("what waits is counted, from the start and from the stream, and what is new is told", async () => {
  const supervisor = await engine();
  const sockets = new Sockets(() => supervisor.endpoint, "the test");
  const wire = ownWire(() => supervisor, sockets);
  const client = ownClient(wire);
  await client.chat({ agent_id: "default", message: "write one.txt" });
  await vi.waitFor(async () => {
    expect(await client.call("GET", "/api/notifications")).toMatchObject({ unread: 1 }); // no longer new from here on
  }, WAIT);

  const pictures: Picture[] = [];
  const news: News[] = [];
  const attention = new Attention(client, wire, {
    onPicture: (one) => pictures.push(one),
    onNews: (one) => news.push(one),
  });
  onTestFinished(() => {
    attention.close();
  });
  await vi.waitFor(() => {
    expect(pictures.at(-1)).toMatchObject({ waiting: 1, unread: 1, flags: { ambient: true } });
  }, WAIT);
  const { session_id } = await client.call<{ session_id: string }>("POST", "/api/sessions", { title: "another" });
  await client.chat({ agent_id: "default", session_id, message: "write two.txt" });
  await vi.waitFor(() => {
    expect(pictures.at(-1)).toMatchObject({ waiting: 2, unread: 2 });
    expect(news).toMatchObject([{ kind: "approval_required", session_id }]);
  }, WAIT);
  const asking = await client.call<{ session_id: string }>("POST", "/api/sessions", { title: "a third" });
  const form = { questions: [{ id: "name", text: "Whose name?" }], reason: "It is needed." };
  await client.chat({
    agent_id: "default",
    session_id: asking.session_id,
    message: `call ask_user ${JSON.stringify(form)}`,
  });
  await vi.waitFor(() => {
    expect(pictures.at(-1)).toMatchObject({ waiting: 3, unread: 3 });
    expect(news[1]).toMatchObject({ kind: "question_asked", session_id: asking.session_id });
  }, WAIT);
  // A later picture has the question from the snapshot.
  const late: Picture[] = [];
  const other = new Attention(client, wire, { onPicture: (one) => late.push(one), onNews: () => undefined });
  onTestFinished(() => {
    other.close();
  });
  await vi.waitFor(() => {
    expect(late.at(-1)).toMatchObject({ waiting: 3 });
  }, WAIT);
  for (const { question_id } of await client.questions()) await client.answer({ question_id, decline: true });
  await vi.waitFor(() => {
    expect(pictures.at(-1)).toMatchObject({ waiting: 2 });
    expect(late.at(-1)).toMatchObject({ waiting: 2 });
  }, WAIT);
  await attention.markRead(news[0]?.notification_id ?? "");
  for (const { call_id } of await client.call<{ call_id: string }[]>("GET", "/api/approvals"))
    await client.call("POST", "/api/approve", { agent_id: "default", call_id, decision: "deny" });
  await client.call("POST", "/api/flags", { ambient: false });
  await vi.waitFor(() => {
    expect(pictures.at(-1)).toMatchObject({ waiting: 0, flags: { ambient: false } });
  }, WAIT);
});

test("the agents' browser is followed, from the start and from the stream, while it is on", async () => {
  const supervisor = await engine(true, { ASTER_BROWSER: "/no/such/browser" });
  const sockets = new Sockets(() => supervisor.endpoint, "the test");
  const wire = ownWire(() => supervisor, sockets);
  const client = ownClient(wire);
  const followed = (): Picture[] => {
    const pictures: Picture[] = [];
    const attention = new Attention(client, wire, {
      onPicture: (one) => pictures.push(one),
      onNews: () => undefined,
    });
    onTestFinished(() => {
      attention.close();
    });
    return pictures;
  };
  const failed = { state: "backoff", error: expect.stringContaining("ASTER_BROWSER is set to") as unknown };

  const before = followed();
  await vi.waitFor(() => {
    expect(before.at(-1)).toMatchObject({ browser: null });
  }, WAIT);
  await client.call("POST", "/api/flags", { browser: true });
  await vi.waitFor(() => {
    expect(before.at(-1)).toMatchObject({ browser: failed });
  }, WAIT);
  const after = followed();
  await vi.waitFor(() => {
    expect(after.at(-1)).toMatchObject({ browser: failed });
  }, WAIT);
  await client.call("POST", "/api/flags", { browser: false });
  await vi.waitFor(() => {
    for (const pictures of [before, after]) expect(pictures.at(-1)).toMatchObject({ browser: null });
  }, WAIT);
});

test.each([
  [{ state: "idle", error: null }, "not started"],
  [{ state: "starting", error: "it ended" }, "starting"],
  [{ state: "ready", error: null }, "ready"],
  [{ state: "backoff", error: "Node is\nnot installed; install Node" }, "failed – Node is not installed"],
  [{ state: "crashed", error: null }, "failed"],
  [{ state: "crashed", error: "é".repeat(80) }, `failed – ${"é".repeat(80)}`],
  [{ state: "crashed", error: "é".repeat(81) }, `failed – ${"é".repeat(80)}…`],
  [{ state: null, error: null }, "not available"],
] as const)("the tray says of the browser: %o", (browser, words) => {
  expect(browserLine("ready", browser)).toBe(`Browser: ${words}`);
  expect(browserLine("restarting", browser)).toBeNull();
  expect(browserLine("ready", null)).toBeNull();
});

describe("what the app remembers", () => {
  test("is written whole, for its owner only, with what only others know", () => {
    const path = join(folder(), "profile", "desktop-state.json");
    mkdirSync(join(path, ".."));
    writeFileSync(
      path,
      JSON.stringify({ schema_version: 1, of_the_future: { a: 1 }, notifications: false, window: "odd" }),
    );
    const state = new StateFile(path);
    expect(state.current).toMatchObject({ notifications: false, window: null });
    state.set({ last_place: "#/s/ses_1", runtime_root: "/data" });
    state.flush();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ of_the_future: { a: 1 }, last_place: "#/s/ses_1" });
    expect(readdirSync(join(path, ".."))).toEqual(["desktop-state.json"]);
    expect(new StateFile(path).current).toEqual(state.current);
  });

  test("is not written when nothing changed", () => {
    const path = join(folder(), "desktop-state.json");
    const state = new StateFile(path);
    state.set({ notifications: true });
    state.flush();
    expect(existsSync(path)).toBe(false);
  });

  test.each(["", "{", "[]", "null", "7"])("is kept aside when it makes no sense: %s", (text) => {
    const home = folder();
    const path = join(home, "desktop-state.json");
    writeFileSync(path, text);
    const state = new StateFile(path);
    expect(state.notice).toContain("starts afresh");
    const [aside = ""] = readdirSync(home);
    expect(aside).toMatch(/^desktop-state\.json\.corrupt-/);
    expect(readFileSync(join(home, aside), "utf8")).toBe(text);
  });

  test("is no reason to end when it can't be written", () => {
    const path = join(folder(), "profile", "desktop-state.json");
    const problems: unknown[] = [];
    const state = new StateFile(path, (cause) => problems.push(cause));
    writeFileSync(join(path, ".."), "a file where the directory would be");
    state.set({ notifications: false });
    state.flush();
    expect(problems).toEqual([expect.objectContaining({ code: expect.stringMatching(/EEXIST|ENOTDIR/) as unknown })]);
    expect(state.current.notifications).toBe(false);
  });

  test("is refused when it is newer", () => {
    const path = join(folder(), "desktop-state.json");
    writeFileSync(path, `{"schema_version": 2}`);
    expect(() => new StateFile(path)).toThrow(StateTooNew);
  });

  test("a window goes where a screen still is", () => {
    const state = { x: 100, y: 50, width: 900, height: 700, maximized: false, full_screen: false };
    const screen = { x: 0, y: 0, width: 1280, height: 800 };
    expect(placed(state, [screen])).toEqual({ x: 100, y: 50, width: 900, height: 700 });
    expect(placed({ ...state, x: 5000 }, [screen])).toEqual({ width: 900, height: 700 });
    expect(placed({ ...state, width: 9000 }, [screen])).toMatchObject({ width: 1280 });
    expect(placed(null, [screen])).toEqual({});
  });
});

describe("another place for the data", () => {
  test("is checked before it is used", () => {
    const home = folder();
    const bundle = join(home, "Aster.app");
    mkdirSync(join(bundle, "resources"), { recursive: true });
    expect(() => chosenRoot("data", [bundle])).toThrow("absolute");
    expect(() => chosenRoot(`${home}/a/../b`, [bundle])).toThrow("..");
    expect(() => chosenRoot(join(bundle, "resources", "data"), [bundle])).toThrow("the app itself");
    expect(() => chosenRoot(bundle, [bundle])).toThrow("the app itself");
    writeFileSync(join(home, "file"), "");
    expect(() => chosenRoot(join(home, "file"), [bundle])).toThrow("Nothing can be written");
    expect(chosenRoot(join(home, "Aster.app data"), [bundle])).toBe(join(home, "Aster.app data"));
  });

  test("is a directory of its own among other files, and what holds data already is adopted", () => {
    const home = folder();
    writeFileSync(join(home, "letter.txt"), "");
    expect(chosenRoot(home, [])).toBe(join(home, "aster"));
    writeFileSync(join(home, "aster.db"), "");
    expect(chosenRoot(home, [])).toBe(home);
    expect(holdsData(home)).toBe(true);
  });

  test("gets all there is", () => {
    const home = folder();
    const from = join(home, "data");
    const to = join(home, "empty", "new");
    mkdirSync(join(from, "logs"), { recursive: true });
    mkdirSync(to, { recursive: true });
    writeFileSync(join(from, "aster.db"), "store");
    symlinkSync("aster.db", join(from, "link"));
    moveData(from, to);
    expect(readFileSync(join(to, "link"), "utf8")).toBe("store");
    expect(existsSync(from)).toBe(false);
    expect(() => {
      moveData(to, join(to, "deeper"));
    }).toThrow("inside the old one");
  });
});

test("a desktop of Linux starts the app by a file that says how", () => {
  expect(autostartPath("app.x", { XDG_CONFIG_HOME: "/cfg" })).toBe("/cfg/autostart/app.x.desktop");
  const entry = autostartEntry({ name: "Aster", app_id: "app.x", command: ["/opt/my app/aster", "100%", `a"b`] });
  expect(entry).toContain(`Exec="/opt/my app/aster" "100%%" "a\\\\"b" "--hidden"\n`);
});
