import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { accessible, answers, desk, fits, focused, questions, say } from "./browser.js";

test("a first-time person without a key talks within three clicks", async () => {
  const { open } = await desk({ first: true });
  const page = await open();
  await page.getByRole("heading", { name: "Set up Aster" }).waitFor();
  await page.getByRole("link", { name: "Start a conversation" }).click();
  await page.getByRole("button", { name: "list", exact: true }).click();
  await answers(page).getByText("is done").waitFor();
});

test("the steps of the first run are gone through, and stay done", async () => {
  const { open, daemon } = await desk({ first: true });
  const page = await open("#/welcome");
  const current = page.locator(".step-current");
  for (const name of ["Welcome", "Where your data is kept", "Choose a model", "When to ask you", "Ready"]) {
    await current.getByRole("heading", { name, exact: true }).waitFor();
    if (name === "Where your data is kept") await current.getByText(daemon.home).first().waitFor();
    await current
      .getByRole("button", { name: /^(Continue|Continue with the demo model|Start a conversation)$/ })
      .click();
  }
  await page.getByRole("heading", { name: "New conversation" }).waitFor();
  await page.goto(page.url().replace(/#.*/, "#/welcome"));
  await page.getByText("Everything is set up.").waitFor();
});

test("a model server that is started on this computer is found, and its model chosen", async () => {
  const server = createServer((incoming, outgoing) => {
    const answers: Record<string, unknown> = {
      "/v1/models": { object: "list", data: ["qwen3:8b", "gemma3:4b"].map((id) => ({ id, object: "model" })) },
      "/api/ps": { models: [{ name: "gemma3:4b", model: "gemma3:4b", context_length: 8192 }] },
    };
    const answer = answers[incoming.url ?? ""];
    outgoing.writeHead(answer ? 200 : 404, { "Content-Type": "application/json" }).end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));

  const { open, daemon } = await desk({ first: true, environment: { OLLAMA_HOST: `127.0.0.1:${port}` } });
  const page = await open("#/welcome");
  const step = page.locator(".step-current");
  await step.getByRole("button", { name: "Continue" }).click();
  await step.getByText("Where your data is kept").waitFor();
  await step.getByRole("button", { name: "Continue" }).click();
  const here = step.getByRole("group", { name: "On this computer" });
  await here.getByText("No model server was found.").waitFor();
  expect(await here.getByRole("radio").count()).toBe(0);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  // The result of the last search is cached for a few seconds.
  await vi.waitFor(
    async () => {
      if (await here.getByRole("button", { name: "Look again" }).isVisible())
        await here.getByRole("button", { name: "Look again" }).click({ timeout: 1000 });
      expect(await here.getByRole("radio", { name: /^ollama:gemma3:4b ready loaded 8,192 tokens/ }).count()).toBe(1);
    },
    { timeout: 60_000, interval: 500 },
  );
  await here.getByText("No model server was found.").waitFor({ state: "detached" });
  await here.getByRole("radio", { name: /^ollama:qwen3:8b ready/ }).check();
  await expect.poll(async () => (await daemon.client().config.get()).values.model?.value).toBe("ollama:qwen3:8b");
  await accessible(page, "the choice of a model");
  await page.setViewportSize({ width: 390, height: 800 });
  await fits(page);
});

test("the permission mode, a rule and a try-out change what is asked", async () => {
  const { open } = await desk();
  const page = await open("#/settings/permissions");
  const tryOut = page.getByRole("region", { name: "Test your permissions" });
  await tryOut.getByLabel("Tool").selectOption("write_file");
  await tryOut.getByLabel("Arguments (JSON)").fill('{"path": "x.txt", "content": "x"}');
  await tryOut.getByRole("button", { name: "Check" }).click();
  await tryOut.getByText("You would be asked.").waitFor();
  await page.getByLabel(/Never ask/).check();
  await page.getByText("Source: changed in settings.").waitFor();
  await tryOut.getByRole("button", { name: "Check" }).click();
  await tryOut.getByText("This would run at once.").waitFor();
  await page.getByRole("button", { name: "Add a rule" }).click();
  const save = page.getByRole("button", { name: "Save", exact: true });
  expect(await save.isDisabled(), "nothing is chosen for the person").toBe(true);
  await page.getByLabel("Effect", { exact: true }).selectOption("deny");
  await page.getByRole("region", { name: "Rules" }).getByLabel("Tool").selectOption("write_file");
  expect(await save.isDisabled()).toBe(true);
  await page.getByLabel("Applies to", { exact: true }).selectOption("any");
  await save.click();
  const rule = page.getByRole("region", { name: "Rules" }).getByRole("listitem");
  await rule.waitFor();
  await tryOut.getByRole("button", { name: "Check" }).click();
  await tryOut.getByText("This would be denied.").waitFor();
  await rule.getByRole("button", { name: /Delete the rule/ }).click();
  await rule.waitFor({ state: "detached" });
});

test("a rule allows a command in its folder, and denies one wherever it runs", async () => {
  const { open, daemon } = await desk();
  const page = await open("#/settings/permissions");
  const rules = page.getByRole("region", { name: "Rules" });
  const add = async (effect: "allow" | "deny", folder: string, command: string): Promise<void> => {
    await rules.getByRole("button", { name: "Add a rule" }).click();
    await rules.getByLabel("Effect", { exact: true }).selectOption(effect);
    await rules.getByLabel("Tool").selectOption("run_command");
    await rules.getByLabel("Applies to", { exact: true }).selectOption("exact");
    await rules.getByLabel("Command", { exact: true }).fill(command);
    const save = rules.getByRole("button", { name: "Save", exact: true });
    expect(await save.isDisabled(), "a command is allowed in a folder").toBe(effect === "allow");
    await rules.getByLabel(/^Folder in which it runs/).fill(folder);
    await save.click();
    await save.waitFor({ state: "detached" });
  };
  await add("allow", ".", "make all");
  await add("deny", "", "pwd");
  const words = await rules.getByRole("listitem").allTextContents();
  expect(words.some((rule) => rule.startsWith("Allow") && rule.includes("make all"))).toBe(true);
  expect(words.some((rule) => rule.startsWith("Deny") && rule.includes("pwd"))).toBe(true);
  const check = async (command: string) =>
    (await daemon.client().check({ tool: "run_command", arguments: { command } })).decision;
  expect(await Promise.all([check("make all"), check("pwd"), check("make")])).toEqual(["allow", "deny", "ask"]);
});

test("rules have patterns, programs and conditions, and the page says what decided a call", async () => {
  const { open, daemon } = await desk();
  const client = daemon.client({ name: "the phone" });
  const page = await open("#/settings/permissions");
  const rules = page.getByRole("region", { name: "Rules" });
  const save = rules.getByRole("button", { name: "Save", exact: true });
  const begin = async (effect: "allow" | "deny", tool: string, kind: string): Promise<void> => {
    await rules.getByRole("button", { name: "Add a rule" }).click();
    await rules.getByLabel("Effect", { exact: true }).selectOption(effect);
    await rules.getByLabel("Tool").selectOption(tool);
    await rules.getByLabel("Applies to", { exact: true }).selectOption(kind);
  };
  const done = async (): Promise<void> => {
    await save.click();
    await save.waitFor({ state: "detached" });
  };

  await begin("allow", "write_file", "glob");
  await rules.getByText(/any number of folders/).waitFor();
  await rules.getByLabel("Pattern", { exact: true }).fill("**/*.md");
  await rules.getByRole("button", { name: "Add a condition" }).click();
  const first = rules.getByRole("group", { name: "Condition 1" });
  await focused(first.getByLabel("Argument"));
  expect(await save.isDisabled(), "a condition needs its argument and value").toBe(true);
  await first.getByLabel("Argument").fill("content");
  await first.getByLabel("Test").selectOption("one_of");
  await first.getByLabel("Values (a, b)").fill('a, "5", b');
  await first.getByLabel("Not").check();
  await rules.getByRole("button", { name: "Add a condition" }).click();
  await focused(rules.getByRole("group", { name: "Condition 2" }).getByLabel("Argument"));
  expect(await save.isDisabled()).toBe(true);
  await accessible(page, "the form for a rule");
  await rules.getByRole("button", { name: "Remove condition 2" }).click();
  await focused(rules.getByRole("button", { name: "Add a condition" }));
  await done();

  await begin("allow", "run_command", "program");
  await rules.getByText(/for example npm test/).waitFor();
  await rules.getByLabel("Program and subcommand").fill("npm test");
  expect(await save.isDisabled(), "a program is allowed in a folder").toBe(true);
  await rules.getByLabel("Folder in which it runs").fill(".");
  await done();
  await begin("deny", "run_command", "program");
  await rules.getByLabel("Program and subcommand").fill("git push");
  await done();

  expect(await client.rules.list()).toMatchObject([
    {
      decision: "allow",
      kind: "glob",
      value: expect.stringMatching(/work\/\*\*\/\*\.md$/) as string,
      conditions: [{ argument: "content", test: "one_of", value: ["a", "5", "b"], negated: true }],
    },
    { decision: "allow", kind: "program", value: expect.stringMatching(/^in \/.*:\nnpm test$/) as string },
    { decision: "deny", kind: "program", value: "git push" },
  ]);
  await client.rules.add({ decision: "deny", tool: "read_file", kind: "any", expires_in_s: 3600 });
  const listed = rules.getByRole("listitem");
  await listed.filter({ hasText: /content is not one of.* · added by a browser window/ }).waitFor();
  await listed.filter({ hasText: /read_file.*until.* · added by the phone/ }).waitFor();

  const tryOut = page.getByRole("region", { name: "Test your permissions" });
  const check = async (path: string): Promise<void> => {
    await tryOut.getByLabel("Tool").selectOption("write_file");
    await tryOut.getByLabel("Arguments (JSON)").fill(JSON.stringify({ path, content: "x" }));
    await tryOut.getByRole("button", { name: "Check" }).click();
  };
  await check("docs/x.md");
  await tryOut.getByText("This would run at once.").waitFor();
  const rule = tryOut.getByRole("group", { name: "Decided by this rule" });
  await rule.getByText(/^write_file for what matches .* · added by a browser window$/).waitFor();
  const scopes = tryOut.getByRole("list", { name: "“Always allow” can cover" }).getByRole("listitem");
  await expect.poll(() => scopes.allTextContents()).toHaveLength(3);
  expect((await scopes.allTextContents())[0]).toMatch(/^write_file on .*x\.md only$/);
  await accessible(page, "what decided a call");
  await check("docs/x.txt");
  await tryOut.getByText("You would be asked.").waitFor();
  expect(await rule.count()).toBe(0);
  await page.setViewportSize({ width: 390, height: 800 });
  await fits(page);
});

test("a rule from an answer says so", async () => {
  const { open, daemon } = await desk();
  const client = daemon.client({ name: "the phone" });
  const { session_id } = await client.sessions.create();
  await client.send({ agent_id: "default", session_id, message: "write hello.txt" });
  await expect.poll(async () => (await client.approvals()).length).toBe(1);
  const [question] = await client.approvals();
  await client.approve({ agent_id: "default", call_id: question?.call_id ?? "", decision: "allow_always" });
  const page = await open("#/settings/permissions");
  await page.getByRole("region", { name: "Rules" }).getByText("from an answer by the phone").waitFor();
});

test("the sandbox is chosen, and the page says what there is here", async () => {
  const { open, daemon } = await desk();
  await daemon.client().config.set({ sandbox: "off" });
  const page = await open("#/settings/permissions");
  const section = page.getByRole("region", { name: "Sandbox for commands" });
  expect(await section.getByRole("radio", { name: /^Off/ }).isChecked()).toBe(true);
  await section.getByRole("radio", { name: /^Where there is one/ }).check();
  await section.getByText(/^(There is a sandbox here:|The sandbox does not hold|There is no sandbox here:)/).waitFor();
  expect((await daemon.client().config.get()).values.sandbox?.value).toBe("auto");
  await accessible(page, "the sandbox");
  await page.setViewportSize({ width: 390, height: 800 });
  await fits(page);
});

test("decisions are listed as they are made, and older ones on demand", async () => {
  const { open, daemon } = await desk();
  const client = daemon.client();
  const page = await open("#/settings/permissions");
  const section = page.getByRole("region", { name: "Decisions" });
  await section.getByText("No decisions yet.").waitFor();
  await client.config.set({ permission_mode: "auto_approve" });
  const { session_id } = await client.sessions.create({ agent_id: "default" });
  for (let number = 0; number < 25; number++)
    await client.send({
      agent_id: "default",
      session_id,
      message: `call write_file {"path": "${number}.txt", "content": "x"}`,
    });
  await section.getByText("Create 24.txt").waitFor({ timeout: 60_000 });
  await section
    .getByText(/by the mode “Never ask” · done/)
    .first()
    .waitFor();
  expect(await section.getByRole("listitem").count()).toBe(20);
  await section.getByRole("button", { name: "Show more" }).click();
  await section.getByText("Create 0.txt").waitFor();
  expect(await section.getByRole("listitem").count()).toBe(25);
  expect(await section.getByRole("button", { name: "Show more" }).count()).toBe(0);
  await accessible(page, "the decisions");
});

test("limits are set and taken back; what the daemon refuses is said", async () => {
  const { open } = await desk();
  const page = await open("#/settings/config");
  const field = page.getByLabel(/Maximum tool calls per turn/);
  await field.fill("-1");
  await field.press("Enter");
  const refused = page.getByRole("alert").filter({ hasText: "max_tool_calls" });
  await refused.waitFor();
  // The error appears once, without the hint that helps only the author of a client.
  expect(await refused.textContent()).toMatch(/^max_tool_calls: [^(:]+$/);
  await field.fill("7");
  await refused.waitFor({ state: "detached" });
  await field.press("Enter");
  await page.getByRole("button", { name: "Reset to default" }).click();
  await expect.poll(() => field.inputValue()).toBe("200");
});

test("a limit is read as people write it, and never taken for none", async () => {
  const { open, daemon } = await desk();
  const page = await open("#/settings/config");
  const value = async (): Promise<unknown> => (await daemon.client().config.get()).values.max_tool_calls?.value;
  const field = page.getByLabel(/Maximum tool calls per turn/);
  await field.fill("1,000");
  await field.press("Enter");
  await expect.poll(value).toBe(1000);
  for (const text of ["many", "1.000", "10 min"]) {
    await field.fill(text);
    await field.press("Enter");
    await page.getByRole("alert").getByText("For example 1000 or 20k.").waitFor();
    expect(await field.inputValue(), "what was written stays").toBe(text);
  }
  expect(await value()).toBe(1000);
  // A change elsewhere does not overwrite the text that is being written.
  await field.fill("12");
  await daemon.client().config.set({ max_tool_calls: 77 });
  await page.getByLabel(/Maximum requests per turn/).fill("30");
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await daemon.client().config.get()).values.max_requests?.value).toBe(30);
  expect(await field.inputValue()).toBe("12");
  await field.press("Enter");
  await expect.poll(value).toBe(12);
  const time = page.getByLabel(/How long a question waits/);
  await time.fill("10 min");
  await time.press("Enter");
  await expect.poll(() => time.inputValue()).toBe("600");
});

test("a key is kept, called unprotected where it is, and forgotten", async () => {
  const { open } = await desk();
  const page = await open("#/settings/models");
  const row = page.getByRole("listitem").filter({ hasText: "anthropic" });
  await row.getByRole("button", { name: "Add a key" }).click();
  await row.getByLabel("API key for anthropic").fill("sk-ant-never-shown-0123456789");
  await row.getByLabel("Test the key before saving").uncheck(); // there is no provider to test it with
  await row.getByRole("button", { name: "Save", exact: true }).click();
  await row.getByText(/unprotected, in a file|in the keychain/).waitFor();
  expect(await page.content()).not.toContain("never-shown");
  await row.getByRole("button", { name: "Remove" }).click();
  await row.getByText("no key").waitFor();
});

test("a model without a key says so where it is chosen, and takes the key there", async () => {
  const { open } = await desk();
  const page = await open("#/settings/models");
  const row = page.locator(".choice-frame", { hasText: "anthropic:" });
  await row.getByText("needs a key").waitFor();
  const names = () => page.locator(".choice-frame code").allTextContents();
  const before = await names();
  await row.getByRole("radio").check();
  await row.getByText(/can’t answer without a key/).waitFor();
  await row.getByLabel("API key for anthropic").fill("sk-ant-never-shown-0123456789");
  await row.getByLabel("Test the key before saving").uncheck();
  await row.getByRole("button", { name: "Save", exact: true }).click();
  await row.getByText("ready", { exact: true }).waitFor();
  expect(await names(), "nothing jumps away from the pointer").toEqual(before);
});

test("a feature that is turned off is taken away", async () => {
  const { open } = await desk();
  const page = await open("#/settings/flags");
  await page.getByLabel(/what happened while you were away/).uncheck();
  await page.getByRole("link", { name: /^Inbox/ }).click();
  await page.getByText("No questions.").waitFor();
  await expect.poll(() => page.getByText("While you were away").count()).toBe(0);
});

test("an answer is read aloud once that is turned on", async () => {
  const { open, context } = await desk();
  // A headless browser has no voice, so the test records the texts to speak.
  await context.addInitScript(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    speechSynthesis.speak = ({ text }) => said.push(text);
  });
  const page = await open();
  await say(page, "hello");
  await answers(page)
    .getByText(/tokens$/)
    .waitFor();
  expect(await page.getByRole("button", { name: "Read aloud" }).count()).toBe(0);
  const { hash } = new URL(page.url());
  await page.evaluate(() => (window.location.hash = "#/settings/flags"));
  await page.getByLabel(/Read answers aloud/).check();
  await page.evaluate((hash) => (window.location.hash = hash), hash);
  await page.getByRole("button", { name: "Read aloud" }).click();
  await page.getByRole("button", { name: "Stop reading" }).waitFor();
  const said = await page.evaluate(() => (window as unknown as { said: string[] }).said);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^You said: “hello”/);
  expect(said[0]).not.toContain("`");
});

test("what happens while nobody looks is counted, and read when it is opened", async () => {
  const { open, daemon } = await desk();
  const page = await open("#/agents");
  const client = daemon.client();
  const { session_id } = await client.sessions.create({ title: "elsewhere" });
  await client.chat({ agent_id: "default", session_id, message: "hello" });
  await page.getByRole("link", { name: /^Inbox 1 waiting/ }).click();
  await page.getByRole("heading", { name: "While you were away (1 unread)" }).waitFor();
  await page.locator(".attention.unread").getByText("elsewhere").waitFor();
  await page.locator(".attention.unread").click();
  await page.getByRole("heading", { name: "elsewhere" }).waitFor();
  await page.getByRole("link", { name: "Inbox", exact: true }).waitFor();
});

test("a page without the daemon's token asks for it", async () => {
  const { open } = await desk({ token: "a-token-for-this-test" });
  const page = await open();
  await page.getByLabel("Token").fill("a-token-for-this-test");
  await page.getByRole("button", { name: "Sign in" }).click();
  await say(page, "write hello.txt");
  await questions(page).waitFor();
});
