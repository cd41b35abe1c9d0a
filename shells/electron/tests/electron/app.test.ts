// The app as a person uses it: a real Electron with real windows, the shared page and the real daemon.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { strFromU8, unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { App, closeScreen, screen, WAIT, type Page } from "./app.js";
import { buildOld } from "./old/build.mjs";
import { missing, version } from "./runtime.js";

const why = missing();
if (why !== null && process.env["CI"] === "true") throw new Error(`${why}, and CI=true`);
if (why !== null) console.warn(`skipped: ${why}`);

interface Approval {
  call_id: string;
  name: string;
}

/** The messages of the newest conversation. */
async function messages(page: Page): Promise<{ role: string; text: string; status: string }[]> {
  const { sessions } = await page.call<{ sessions: { session_id: string }[] }>("GET", "/api/sessions");
  const path = `/api/history?agent_id=default&session_id=${sessions[0]?.session_id ?? ""}`;
  return (await page.call<{ messages: { role: string; text: string; status: string }[] }>("GET", path)).messages;
}

describe.skipIf(why !== null)(`Electron ${version()}`, () => {
  afterAll(closeScreen);
  beforeAll(() => buildOld());

  test("the window opens and chats, and shows the conversation again after the next start", async () => {
    const app = await App.launch();
    const page = await app.ready();
    await page.say("think");
    await page.until(`document.querySelector("[class*=assistant], article") !== null`);
    await vi.waitFor(async () => {
      const { sessions } = await page.call<{ sessions: { messages: number; state: string }[] }>("GET", "/api/sessions");
      expect(sessions).toMatchObject([{ messages: 2, state: "idle" }]);
    }, WAIT);
    const answer = (await messages(page))[1]?.text ?? "no answer";
    await page.shows(answer);
    await page.shot("conversation");
    expect(await app.quit()).toBe(0);
    await app.nothingLeft();

    const again = await App.launch({ after: app });
    const later = await again.ready();
    expect(await later.evaluate("location.hash")).toMatch(/^#\/s\/ses_/);
    await later.shows(answer);
  });

  test("an approval is shown with what will run, and answered with the mouse", async () => {
    const app = await App.launch();
    const page = await app.ready();
    await page.say("write hello.txt");
    await page.shows("hello.txt");
    await vi.waitFor(async () => {
      expect(await page.call<Approval[]>("GET", "/api/approvals")).toMatchObject([{ name: "write_file" }]);
    }, WAIT);
    await page.shot("approval");
    await page.click("Allow once");
    await vi.waitFor(() => {
      expect(readFileSync(join(app.home, "work", "hello.txt"), "utf8")).not.toBe("");
    }, WAIT);
    await vi.waitFor(async () => {
      expect(await page.call<Approval[]>("GET", "/api/approvals")).toEqual([]);
    }, WAIT);
  });

  test("the sidecar is killed while a question waits: it comes back, and nothing is lost", async () => {
    const app = await App.launch();
    const page = await app.ready();
    await page.evaluate(
      `(window.seen = [], window.asterHost.onRuntimeStatus((status) => window.seen.push(status)), 0)`,
    );
    await page.say("write kept.txt");
    await page.shows("kept.txt");
    const before = await vi.waitFor(async () => {
      const found = await page.call<Approval[]>("GET", "/api/approvals");
      expect(found).toHaveLength(1);
      return found;
    }, WAIT);
    const { pid, instance_id } = await app.sidecar();
    process.kill(pid, "SIGKILL");
    await page.until(`window.seen.length >= 2`);
    expect(await page.evaluate("window.seen")).toEqual(["restarting", "ready"]);
    expect((await app.sidecar()).instance_id).not.toBe(instance_id);
    expect(await page.call<Approval[]>("GET", "/api/approvals")).toEqual(before);
    // When the "disconnected" notice disappears, the question moves and an earlier click would miss the button.
    await page.shows("Connected");
    await page.click("Allow once");
    await vi.waitFor(() => {
      expect(existsSync(join(app.home, "work", "kept.txt"))).toBe(true);
    }, WAIT);
    await vi.waitFor(async () => {
      const said = await messages(page);
      expect(said.map(({ role, status }) => `${role} ${status}`)).toEqual(["user complete", "assistant complete"]);
    }, WAIT);
  });

  test("a second start shows the first window, and takes its link there; a first start goes there, too", async () => {
    const app = await App.launch();
    const page = await app.ready();
    const { session_id } = await page.call<{ session_id: string }>("POST", "/api/sessions", {
      title: "the linked one",
    });
    await page.evaluate(`location.hash = "#/inbox"`);
    await app.inMain(`electron.BrowserWindow.getAllWindows()[0].hide();`);
    const second = await App.launch({ after: app, arguments: [`aster://session/${session_id}`] });
    expect(await second.ended()).toBe(0);
    await page.until(`location.hash === "#/s/${session_id}"`);
    expect(
      await app.inMain(
        `return electron.BrowserWindow.getAllWindows().map((one) => [one.isVisible(), one.isFocused()]);`,
      ),
    ).toEqual([[true, expect.any(Boolean)]]);
    const third = await App.launch({ after: app, arguments: ["aster://session/../../evil"] });
    expect(await third.ended()).toBe(0);
    expect(await page.evaluate("location.hash")).toBe(`#/s/${session_id}`);
    expect(app.process.exitCode).toBeNull();
    await page.evaluate(`location.hash = "#/inbox"`);
    expect(await app.quit()).toBe(0);
    const linked = await App.launch({ after: app, arguments: [`aster://session/${session_id}`] });
    await (await linked.page()).until(`location.hash === "#/s/${session_id}"`);
  });

  test("every function of the host", async () => {
    const app = await App.launch();
    const page = await app.ready();
    const names = await page.evaluate<string[]>("Object.keys(window.asterHost).sort()");
    expect(names).toEqual(
      [
        ...["getRuntimeInfo", "startEngine", "stopEngine", "restartEngine", "pickFolder", "openLogs"],
        ...["exportDiagnostics", "checkForUpdates", "request", "openSocket", "sendSocket", "closeSocket"],
        ...["onSocketEvent", "onRuntimeStatus", "upload", "download", "saveAttachment"],
      ].sort(),
    );
    const data_dir = join(app.profile, "data");
    expect(await page.host("getRuntimeInfo")).toMatchObject({
      surface: "native",
      framework: "electron",
      protocol: 1,
      engine_status: "ready",
      engine_transport: "unix_socket",
      data_dir,
      config_path: join(data_dir, "config.toml"),
    });

    await page.evaluate(
      `(window.seen = [], window.off = window.asterHost.onRuntimeStatus((one) => window.seen.push(one)), 0)`,
    );
    await page.host("stopEngine");
    expect(await page.host("getRuntimeInfo")).toMatchObject({ engine_status: "stopped" });
    await expect(page.host("request", "GET", "/health")).rejects.toThrow("the daemon is not there");
    await expect(page.host("openSocket", "aster-host://engine/ws")).rejects.toThrow("the daemon is not there");
    await page.host("startEngine");
    await page.host("restartEngine");
    await page.until("window.seen.length >= 5");
    expect(await page.evaluate("window.seen")).toEqual(["stopped", "starting", "ready", "restarting", "ready"]);
    await page.evaluate("window.off()");

    // The page has its own socket, whose events arrive here too.
    const socket = `new Promise((resolve, reject) => { const events = [];
      const given = window.asterHost.openSocket("aster-host://engine/ws");
      const off = window.asterHost.onSocketEvent(async (event) => { if (event.id !== (await given)) return; events.push(event);
        if (event.type === "open") window.asterHost.sendSocket(event.id, JSON.stringify({ id: "1", type: "get_config" }));
        if (event.type === "message") { off(); window.asterHost.closeSocket(event.id).then(() => resolve(events)); } });
      given.catch(reject); })`;
    const events = await page.evaluate<{ type: string; data?: string }[]>(socket);
    expect(events.at(-1)?.type).toBe("message");
    expect(JSON.parse(events.at(-1)?.data ?? "")).toMatchObject({ id: "1", success: true });

    // The test can't click the system's dialogs and file manager, so these stubs replace them.
    await app.inMain(`
      electron.dialog.showOpenDialog = async () => ({ canceled: false, filePaths: ["/chosen"] });
      electron.shell.openPath = async (path) => { global.opened = path; return ""; };
      electron.shell.showItemInFolder = (path) => { global.shown = path; };`);
    expect(await page.host("pickFolder")).toBe("/chosen");
    await app.inMain(`electron.dialog.showOpenDialog = async () => ({ canceled: true, filePaths: [] });`);
    expect(await page.host("pickFolder")).toBeNull();
    await page.host("openLogs");
    expect(await app.inMain("return global.opened;")).toBe(join(data_dir, "logs"));
    const bundle = await page.host<string>("exportDiagnostics");
    expect(await app.inMain("return global.shown;")).toBe(bundle);
    const content = unzipSync(readFileSync(bundle));
    expect(Object.keys(content)).toEqual(expect.arrayContaining(["shell.json", "engine.log"]));
    expect(Object.keys(content).length).toBeGreaterThan(2); // the daemon's files
    expect(JSON.parse(strFromU8(content["shell.json"] ?? new Uint8Array()))).toMatchObject({
      engine: { status: "ready", binary: "override" },
      daemon_bundle: "included",
    });
    const updates = await page.host<{ supported: boolean; message: string }>("checkForUpdates");
    expect(updates.supported).toBe(false);
    expect(updates.message).not.toBe("");
  });

  test("a file goes to the daemon and comes back, and is saved where a person wants it", async () => {
    const app = await App.launch();
    const page = await app.ready();
    const size = 3 * 1024 * 1024;
    await page.evaluate(`(window.bytes = new Uint8Array(${size}), [...Array(48).keys()].forEach((part) =>
      crypto.getRandomValues(window.bytes.subarray(part * 65536, (part + 1) * 65536))), 0)`);
    const name = "Übersicht 🦊 50%.bin";
    const answer = await page.evaluate<{ status: number; body: string }>(
      `window.asterHost.upload(${JSON.stringify(name)}, window.bytes)`,
    );
    expect(answer.status, answer.body).toBe(200);
    const { data } = JSON.parse(answer.body) as { data: { attachment_id: string; name: string; size: number } };
    expect(data).toMatchObject({ name, size });
    const { attachment_id: id } = data;
    expect(
      await page.evaluate(`window.asterHost.download("${id}").then(({ status, media_type, bytes }) => [status, media_type,
        bytes instanceof Uint8Array, bytes.length === window.bytes.length && bytes.every((one, at) => one === window.bytes[at])])`),
    ).toEqual([200, "application/octet-stream", true, true]);

    const empty = await page.evaluate<{ status: number }>(`window.asterHost.upload("empty", new Uint8Array())`);
    expect(empty.status).toBe(422);
    const refusal = `({ status, bytes }) => ({ status, ...JSON.parse(new TextDecoder().decode(bytes)) })`;
    const gone = await page.evaluate(`window.asterHost.download("att_nothing").then(${refusal})`);
    expect(gone).toMatchObject({ status: 404, success: false, code: "attachment_not_found" });
    for (const [call, why] of [
      [`upload("big", new Uint8Array(25 * 1024 * 1024 + 1))`, "25 MiB"],
      [`upload("text", "no bytes")`, "a file is bytes"],
      [`download("a/../../agents")`, "not the id of an attachment"],
      [`saveAttachment("a/b", "x")`, "not the id of an attachment"],
      [`saveAttachment("att_nothing", "x")`, "attachment not found"],
    ] as const)
      await expect(page.evaluate(`window.asterHost.${call}`)).rejects.toThrow(why);

    // An object URL of a downloaded image is shown: the page's policy allows it.
    const image = `new Promise((resolve) => { const image = new Image(); image.onload = () => resolve("shown");
      image.onerror = () => resolve("refused"); document.createElement("canvas").toBlob((blob) => {
      image.src = URL.createObjectURL(blob); }); })`;
    expect(await page.evaluate(image)).toBe("shown");

    // The test can't use the system's dialog, so these stubs replace it.
    const path = join(app.home, "saved.bin");
    await app.inMain(`electron.dialog.showSaveDialog = async (_window, { defaultPath }) => {
      global.suggested = defaultPath; return { canceled: false, filePath: ${JSON.stringify(path)} }; };`);
    expect(await page.host("saveAttachment", id, `../elsewhere/${name}`)).toBe(path);
    const folder = await app.inMain<string>(`return electron.app.getPath("downloads");`);
    expect(await app.inMain("return global.suggested;")).toBe(join(folder, name));
    const sum = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 0);
    const saved = readFileSync(path);
    expect(saved).toHaveLength(size);
    expect(await page.evaluate(`window.bytes.reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 0)`)).toBe(
      sum(saved),
    );
    await app.inMain(`electron.dialog.showSaveDialog = async () => ({ canceled: true, filePath: "" });`);
    expect(await page.host("saveAttachment", id, name)).toBeNull();
  });

  test("the page has no more than that: no Node, no token, no other origin, no other window", async () => {
    const app = await App.launch();
    const page = await app.ready();
    expect(
      await page.evaluate("[typeof require, typeof process, typeof module, typeof Buffer, typeof window.electron]"),
    ).toEqual(Array(5).fill("undefined"));
    for (const [method, path, body] of [
      ["CONNECT", "/api/agents"],
      ["GET", "http://127.0.0.1/api/agents"],
      ["GET", "//evil/api/agents"],
      ["GET", "/api/../etc"],
      ["GET", "/api/%2e%2e/x"],
      ["GET", "/api/x y"],
      ["GET", "/api/x\r\nHost: evil"],
      ["GET", "/assets/x.js"],
      ["GET", "/api/events"],
      ["POST", "/api/chat", "x".repeat(1024 * 1024 + 1)],
      ["POST", "/api/chat", 7],
    ])
      await expect(page.host("request", method, path, body)).rejects.toThrow(/none of the daemon's|openSocket|body/);
    for (const url of ["ws://127.0.0.1:9527/ws", "aster-host://engine/other", "aster-host://evil/ws", 7])
      await expect(page.host("openSocket", url)).rejects.toThrow("not a socket of this host");
    await expect(page.host("sendSocket", "socket_" + "0".repeat(32), "x")).rejects.toThrow("no such socket");

    const answer = `fetch(location.href).then((one) => [...one.headers].filter(([name]) => /policy|content-type-o/.test(name)))`;
    const headers = Object.fromEntries(await page.evaluate<[string, string][]>(answer));
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
    expect(headers["content-security-policy"]).toContain("img-src 'self' data: blob:;");
    expect(await page.evaluate(`fetch("http://127.0.0.1:9527/health").then(() => "reached", () => "refused")`)).toBe(
      "refused",
    );
    expect(await page.evaluate(`fetch("aster-app://app/%2e%2e/main.cjs").then((one) => one.status)`)).toBe(404);

    await app.inMain(`global.links = []; electron.shell.openExternal = async (url) => { global.links.push(url); };`);
    await page.evaluate(`window.open("https://example.com/one"); window.open("file:///etc/passwd"); 0`);
    await page.evaluate(`(() => { const link = document.createElement("a"); link.href = "https://example.com/two";
      document.body.append(link); link.click(); link.href = "javascript:document.title='evil'"; link.click(); })()`);
    await vi.waitFor(async () => {
      expect(await app.inMain("return global.links;")).toEqual(["https://example.com/one", "https://example.com/two"]);
    }, WAIT);
    expect((await app.targets()).map(({ url }) => url.split("#")[0])).toEqual(["aster-app://app/index.html"]);
    expect(await page.evaluate("document.title")).not.toBe("evil");
  });

  test("a page from elsewhere gets no answer from the host", async () => {
    const app = await App.launch();
    await app.ready();
    await app.inMain(`
      const window = new electron.BrowserWindow({ show: false, webPreferences: {
        preload: electron.BrowserWindow.getAllWindows()[0].webContents.getLastWebPreferences().preload,
        contextIsolation: true, sandbox: true } });
      await window.loadURL("data:text/html,<title>elsewhere</title>");`);
    const page = await app.page("data:text/html");
    await expect(page.host("getRuntimeInfo")).rejects.toThrow("only the app's own page may ask");
    await expect(page.host("request", "GET", "/api/agents")).rejects.toThrow("only the app's own page may ask");
  });

  test("closing hides, and what the agents do goes on; a question then is a notification that opens its session", async () => {
    const app = await App.launch();
    const page = await app.ready();
    const { session_id } = await page.call<{ session_id: string }>("POST", "/api/sessions", {
      title: "in the background",
    });
    await page.evaluate(`location.hash = "#/inbox"`);
    await app.inMain(`electron.BrowserWindow.getAllWindows()[0].close();`);
    expect(await app.inMain(`return electron.BrowserWindow.getAllWindows().map((one) => one.isVisible());`)).toEqual([
      false,
    ]);
    await page.call("POST", "/api/chat", { agent_id: "default", session_id, message: "write later.txt" });
    await vi.waitFor(async () => {
      expect(await app.inMain("return shownNotifications.map(({ title, body }) => title + body);")).toHaveLength(1);
    }, WAIT);
    const said = await app.inMain<string>("return JSON.stringify(shownNotifications[0]);");
    expect(said).toContain("write_file");
    expect(said).not.toContain("later.txt");
    await app.inMain("shownNotifications[0].click();");
    await page.until(`location.hash === "#/s/${session_id}"`);
    expect(await app.inMain(`return electron.BrowserWindow.getAllWindows()[0].isVisible();`)).toBe(true);
  });

  test("a desktop shows the notification, and a click on it opens the session", async ({ skip }) => {
    if (["dunst", "dbus-daemon"].some((name) => spawnSync("which", [name]).status !== 0)) skip("dunst is not here");
    const display = await screen();
    const daemon = spawn("dbus-daemon", ["--session", "--nofork", "--print-address"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    onTestFinished(() => void daemon.kill());
    const [address] = (await once(createInterface({ input: daemon.stdout }), "line")) as [string];
    const bus = { DBUS_SESSION_BUS_ADDRESS: address };
    const env = { ...process.env, ...bus, DISPLAY: display, HOME: "/nonexistent" };
    const desktop = spawn("dunst", ["-conf", "/dev/null"], { env, stdio: "ignore" });
    onTestFinished(() => void desktop.kill());
    const dunst = (...words: string[]): string => execFileSync("dunstctl", words, { env, encoding: "utf8" }).trim();
    await vi.waitFor(() => dunst("count"), WAIT);

    const app = await App.launch({ environment: { ...bus, ASTER_TEST_DESKTOP: "1" } });
    const page = await app.ready();
    const { session_id } = await page.call<{ session_id: string }>("POST", "/api/sessions", {
      title: "on the desktop",
    });
    await app.inMain(`electron.BrowserWindow.getAllWindows()[0].hide();`);
    await page.call("POST", "/api/chat", { agent_id: "default", session_id, message: "write shown.txt" });
    await vi.waitFor(() => {
      expect(dunst("count", "displayed")).toBe("1");
    }, WAIT);
    dunst("action"); // the same as a click on it
    await page.until(`location.hash === "#/s/${session_id}"`);
    expect(await app.inMain(`return electron.BrowserWindow.getAllWindows()[0].isVisible();`)).toBe(true);
  });

  test("quit takes everything along, also while a tool runs", async () => {
    const app = await App.launch({ environment: { ASTER_PERMISSION_MODE: "auto_approve" } });
    const page = await app.ready();
    await page.call("POST", "/api/chat", { agent_id: "default", message: `call run_command {"command": "sleep 600"}` });
    await vi.waitFor(() => execFileSync("pgrep", ["-f", "sleep 600"]), WAIT);
    expect(await app.quit()).toBe(0);
    await app.nothingLeft();
  });

  test.each(["SIGKILL", "SIGTERM"] as const)("a main process that gets %s leaves nothing behind", async (signal) => {
    const app = await App.launch();
    await app.ready();
    await app.sidecar();
    app.process.kill(signal);
    expect(await app.ended()).toBe(signal === "SIGTERM" ? 0 : signal);
    await app.nothingLeft();
  });

  test("an app that is killed while its daemon hangs is up again by itself, with one daemon", async () => {
    const app = await App.launch();
    const before = await app.ready();
    await before.say("before");
    await before.shows("You said: “before”");
    const { pid } = await app.sidecar();
    process.kill(pid, "SIGSTOP");
    app.process.kill("SIGKILL");
    expect(await app.ended()).toBe("SIGKILL");

    const again = await App.launch({ after: app });
    const page = await again.ready();
    await page.say("hello");
    await page.shows("You said: “hello”");
    expect((await again.sidecar()).pid).not.toBe(pid);
    expect(again.family(), "the one that hung is gone").not.toContain(pid);
  });

  test("commands find what only the login shell's start-up files put on PATH", async () => {
    const home = mkdtempSync(join(tmpdir(), "aster-login-"));
    onTestFinished(() => {
      rmSync(home, { recursive: true, force: true });
    });
    mkdirSync(join(home, "bin"));
    writeFileSync(join(home, "bin", "mytool"), "#!/bin/sh\necho found by the login shell\n", { mode: 0o755 });
    writeFileSync(join(home, ".bash_profile"), 'PATH="$HOME/bin:$PATH"\n');
    // The environment that a desktop gives to an app that it starts.
    const environment = { HOME: home, SHELL: "/bin/bash", PATH: "/usr/bin:/bin:/usr/sbin:/sbin", TERM: "" };
    // This home is in the directory for temporary files, of which the sandbox has its own.
    const settings = { ASTER_PERMISSION_MODE: "auto_approve", ASTER_SANDBOX: "off" };
    const app = await App.launch({ environment: { ...environment, ...settings } });
    const page = await app.ready();
    await page.say('call run_command {"command": "mytool"}');
    await page.shows("found by the login shell");
  });

  test("the window comes back where it was and as large, and a broken state file is kept aside", async () => {
    const app = await App.launch();
    const path = join(app.profile, "desktop-state.json");
    const page = await app.ready();
    await app.inMain(
      `electron.BrowserWindow.getAllWindows()[0].setBounds({ x: 120, y: 90, width: 700, height: 600 });`,
    );
    app.press("ctrl+minus");
    await page.until("window.innerWidth > 700");
    await app.quit();
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({
      schema_version: 1,
      window: { x: 120, y: 90, width: 700, height: 600, maximized: false },
    });
    const again = await App.launch({ after: app });
    const later = await again.ready();
    await later.until("window.innerWidth > 700");
    expect(await again.inMain(`return electron.BrowserWindow.getAllWindows()[0].getBounds();`)).toEqual({
      x: 120,
      y: 90,
      width: 700,
      height: 600,
    });
    await again.quit();

    writeFileSync(path, "{ half a");
    const afresh = await App.launch({ after: app });
    await afresh.page();
    await vi.waitFor(() => {
      const kept = readdirSync(app.profile).filter((name) => name.startsWith("desktop-state.json.corrupt-"));
      expect(kept.map((name) => readFileSync(join(app.profile, name), "utf8"))).toEqual(["{ half a"]);
    }, WAIT);
    await vi.waitFor(() => {
      expect(afresh.windows()).toHaveLength(2); // the notice and the window
    }, WAIT);
  });

  test("what a newer version remembered is left alone, and the app says so", async () => {
    const app = await App.launch();
    await app.ready();
    await app.quit();
    const path = join(app.profile, "desktop-state.json");
    const newer = JSON.stringify({ schema_version: 99, later: true });
    writeFileSync(path, newer);
    const again = await App.launch({ after: app });
    await vi.waitFor(() => {
      expect(again.windows()).toHaveLength(1);
    }, WAIT);
    expect(readFileSync(path, "utf8")).toBe(newer);
    expect(again.process.exitCode).toBeNull();
  });

  test("an engine that can't start is said with what can be done, and started when that is done", async () => {
    const app = await App.launch();
    const page = await app.ready();
    await app.inMain(`global.said = [];
      electron.dialog.showMessageBox = (options) => { global.said.push(options);
        return new Promise((resolve) => { global.press = (response) => resolve({ response }); }); };`);
    const config = join(app.profile, "data", "config.toml");
    const good = readFileSync(config, "utf8");
    writeFileSync(config, `permission_mode = "whatever"\n`);
    await expect(page.host("restartEngine")).rejects.toThrow("its configuration is wrong");
    expect(await page.host("getRuntimeInfo")).toMatchObject({ engine_status: "crashed" });
    const [{ detail, buttons }] = await app.inMain<[{ detail: string; buttons: string[] }]>("return global.said;");
    expect(detail).toContain("permission_mode");
    expect(buttons[0]).toBe("Try again");
    writeFileSync(config, good);
    await app.inMain("global.press(0);");
    await vi.waitFor(async () => {
      expect(await page.host("getRuntimeInfo")).toMatchObject({ engine_status: "ready" });
    }, WAIT);
  });

  test("what was written while the engine was stopped is there after a restart of the app, and not sent by itself", async () => {
    const app = await App.launch();
    const page = await app.ready();
    await page.say("think");
    await vi.waitFor(async () => {
      expect(await messages(page)).toMatchObject([{}, { status: "complete" }]);
    }, WAIT);
    await page.shows((await messages(page))[1]?.text ?? "no answer"); // the page has received it, too
    await page.host("stopEngine");
    await page.say("a thought for later");
    await page.shows("a thought for later");
    await page.until(`document.querySelector("[aria-label^=Draft]")`);
    await page.shot("draft");
    await app.quit();

    const again = await App.launch({ after: app });
    const later = await again.ready();
    await later.shows("a thought for later");
    expect((await messages(later)).map(({ text }) => text)).not.toContain("a thought for later");
  });

  test("the menu leads through the page and sets what the app does by itself, also by its keys", async () => {
    const app = await App.launch();
    const page = await app.ready();
    const click = (label: string): Promise<unknown> =>
      app.inMain(`electron.Menu.getApplicationMenu().items.flatMap(({ submenu }) => submenu.items)
        .find((item) => item.label === ${JSON.stringify(label)}).click();`);
    // No key may have two meanings. Electron itself puts Close in two menus, which is allowed.
    const keys = await app.inMain<Record<string, string>>(`const keys = {}; for (const item of
      electron.Menu.getApplicationMenu().items.flatMap(({ submenu }) => submenu.items)) {
        const own = (item.accelerator || item.getDefaultRoleAccelerator() || "").replace(/CommandOrControl|CmdOrCtrl|Ctrl/, "Control");
        const does = item.role || item.label;
        if (own && (keys[own] || does) !== does) throw new Error(own + " is " + keys[own] + " and " + does);
        if (own) keys[own] = does; }
      return keys;`);
    expect(keys).toMatchObject({ "Control+Shift+I": "Inbox", "Control+Shift+A": "Agents", "Control+R": "reload" });
    for (const [label, place] of [
      ["Inbox", "#/inbox"],
      ["Agents", "#/agents"],
      ["Settings", "#/settings/models"],
      ["New Conversation", "#/new"],
    ]) {
      await click(label ?? "");
      await page.until(`location.hash === ${JSON.stringify(place)}`);
    }
    app.press("ctrl+comma");
    await page.until(`location.hash === "#/settings/models"`);
    const wide = await page.evaluate<number>("window.innerWidth");
    app.press("ctrl+minus");
    await page.until(`window.innerWidth > ${wide}`);
    app.press("ctrl+0");
    await page.until(`window.innerWidth === ${wide}`);
    await page.evaluate("(window.marked = true, 0)");
    app.press("ctrl+r");
    await page.until("window.asterHost && !window.marked");
    await app.inMain(`electron.shell.openExternal = async (url) => { global.link = url; };`);
    await click("Open in Browser");
    const link = await vi.waitFor(async () => {
      const url = new URL(await app.inMain<string>("return global.link;"));
      expect(url.hostname).toBe("127.0.0.1");
      return url;
    }, WAIT);
    const code = /[A-Za-z0-9_-]{43}/.exec(link.hash)?.[0];
    const redeem = (): Promise<Response> =>
      fetch(new URL("/api/handoff/redeem", link), {
        method: "POST",
        headers: { "Content-Type": "application/json", Origin: link.origin },
        body: JSON.stringify({ code }),
      });
    expect((await redeem()).status).toBe(200);
    expect((await redeem()).status).not.toBe(200);

    // If something that a person asked for fails, a dialog shows an error.
    writeFileSync(join(app.profile, "data", "diagnostics"), "in the way");
    await app.inMain(`electron.dialog.showErrorBox = (title) => { global.said = title; };`);
    await click("Export Diagnostics");
    await vi.waitFor(async () => {
      expect(await app.inMain("return global.said;")).toBe("The diagnostics could not be exported");
    }, WAIT);

    const entry = join(app.home, "home", ".config", "autostart", "app.aster.shell.desktop");
    await click("Start on Login");
    expect(readFileSync(entry, "utf8")).toMatch(/^Exec=".*electron.*" ".*build.*" "--hidden"$/m);
    await click("Start on Login");
    expect(existsSync(entry)).toBe(false);
    await click("Notifications");
    await app.inMain(`electron.BrowserWindow.getAllWindows()[0].hide();`);
    const question = async (file: string): Promise<void> => {
      const { session_id } = await page.call<{ session_id: string }>("POST", "/api/sessions", { title: file });
      await page.call("POST", "/api/chat", { agent_id: "default", session_id, message: `write ${file}` });
    };
    const unread = (count: number): Promise<void> =>
      vi.waitFor(async () => {
        expect(await page.call<{ unread: number }>("GET", "/api/notifications")).toMatchObject({ unread: count });
      }, WAIT);
    await question("unheard.txt");
    await unread(1);
    await click("Notifications"); // on again, but the flag turns them off
    await page.call("POST", "/api/flags", { desktop_notifications: false });
    await question("unheard_again.txt");
    await unread(2);
    await page.call("POST", "/api/flags", { desktop_notifications: true });
    await question("heard.txt"); // this one is shown; the earlier ones were not
    await vi.waitFor(async () => {
      expect(await app.inMain("return shownNotifications.length;")).toBeGreaterThan(0);
    }, WAIT);
    expect(await app.inMain("return shownNotifications.length;")).toBe(1);
  });

  test("the tray says how things are, and does what it offers", async () => {
    const app = await App.launch({ environment: { ASTER_BROWSER: "/no/such/browser" } });
    const page = await app.ready();
    // No desktop draws the tray here, so the test records the values that it is given.
    await app.inMain(`
      const { setContextMenu, setToolTip } = electron.Tray.prototype;
      electron.Tray.prototype.setContextMenu = function (menu) { global.tray = menu; setContextMenu.call(this, menu); };
      electron.Tray.prototype.setToolTip = function (text) { global.tip = text; setToolTip.call(this, text); };`);
    const lines = (): Promise<string[]> => app.inMain("return global.tray.items.map(({ label }) => label);");
    const says = (line: string): Promise<void> =>
      vi.waitFor(async () => {
        expect(await lines()).toContain(line);
      }, WAIT);
    const choose = async (line: string): Promise<void> => {
      await says(line);
      await app.inMain(`global.tray.items.find(({ label }) => label === ${JSON.stringify(line)}).click();`);
    };
    await page.call("POST", "/api/chat", { agent_id: "default", message: "write waits.txt" });
    await says("Inbox (1)");
    expect(await app.inMain("return global.tip;")).toMatch(/^Aster: ready, 1 question waits/);
    for (const line of ["Open Aster", "Quick Panel", "Restart Engine", "Notifications", "Start on Login", "Quit"])
      expect(await lines()).toContain(line);
    await choose("Inbox (1)");
    await page.until(`location.hash === "#/inbox"`);
    await app.inMain(`electron.BrowserWindow.getAllWindows()[0].close();`);
    await choose("Open Aster");
    expect(await app.inMain(`return electron.BrowserWindow.getAllWindows()[0].isVisible();`)).toBe(true);
    const browser = async (): Promise<string | undefined> =>
      (await lines()).find((line) => line.startsWith("Browser: "));
    expect(await browser()).toBeUndefined();
    await page.call("POST", "/api/flags", { browser: true });
    await vi.waitFor(async () => {
      expect(await browser()).toMatch(/^Browser: failed – ASTER_BROWSER is set to \/no\/such\/browser, /);
    }, WAIT);
    await app.inMain(`global.tray.items.find(({ label }) => label.startsWith("Browser: ")).click();`);
    await page.until(`location.hash === "#/settings/mcp"`);
    await page.call("POST", "/api/flags", { browser: false });
    await vi.waitFor(async () => {
      expect(await browser()).toBeUndefined();
    }, WAIT);
    await page.host("stopEngine");
    await choose("Start Engine");
    await says("Restart Engine");
    const ended = app.ended();
    await app.inMain(`setTimeout(() => global.tray.items.find(({ label }) => label === "Quit").click(), 100);`);
    app.leave();
    expect(await ended).toBe(0);
    await app.nothingLeft();
  });

  test("a page whose process ends is loaded again", async () => {
    const app = await App.launch();
    await app.ready();
    const pid = await app.inMain<number>(
      "return electron.BrowserWindow.getAllWindows()[0].webContents.getOSProcessId();",
    );
    process.kill(pid, "SIGKILL");
    await vi.waitFor(async () => {
      const now = "return electron.BrowserWindow.getAllWindows()[0].webContents.getOSProcessId();";
      expect([0, pid]).not.toContain(await app.inMain<number>(now));
    }, WAIT);
    // A link that arrives while the page loads is opened as soon as the page listens.
    const page = await app.page();
    for (const place of ["a", "b", "c"]) {
      await app.inMain(`
        electron.Menu.getApplicationMenu().items.flatMap(({ submenu }) => submenu.items)
          .find(({ label }) => label === "Reload").click();
        electron.app.emit("second-instance", {}, ["aster", "aster://session/ses_${place}"]);`);
      await page.until(`location.hash === "#/s/ses_${place}"`);
    }
  });

  test("started by the system it comes without a window, and shows it when it is asked for", async () => {
    const app = await App.launch({ arguments: ["--hidden"] });
    await app.ready();
    const visible = `return electron.BrowserWindow.getAllWindows().map((one) => one.isVisible());`;
    expect(await app.inMain(visible)).toEqual([false]);
    const second = await App.launch({ after: app });
    expect(await second.ended()).toBe(0);
    await vi.waitFor(async () => {
      expect(await app.inMain(visible)).toEqual([true]);
    }, WAIT);
  });

  test("the data move where a person wants them", async () => {
    const app = await App.launch();
    const page = await app.ready();
    await page.call("POST", "/api/sessions", { title: "moved along" });
    const chosen = join(app.home, "elsewhere");
    mkdirSync(chosen);
    await app.inMain(`
      electron.dialog.showOpenDialog = async () => ({ canceled: false, filePaths: [${JSON.stringify(chosen)}] });
      electron.dialog.showMessageBox = async () => ({ response: 0 });
      electron.Menu.getApplicationMenu().items.flatMap(({ submenu }) => submenu.items)
        .find(({ label }) => label.startsWith("Data Directory")).click();`);
    await vi.waitFor(async () => {
      expect(await page.host("getRuntimeInfo")).toMatchObject({ data_dir: chosen, engine_status: "ready" });
    }, WAIT);
    const { sessions } = await page.call<{ sessions: { title: string }[] }>("GET", "/api/sessions");
    expect(sessions.map(({ title }) => title)).toContain("moved along");
    expect(readdirSync(chosen)).toContain("aster.db");
    expect(existsSync(join(app.profile, "data"))).toBe(false);
    await app.quit();
    const again = await App.launch({ after: app });
    const later = await again.ready();
    expect(await later.host("getRuntimeInfo")).toMatchObject({ data_dir: chosen });
  });

  test("the hotkey opens the quick panel and closes it; a hotkey that another app has is reported", async () => {
    const app = await App.launch();
    await app.ready();
    const visible = `return electron.BrowserWindow.getAllWindows().filter((one) => one.isVisible()).length;`;
    await vi.waitFor(async () => {
      expect(await app.inMain(visible)).toBe(1);
    }, WAIT);
    const press = (): void => {
      execFileSync("xdotool", ["key", "ctrl+shift+space"], { env: { ...process.env, DISPLAY: app.display } });
    };
    press();
    const quick = await app.page("#/new");
    await vi.waitFor(async () => {
      expect(await app.inMain(visible)).toBe(2);
    }, WAIT);
    await quick.until(`document.querySelector("textarea")`);
    await quick.shot("quick-panel");
    press();
    await vi.waitFor(async () => {
      expect(await app.inMain(visible)).toBe(1);
    }, WAIT);

    const other = await App.launch();
    await other.ready();
    const said = await other.inMain<string[]>("return shownNotifications.map(({ body }) => body);");
    expect(said).toEqual([expect.stringContaining("belongs to another app")]);
  });

  test("a flag that is off takes tray, hotkey and quick panel away, and on brings them back", async () => {
    const app = await App.launch();
    const page = await app.ready();
    const registered = `return electron.globalShortcut.isRegistered("CommandOrControl+Shift+Space");`;
    await vi.waitFor(async () => {
      expect(await app.inMain(registered)).toBe(true);
    }, WAIT);
    await app.inMain(`global.trays = 1;
      const { destroy, setContextMenu } = electron.Tray.prototype;
      electron.Tray.prototype.destroy = function () { global.trays -= 1; destroy.call(this); };
      electron.Tray.prototype.setContextMenu = function (menu) { global.trays = 1; setContextMenu.call(this, menu); };`);
    execFileSync("xdotool", ["key", "ctrl+shift+space"], { env: { ...process.env, DISPLAY: app.display } });
    await app.page("#/new");
    for (const on of [false, true]) {
      await page.call("POST", "/api/flags", { ambient: on });
      await vi.waitFor(async () => {
        expect(await app.inMain(registered)).toBe(on);
        expect(await app.inMain("return global.trays;")).toBe(on ? 1 : 0);
        expect(await app.targets()).toHaveLength(1);
      }, WAIT);
    }
  });
});
