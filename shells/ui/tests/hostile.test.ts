// Hostile text from a model, a tool or a person: it is shown only as text.
import { expect, test } from "vitest";
import { answers, desk, questions, say } from "./browser.js";
import { provider } from "../../client/tests/provider.js";

const ANSWERS: Record<string, string> = {
  html: "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> **bold** <style>body{display:none}</style>",
  links:
    "[click](javascript:document.title='owned') [data](data:text/html,<script>1</script>) [fine](https://example.com/a) <javascript:alert(1)>",
  image: "![pixel](https://example.com/pixel.png)",
  bidi: "access \u202e\u2066// gnp.exe\u2069 and zero\u200bwidth \u0007bell",
  quotes: ">".repeat(5000) + " deep",
  brackets: "[".repeat(5000) + "x" + "](".repeat(5000),
  stars: "*a ".repeat(4000),
  line: "x".repeat(1_000_000),
};

test("markup, links, hidden characters and huge texts from a model are shown, not obeyed", async () => {
  const model = await provider((said) => {
    const text = ANSWERS[said] ?? "?";
    return text.match(/[^]{1,50000}/g) ?? [];
  });
  const { open, context } = await desk(model);
  const asked: string[] = [];
  context.on("request", (request) => asked.push(request.url()));
  const page = await open();
  const said = answers(page);
  const looks: Record<string, () => Promise<void>> = {
    async html() {
      await said.getByText("<script>").waitFor();
      expect(await said.locator("script, img, style").count()).toBe(0);
      await said.locator("strong").getByText("bold").waitFor();
    },
    async links() {
      await said.getByRole("link", { name: "fine" }).waitFor();
      const links = await said.locator("a").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
      expect(links).toEqual(["https://example.com/a"]);
    },
    async image() {
      await said.getByText("Image: pixel").waitFor();
      expect(await said.locator("img").count()).toBe(0);
    },
    async bidi() {
      await said.getByText("U+202E").waitFor();
      await said.getByText("U+200B").waitFor();
      await said.getByText("U+0007").waitFor();
    },
    async quotes() {
      await said.getByText("deep").waitFor();
    },
    async line() {
      await said.getByText(/of 1,000,000 characters/).waitFor();
      await said.getByRole("button", { name: "Show more" }).click();
      await said.getByText(/^40,000 of/).waitFor();
    },
  };
  for (const name of Object.keys(ANSWERS)) {
    await page.goto(page.url().replace(/#.*/, "#/new"));
    await page.getByRole("heading", { name: "New conversation" }).waitFor();
    await say(page, name);
    await said.getByText(/tokens$/).waitFor();
    await looks[name]?.();
  }
  expect(await page.title()).not.toBe("owned");
  expect(asked.filter((url) => url.includes("example.com"))).toEqual([]);
});

test("titles and tool arguments hide nothing", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, 'call write_file {"path": "a.txt", "content": "x\\u202ey<b>z"}');
  await questions(page).getByText("y<b>z").first().waitFor();
  expect(await questions(page).locator("b").count()).toBe(0);
  await page.locator("details").getByText("Arguments").click();
  await questions(page).getByText("U+202E").first().waitFor();
});
