import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { answers, desk, questions, say } from "./browser.js";
import { provider } from "../../client/tests/provider.js";

const FILES = {
  "agents/writer.yaml": "name: The writer\ndescription: Writes files and nothing else.\ntools: [write_file]\n",
  "agents/odd.yaml": "name: Odd\ncolour: red\n",
};

test("agents show tools and model; a broken one says in which line; one that is added appears", async () => {
  const { open, daemon } = await desk({ files: FILES });
  const page = await open("#/agents");
  const writer = page.getByRole("region", { name: "The writer" });
  await expect.poll(() => writer.locator(".tags li").allTextContents()).toEqual(["write_file"]);
  await writer.getByText("demo:instant").waitFor();
  await page.getByRole("region", { name: "odd" }).getByText("broken", { exact: true }).waitFor();
  await page
    .getByRole("region", { name: "odd" })
    .getByText(/line 2/)
    .waitFor();
  writeFileSync(join(daemon.home, "config", "agents", "new.yaml"), "name: The new one\n");
  await page.getByRole("region", { name: "The new one" }).waitFor();
});

test("a conversation is begun with the agent that is chosen, and the list can be narrowed to it", async () => {
  const { open } = await desk({ files: FILES });
  const page = await open();
  await say(page, "for the default one");
  await answers(page).getByText("You said").waitFor();
  await page.getByRole("link", { name: "Agents" }).click();
  await page.getByRole("region", { name: "The writer" }).getByRole("link", { name: "New conversation" }).click();
  await say(page, "write a.txt");
  await questions(page).getByText("write_file").first().waitFor();
  await page.getByRole("main").getByText("The writer").waitFor();
  await page.getByRole("combobox", { name: "Show conversations of" }).selectOption("writer");
  const list = page.getByRole("navigation", { name: "Conversations" });
  await expect.poll(() => list.getByRole("link").allTextContents()).toEqual(["write a.txt"]);
});

test("thoughts are folded, and open when one wants to see them", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "think");
  await answers(page)
    .getByText(/tokens$/)
    .waitFor();
  const thought = answers(page).getByText("This is where the thoughts of a model are shown");
  await expect.poll(() => thought.isVisible()).toBe(false);
  await answers(page).locator("summary").click();
  await thought.waitFor();
});

test("code is coloured, and copied as it was written", async () => {
  const code = 'def greet(name: str) -> str:\n    return f"hello {name}"\n';
  const { open } = await desk(await provider(() => ["Look:\n\n```python\n", code, "```\n\nThat is `all`."]));
  const page = await open();
  await say(page, "go");
  await answers(page).locator("code .hljs-keyword").first().waitFor();
  await answers(page).getByRole("button", { name: "Copy code" }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(code);
});
