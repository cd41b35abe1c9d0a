// The page that the daemon itself serves, and the link that signs a browser in.
import { expect, test } from "vitest";
import { answers, desk, say } from "./browser.js";

test("a link signs a browser in, once; its code does not stay in the address", async () => {
  const { daemon, context } = await desk({ token: "the-shells-own-token" });
  const { url } = await daemon.client().call<{ url: string }>("POST", "/api/handoff", { section: "agents" });
  const page = await context.newPage();
  await page.goto(url);
  await page.getByRole("heading", { level: 1, name: "Agents" }).waitFor();
  await expect.poll(() => page.url()).toBe(`${daemon.url}/#/agents`);
  await page.getByRole("button", { name: "New conversation" }).click();
  await say(page, "hello from the browser");
  await answers(page).getByText("You said: “hello from the browser”").waitFor();

  const second = await context.newPage();
  await second.goto(url);
  await second.getByText("This link was already used or has expired.").waitFor();
  await second.getByLabel("Token").waitFor();
  await expect.poll(() => second.url()).not.toContain("handoff");

  await page.evaluate(() => (window.location.hash = "#/settings/browsers"));
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});
