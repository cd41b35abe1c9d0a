// The page's part in a native shell: `window.asterHost` relays to the real daemon, and the page has neither token nor
// port. The shells have separate tests with real windows.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { TestHost } from "../../client/tests/host.js";
import { answers, desk, questions, say } from "./browser.js";

test("a chat, a question and a restart of the daemon through the host, and what only a host can do", async () => {
  const made = await desk({ token: "the-shells-own-token", shell: true });
  const host = new TestHost(made.daemon);
  const asked: string[] = [];
  const { context } = made;
  await context.exposeFunction("hostCall", async (name: string, args: unknown[]): Promise<unknown> => {
    switch (name) {
      case "request":
        return host.request(...(args as [string, string, string?]));
      case "openSocket":
        return host.openSocket(args[0] as string);
      case "sendSocket":
        return host.sendSocket(...(args as [string, string]));
      case "closeSocket":
        return host.closeSocket(args[0] as string);
      default:
        asked.push(name);
        if (name === "pickFolder") return made.daemon.home;
        return name === "checkForUpdates" ? { supported: false, message: "This copy is not updated." } : undefined;
    }
  });
  await context.addInitScript(() => {
    type Listener = (value: unknown) => void;
    const scope = window as unknown as Record<string, unknown> & {
      hostCall: (name: string, args: unknown[]) => Promise<unknown>;
    };
    const sockets = new Set<Listener>();
    const states = new Set<Listener>();
    scope.hostEvent = (event: unknown) => sockets.forEach((listener) => listener(event));
    scope.hostStatus = (status: unknown) => states.forEach((listener) => listener(status));
    const listen = (to: Set<Listener>) => (listener: Listener) => {
      to.add(listener);
      return () => to.delete(listener);
    };
    const names = [
      "request",
      "openSocket",
      "sendSocket",
      "closeSocket",
      "restartEngine",
      "openLogs",
      "checkForUpdates",
      "pickFolder",
    ];
    scope.asterHost = {
      ...Object.fromEntries(names.map((name) => [name, (...args: unknown[]) => scope.hostCall(name, args)])),
      onSocketEvent: listen(sockets),
      onRuntimeStatus: listen(states),
    };
  });
  const tell = (page: Page, name: string, value: unknown): Promise<void> =>
    page.evaluate(
      ([name, value]) => {
        (window as unknown as Record<string, (value: unknown) => void>)[name]?.(value);
      },
      [name, value] as const,
    );
  const page = await made.open("", (page) => {
    host.onSocketEvent((event) => {
      if (!page.isClosed()) void tell(page, "hostEvent", event).catch(() => undefined);
    });
  });
  await page.locator(".link-connected").waitFor();

  await say(page, "write by-host.txt");
  await questions(page).getByRole("button", { name: "Allow once" }).click();
  await answers(page).getByText("is done").waitFor();
  expect(made.daemon.file("by-host.txt")).toContain("demo");

  const folder = { id: "place", text: "Which folder?", kind: "folder" };
  await say(page, `call ask_user ${JSON.stringify({ questions: [folder], reason: "It is needed." })}`);
  await questions(page).getByRole("button", { name: "Choose…" }).click();
  await expect.poll(() => questions(page).getByRole("textbox").inputValue()).toBe(made.daemon.home);
  await questions(page).getByRole("button", { name: "Answer", exact: true }).click();
  await page.locator(".asked dd", { hasText: made.daemon.home }).waitFor();
  expect(asked.splice(0)).toEqual(["pickFolder"]);

  await made.daemon.kill();
  await tell(page, "hostStatus", "crashed");
  await page.getByText("Aster’s engine crashed several times").waitFor();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect.poll(() => asked).toEqual(["restartEngine"]);
  await made.daemon.start();
  await tell(page, "hostStatus", "ready");
  await page.locator(".link-connected").waitFor();
  await expect.poll(() => page.getByText("The daemon has crashed").count()).toBe(0);

  await page.evaluate(() => (window.location.hash = "#/settings/about"));
  await page.getByRole("button", { name: "Check for updates" }).click();
  await page.getByText("This copy is not updated.").waitFor();
  await page.getByRole("button", { name: "Open logs" }).click();
  await expect.poll(() => asked).toContain("openLogs");
  expect(await page.content()).not.toContain("the-shells-own-token");
});

test("the system tells what happens while nobody looks, once it may", async () => {
  const { open, context, daemon } = await desk({ model: "demo" });
  await context.grantPermissions(["notifications"]);
  await context.addInitScript(() => {
    const scope = window as unknown as { shown: string[]; away: boolean };
    scope.shown = [];
    scope.away = false;
    // A headless browser never hides a page and shows no notifications, so both are replaced here.
    Object.defineProperty(document, "visibilityState", { get: () => (scope.away ? "hidden" : "visible") });
    window.Notification = class {
      static permission = "granted";
      onclick: (() => void) | null = null;
      constructor(title: string, { body }: { body: string }) {
        scope.shown.push(`${title}: ${body}`);
        (scope as unknown as { click: () => void }).click = () => this.onclick?.();
      }
    } as unknown as typeof Notification;
  });
  const page = await open("#/agents");
  const client = daemon.client();
  const { session_id } = await client.sessions.create({ title: "elsewhere" });
  await page.evaluate(() => {
    (window as unknown as { away: boolean }).away = true;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await client.chat({ agent_id: "default", session_id, message: "write secret-name.txt" });
  const shown = (): Promise<string[]> => page.evaluate(() => (window as unknown as { shown: string[] }).shown);
  await expect.poll(shown).toHaveLength(1);
  expect((await shown())[0]).toMatch(/write_file/);
  expect((await shown())[0]).not.toContain("secret-name");
  await page.evaluate(() => {
    (window as unknown as { away: boolean; click: () => void }).away = false;
    (window as unknown as { click: () => void }).click();
  });
  await page.getByRole("heading", { level: 1, name: "elsewhere" }).waitFor();
  await questions(page).waitFor(); // the click opened the question and did not answer it
});

test("the person is asked whether the system may tell only after something was missed, and once", async () => {
  const { open, context, daemon } = await desk();
  await context.addInitScript(() => {
    const scope = window as unknown as { away: boolean; asked: number };
    Object.assign(scope, { away: false, asked: 0 });
    Object.defineProperty(document, "visibilityState", { get: () => (scope.away ? "hidden" : "visible") });
    window.Notification = {
      permission: "default",
      requestPermission: () => {
        scope.asked += 1;
        return Promise.resolve("denied");
      },
    } as unknown as typeof Notification;
  });
  const page = await open("#/agents");
  const look = (away: boolean): Promise<void> =>
    page.evaluate((away) => {
      (window as unknown as { away: boolean }).away = away;
      document.dispatchEvent(new Event("visibilitychange"));
    }, away);
  const offer = page.getByText("Shall the system tell you next time?");
  const client = daemon.client();
  const miss = async (title: string): Promise<void> => {
    const { session_id } = await client.sessions.create({ title });
    await look(true);
    await client.chat({ agent_id: "default", session_id, message: "hello" });
    await page.getByRole("link", { name: new RegExp(`^Inbox ${title} waiting`) }).waitFor();
    await look(false);
  };
  expect(await offer.count()).toBe(0);
  await miss("1");
  await page.getByRole("button", { name: "Turn on" }).click();
  await expect.poll(() => page.evaluate(() => (window as unknown as { asked: number }).asked)).toBe(1);
  await offer.waitFor({ state: "detached" });
  await miss("2");
  await page.getByRole("link", { name: "Archive" }).click();
  await page.getByRole("heading", { name: "Archive" }).waitFor();
  expect(await offer.count()).toBe(0);
});
