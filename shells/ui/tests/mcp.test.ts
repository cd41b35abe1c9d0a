// MCP servers on the page: real servers, which the real daemon starts.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { McpServerDetails } from "@aster-sidecar/client";
import type { Locator, Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { python, repository } from "../../client/scripts/python.mjs";
import { accessible, desk, fits, focused, questions, say, type Desk } from "./browser.js";

const LIVING = join(repository, "tests", "support", "mcp_living.py");

/**
 * A daemon whose person has a folder for each of these servers, and one for a new one. `servers`: more lines of the
 * table of each, by its name.
 */
async function room(servers: Record<string, string> = {}): Promise<Desk & { home: (name: string) => string }> {
  const person = mkdtempSync(join(tmpdir(), "aster-person-"));
  onTestFinished(() => {
    rmSync(person, { recursive: true, force: true });
  });
  const home = (name: string): string => join(person, name);
  for (const name of ["new", ...Object.keys(servers)]) mkdirSync(home(name));
  const tables = Object.entries(servers).map(
    ([name, more]) =>
      `[mcp.${name}]\ncommand = ${JSON.stringify(python)}\nargs = ${JSON.stringify([LIVING, home(name)])}\n${more}\n`,
  );
  const made = await desk({ files: { "config.toml": tables.join("\n") }, environment: { HOME: person } });
  return { ...made, home };
}

const row = (page: Page, name: string): Locator =>
  page.getByRole("listitem").filter({ has: page.getByRole("link", { name, exact: true }) });

/** The processes of a server that have not ended by themselves. */
const lives = (home: string): number[] =>
  existsSync(join(home, "lives"))
    ? readdirSync(join(home, "lives"))
        .filter(
          (pid) =>
            readFileSync(join(home, "lives", pid), "utf8")
              .trim()
              .split("\n").length === 1,
        )
        .map(Number)
    : [];

test("a server is added with the form, after a try, and its secret is not in config.toml", async () => {
  const { open, daemon, home } = await room();
  const page = await open("#/settings/mcp");
  await page.getByText("No MCP servers yet.").waitFor();
  await page.getByRole("button", { name: "Add a server" }).click();
  const form = page.getByRole("form", { name: "Add a server" });
  await focused(form.getByLabel("Name", { exact: true }));
  await form.getByLabel("Name", { exact: true }).fill("My notes");
  const command = form.getByLabel("Command line");
  await command.fill(`"${python}" ${LIVING} '${home("new")}`);
  await form.getByRole("button", { name: "Add", exact: true }).click();
  await form
    .getByRole("alert")
    .getByText(/^The name needs/)
    .waitFor();
  await form.getByLabel("Name", { exact: true }).fill("notes");
  await form.getByRole("button", { name: "Add", exact: true }).click();
  await form
    .getByRole("alert")
    .getByText(/^The command line has a ' that is not closed/)
    .waitFor();
  await focused(command);
  await command.press("End");
  await command.pressSequentially("'");
  expect(await form.locator(".mcp-split code").allTextContents()).toEqual([python, LIVING, home("new")]);

  await form.getByRole("button", { name: "Add a variable" }).click();
  const variable = form.getByRole("group", { name: "Variable 1" });
  await focused(variable.getByLabel("Name"));
  await variable.getByLabel("Name").fill("SECRET_CODE");
  expect(await variable.getByLabel("Secret").isChecked()).toBe(true);
  await variable.getByLabel("Value").fill("a-very-secret-word");
  expect(await variable.getByLabel("Value").getAttribute("type")).toBe("password");
  await form.getByRole("button", { name: "Add a variable" }).click();
  await form.getByRole("group", { name: "Variable 2" }).getByLabel("Name").fill("LEVEL");
  await form.getByRole("group", { name: "Variable 2" }).getByLabel("Value").fill("debug");
  expect(await form.getByRole("group", { name: "Variable 2" }).getByLabel("Secret").isChecked()).toBe(false);

  await form.getByLabel("Seconds that a call may take").fill("4000");
  await form.getByRole("radio", { name: "In these folders" }).check();
  await form.getByRole("textbox", { name: "Folders, one per line" }).fill(`${home("new")}\n\n ${home("")} \n`);
  await form.getByRole("button", { name: "Try", exact: true }).click();
  await form
    .getByRole("alert")
    .getByText(/^Enter seconds above 0/)
    .waitFor();
  await focused(form.getByLabel("Seconds that a call may take"));
  await form.getByLabel("Seconds that a call may take").fill("2.5");
  await form.getByLabel(/^Folder in which/).fill("not/absolute");
  await form.getByRole("button", { name: "Try", exact: true }).click();
  await form.getByRole("alert").getByText(/cwd/).waitFor();
  expect(await variable.getByLabel("Value").inputValue(), "nothing typed is lost").toBe("a-very-secret-word");
  await form.getByLabel(/^Folder in which/).fill("");
  await form.getByRole("button", { name: "Try", exact: true }).click();
  await form.getByRole("status").getByText("It answered, and has 5 tools.").waitFor();
  expect(await form.getByRole("status").getByRole("listitem").allTextContents()).toContain("hang");
  expect(await daemon.client().call("GET", "/api/mcp")).toEqual([]);
  await accessible(page, "the form with a try");
  await page.setViewportSize({ width: 360, height: 740 });
  await fits(page);
  await page.setViewportSize({ width: 1280, height: 800 });

  await form.getByRole("button", { name: "Add", exact: true }).click();
  await form.waitFor({ state: "detached" });
  await row(page, "notes").getByText("ready", { exact: true }).waitFor();
  await row(page, "notes").getByText("5 tools.").waitFor();
  await focused(row(page, "notes").getByRole("link", { name: "notes", exact: true }));
  const file = readFileSync(join(daemon.home, "config", "config.toml"), "utf8");
  expect(file).toContain('LEVEL = "debug"');
  expect(file).toContain("${secret:mcp.notes.SECRET_CODE}");
  expect(file).not.toContain("a-very-secret-word");
  expect((await daemon.client().call<McpServerDetails>("GET", "/api/mcp/notes")).config).toMatchObject({
    roots: [home("new"), home("").replace(/\/$/, "")],
    timeout_s: 2.5,
  });
  await accessible(page, "the list of servers");

  await page.getByRole("button", { name: "Add a server" }).click();
  await form.getByLabel("Name", { exact: true }).fill("notes");
  await command.fill("x");
  await form.getByRole("button", { name: "Add", exact: true }).click();
  await form
    .getByRole("alert")
    .getByText(/^There is a server with the name notes/)
    .waitFor();
});

test("a try that fails says why, with the end of stderr, and one that takes long is stopped", async () => {
  const { open, home } = await room();
  const page = await open("#/settings/mcp");
  await page.getByRole("button", { name: "Add a server" }).click();
  const form = page.getByRole("form", { name: "Add a server" });
  const command = form.getByLabel("Command line");
  await command.fill(`sh -c "echo there is no key >&2; exit 3"`);
  await form.getByRole("button", { name: "Try", exact: true }).click();
  await form
    .getByRole("alert")
    .getByText(/there is no key/)
    .waitFor();
  await command.fill(`sh -c "touch '${home("new")}/began'; sleep 600"`);
  await form.getByRole("alert").waitFor({ state: "detached" });
  await form.getByRole("button", { name: "Try", exact: true }).click();
  await form.getByRole("button", { name: "Trying…" }).waitFor();
  await expect.poll(() => existsSync(join(home("new"), "began"))).toBe(true);
  await form.getByRole("button", { name: "Stop trying" }).click();
  await focused(form.getByRole("button", { name: "Try", exact: true }));
  await page.getByText("The try was stopped.").waitFor({ state: "attached" });
  expect(await command.inputValue()).toContain("sleep 600");
  await command.fill(`${python} ${LIVING} ${home("new")}`);
  await form.getByRole("button", { name: "Try", exact: true }).click();
  await form.getByRole("status").getByText("It answered, and has 5 tools.").waitFor();
});

test("tools, risk and agents of a server are chosen, and another client's changes are shown at once", async () => {
  const { open, daemon, home } = await room({ notes: `tools = ["echo", "where", "die"]` });
  const client = daemon.client({ name: "the phone" });
  const details = (): Promise<McpServerDetails> => client.call("GET", "/api/mcp/notes");
  const page = await open("#/settings/mcp");
  await row(page, "notes").getByText("3 tools.").waitFor();
  await row(page, "notes").getByRole("link", { name: "Details of notes" }).click();
  await focused(page.getByRole("heading", { name: "notes", exact: true }));
  const tools = page.getByRole("region", { name: "Its tools" });
  await tools.getByText("3 of 5 are on.").waitFor();
  expect(await tools.getByRole("switch", { name: "hang" }).isChecked(), "not on the list of allowed ones").toBe(false);
  await tools.getByRole("switch", { name: "echo" }).uncheck();
  await tools.getByRole("switch", { name: "die" }).uncheck();
  await tools.getByRole("switch", { name: "hang" }).check();
  await tools.getByText("2 of 5 are on.").waitFor();
  await expect.poll(async () => (await details()).config.disabled_tools).toEqual(["echo", "die"]);
  await expect.poll(async () => (await details()).config.tools).toEqual(["echo", "where", "die", "hang"]);
  await expect.poll(async () => (await details()).tools).toBe(2);

  await page.getByRole("radio", { name: /^Low risk/ }).check();
  await tools.getByText("low risk").first().waitFor();
  await page.getByRole("radio", { name: "Only these agents" }).check();
  const agents = page.getByRole("group", { name: "Only these agents" });
  await agents.getByRole("checkbox").first().uncheck();
  await expect.poll(async () => (await details()).config).toMatchObject({ risk: "low", agents: [] });

  await client.call("PATCH", "/api/mcp/notes", { risk: "medium", agents: null, disabled_tools: [] });
  await tools.getByText("4 of 5 are on.").waitFor();
  await expect.poll(() => page.getByRole("radio", { name: /^Medium risk/ }).isChecked()).toBe(true);
  await agents.waitFor({ state: "detached" });

  await page.getByRole("region", { name: "Resources" }).getByText("notes://one").waitFor();
  await page.getByRole("region", { name: "Prompts" }).getByText("greet").waitFor();
  const output = page.getByRole("region", { name: "Output" });
  await output.getByText("hello from the log").waitFor();
  await output.getByLabel("Follow").check();
  await accessible(page, "the page of a server");
  await page.setViewportSize({ width: 360, height: 740 });
  await fits(page);
  await page.setViewportSize({ width: 1280, height: 800 });

  writeFileSync(
    join(home("notes"), "tools.json"),
    JSON.stringify([{ name: "sing", description: "Sings.", inputSchema: { type: "object" } }]),
  );
  await client.call("PATCH", "/api/mcp/notes", { tools: null });
  await page.getByRole("button", { name: "Restart" }).click();
  await tools.getByText("Sings.").waitFor();
  await expect.poll(() => output.getByText("hello from the log").count()).toBe(2);

  await page.getByRole("button", { name: "Remove…" }).click();
  await focused(page.getByRole("button", { name: "Keep" }));
  await page.getByRole("button", { name: "Keep" }).click();
  await focused(page.getByRole("button", { name: "Remove…" }));
  await page.getByRole("button", { name: "Remove…" }).click();
  await page.getByRole("button", { name: "Remove permanently" }).click();
  await page.getByText("No MCP servers yet.").waitFor();
  await focused(page.getByRole("button", { name: "Add a server" }));
  await expect.poll(() => client.call("GET", "/api/mcp")).toEqual([]);
});

test("a server is turned off and on, and one that crashes again and again is restarted", async () => {
  const { open, daemon, home } = await room({ notes: "" });
  const [page, other] = [await open("#/settings/mcp"), await open("#/settings/mcp")];
  await row(page, "notes").getByText("ready", { exact: true }).waitFor();
  await row(page, "notes").getByRole("switch", { name: "Use notes" }).uncheck();
  for (const one of [page, other]) {
    await row(one, "notes").getByText("off", { exact: true }).waitFor();
    await expect.poll(() => row(one, "notes").getByRole("switch").isChecked()).toBe(false);
  }
  expect(await row(other, "notes").getByRole("button", { name: "Restart notes" }).isDisabled()).toBe(true);
  await row(other, "notes").getByRole("switch").check();
  await row(page, "notes").getByText("ready", { exact: true }).waitFor();

  const state = row(page, "notes").locator(".badge").first();
  const killed = new Set<number>();
  await expect
    .poll(
      async () => {
        const { pid, state: now } = await daemon.client().call<McpServerDetails>("GET", "/api/mcp/notes");
        if (pid != null && now === "ready" && !killed.has(pid) && lives(home("notes")).includes(pid)) {
          killed.add(pid);
          process.kill(pid, "SIGKILL");
        }
        return state.textContent();
      },
      { timeout: 120_000, interval: 50 },
    )
    .toBe("crashed");
  await row(page, "notes").locator(".note-error").waitFor();
  await accessible(page, "a crashed server");
  await row(page, "notes").getByRole("button", { name: "Restart notes" }).click();
  await row(page, "notes").getByText("ready", { exact: true }).waitFor();
  await row(page, "notes").locator(".note-error").waitFor({ state: "detached" });
});

test("settings are edited, and what is not shown stays as it is", async () => {
  const { open, daemon, home } = await room({
    notes: `env = { PLAIN = "as it was", OTHER = "x" }\nroots = []\ntimeout_s = 90`,
  });
  const client = daemon.client();
  await client.call("PATCH", "/api/mcp/notes", { env: { SECRET_ONE: { secret: "the first word" } } });
  const page = await open("#/settings/mcp/notes");
  const file = (): string => readFileSync(join(daemon.home, "config", "config.toml"), "utf8");
  await page.getByRole("button", { name: "Edit" }).click();
  const form = page.getByRole("form", { name: "Settings of this server" });
  await form
    .getByRole("group", { name: "Variable 1" })
    .getByText(/^Saved, and not shown/)
    .waitFor();
  expect(await form.getByRole("textbox", { name: "Command line" }).inputValue()).toBe(
    `${python} ${LIVING} ${home("notes")}`,
  );
  expect(await form.textContent()).not.toContain("as it was");
  await form.getByText("these saved values are not shown: PLAIN, OTHER").waitFor();
  await accessible(page, "the form of a saved server");
  await form.getByRole("button", { name: "Remove variable 2" }).click();
  await focused(form.getByRole("button", { name: "Add a variable" }));
  await form.getByLabel(/^Folder in which/).fill(home("notes"));
  await form.getByRole("button", { name: "Save", exact: true }).click();
  await form.waitFor({ state: "detached" });
  await focused(page.getByRole("button", { name: "Edit" }));
  await expect.poll(file).toContain(`cwd = ${JSON.stringify(home("notes"))}`);
  expect(file()).toContain("as it was");
  expect(file()).not.toContain("OTHER");
  expect(file()).toContain("${secret:mcp.notes.SECRET_ONE}");
  await page.getByText("ready", { exact: true }).waitFor();

  expect(file(), "no roots are not the default").toMatch(/^roots = \[\]\ntimeout_s = 90$/m);
  await page.getByRole("button", { name: "Edit" }).click();
  expect(await form.getByRole("textbox", { name: "Folders, one per line" }).inputValue()).toBe("");
  const timeout = form.getByLabel("Seconds that a call may take");
  expect(await timeout.inputValue()).toBe("90");
  await timeout.fill("");
  await form.getByRole("radio", { name: "In the folder of the conversation" }).check();
  await form.getByRole("textbox", { name: "Folders, one per line" }).waitFor({ state: "detached" });
  await form.getByRole("button", { name: "Save", exact: true }).click();
  await form.waitFor({ state: "detached" });
  expect(file()).not.toMatch(/^(roots|timeout_s) = /m);
});

test("servers of another app are added, from its file and from one that is named", async () => {
  const { open, daemon, home } = await room({ notes: "" });
  const cursor = join(home(""), ".cursor");
  mkdirSync(cursor);
  const servers = {
    "Living One": { command: python, args: [LIVING, home("new")], env: { LIVING_TOKEN: "word-of-cursor" } },
    notes: { command: "other-notes" },
    odd: { type: "pigeon", command: "x" },
  };
  writeFileSync(join(cursor, "mcp.json"), JSON.stringify({ mcpServers: servers }));
  const named = join(home(""), "named.json");
  const needs = {
    inputs: [{ id: "key", type: "promptString", description: "the key of maps", password: true }],
    servers: { maps: { command: python, args: [LIVING, home("new")], env: { MAPS_KEY: "${input:key}" } } },
  };
  writeFileSync(named, JSON.stringify(needs));
  const page = await open("#/settings/mcp");
  await page.getByRole("button", { name: "From other apps" }).click();
  const found = page.getByRole("group", { name: "Cursor" });
  await found.getByRole("checkbox", { name: "living-one (there: Living One)" }).check();
  await found.getByText("It replaces your server of this name.").waitFor();
  expect(await found.getByRole("checkbox", { name: "odd" }).isDisabled()).toBe(true);
  await found.getByText(/pigeon/).waitFor();

  await page.getByLabel("Another file").fill(join(home(""), "nowhere.json"));
  await page.getByRole("button", { name: "Look into it" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Another file").fill(named);
  await page.getByRole("button", { name: "Look into it" }).click();
  await page.getByRole("checkbox", { name: "maps" }).check();
  await page.getByRole("button", { name: "Add selected (2)" }).click();
  await page
    .getByRole("alert")
    .getByText(/^Enter “.*” for maps\.$/)
    .waitFor();
  await page.getByLabel("The key of maps").fill("word-for-maps");
  await accessible(page, "servers of other apps");
  await page.setViewportSize({ width: 360, height: 740 });
  await fits(page);
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.getByRole("button", { name: "Add selected (2)" }).click();
  for (const name of ["living-one", "maps"]) await row(page, name).getByText("ready", { exact: true }).waitFor();
  await focused(row(page, "living-one").getByRole("link", { name: "living-one", exact: true }));
  const file = readFileSync(join(daemon.home, "config", "config.toml"), "utf8");
  expect(file).not.toMatch(/word-of-cursor|word-for-maps|other-notes/);
});

test("a conversation does without a server, and a changed definition is shown in the question", async () => {
  const { open, daemon, home } = await room({ notes: "", maps: "" });
  const client = daemon.client();
  const define = (description: string): void =>
    writeFileSync(
      join(home("notes"), "tools.json"),
      JSON.stringify([{ name: "find", description, inputSchema: { type: "object" } }]),
    );
  define("Finds notes.");
  const { session_id } = await client.sessions.create({ title: "Peas" });
  const page = await open(`#/s/${session_id}`);
  const line = page.locator(".head .head-settings");
  const panel = page.getByRole("dialog", { name: "This conversation" });
  await line.click();
  const servers = panel.getByRole("group", { name: "MCP servers" });
  expect(await servers.getByRole("checkbox", { name: "notes" }).isChecked()).toBe(true);
  await servers.getByRole("checkbox", { name: "maps" }).uncheck();
  await expect.poll(() => line.textContent()).toContain("without maps");
  await accessible(page, "the servers of a conversation");
  await servers.getByRole("checkbox", { name: "notes" }).uncheck();
  await expect.poll(async () => (await client.sessions.get(session_id)).settings?.mcp_off).toEqual(["maps", "notes"]);
  await client.sessions.change(session_id, { mcp_off: ["maps"] });
  await expect.poll(() => servers.getByRole("checkbox", { name: "notes" }).isChecked()).toBe(true);
  await page.keyboard.press("Escape");

  const ready = async (): Promise<void> => {
    await expect.poll(async () => (await client.call<McpServerDetails>("GET", "/api/mcp/notes")).state).toBe("ready");
  };
  await ready();
  define("Finds notes, and sends them away.");
  await client.call("POST", "/api/mcp/notes/restart");
  await expect.poll(async () => (await client.call<McpServerDetails>("GET", "/api/mcp/notes")).changed_tools).toBe(1);
  await say(page, "call notes_find {}");
  const display = questions(page).locator(".display");
  await display.getByText("+Finds notes, and sends them away.").waitFor();
  await display.getByText("-Finds notes.").waitFor();
  expect(await display.evaluate((pre) => getComputedStyle(pre).fontFamily)).toContain("monospace");
  await page.goto(page.url().replace(/#.*/, "#/settings/mcp/notes"));
  const tools = page.getByRole("region", { name: "Its tools" });
  await tools.getByText("definition changed").waitFor();
  await tools.getByText(/^The server changed the definition of this tool\. The next call asks/).waitFor();
});

test("agents get a browser with one click, and it opens private addresses only when they are allowed", async () => {
  const driver = join(repository, "shells", "node_modules", "@playwright", "mcp", "cli.js");
  const { open, daemon } = await desk({ environment: { ASTER_BROWSER_MCP: driver } });
  const page = await open("#/settings/mcp");
  const browser = page.getByRole("region", { name: "Browser" });
  const use = browser.getByRole("switch", { name: "Give agents a browser" });
  expect(await use.isChecked()).toBe(false);
  await use.check();
  await browser.getByText("ready").waitFor({ timeout: 60_000 });
  const host = browser.getByLabel("A host, with a port if you like");
  await host.fill("no host");
  await browser.getByRole("button", { name: "Allow this host" }).click();
  await browser.getByRole("alert").getByText("is not a host that can be allowed").waitFor();
  expect(await host.inputValue()).toBe("no host");
  await host.fill("localhost:3000");
  await browser.getByRole("button", { name: "Allow this host" }).click();
  await browser.getByRole("button", { name: "Remove the host localhost:3000" }).waitFor();
  await accessible(page, "the browser of agents");
  const allowed = async (): Promise<string[]> =>
    (await daemon.client().call<{ allow: string[] }>("GET", "/api/browser")).allow;
  expect(await allowed()).toEqual(["localhost:3000"]);
  await browser.getByRole("button", { name: "Remove the host localhost:3000" }).click();
  await expect.poll(allowed).toEqual([]);
  const [headless, isolated] = [
    browser.getByRole("switch", { name: "Without windows" }),
    browser.getByRole("switch", { name: "Forget cookies and logins when it ends" }),
  ];
  const settings = (): Promise<object> => daemon.client().call("GET", "/api/browser");
  for (const one of [headless, isolated]) expect(await one.isChecked()).toBe(false);
  await headless.check();
  await isolated.check();
  await expect.poll(settings).toMatchObject({ headless: true, isolated: true });
  await daemon.client().call("POST", "/api/browser", { isolated: false });
  await page.reload();
  await headless.waitFor();
  expect([await headless.isChecked(), await isolated.isChecked()]).toEqual([true, false]);
  await headless.uncheck();
  await expect.poll(settings).toMatchObject({ headless: null, isolated: false });
  await use.uncheck();
  await browser.getByText("ready").waitFor({ state: "detached" });
  expect(await daemon.client().call("GET", "/api/mcp")).toEqual([]);
});
