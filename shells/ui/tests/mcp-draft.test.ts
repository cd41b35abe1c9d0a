// What is written into the form of an MCP server, as the request that it becomes. Without a browser.
import type { McpConfig } from "@aster-sidecar/client";
import { expect, test } from "vitest";
import { joinCommand, splitCommand } from "../src/settings/mcp/commandLine.js";
import {
  draftOf,
  EMPTY,
  faultIn,
  isSecret,
  offers,
  patchOf,
  specOf,
  withTool,
  type Draft,
  type DraftedValue,
} from "../src/settings/mcp/draft.js";

test.each([
  ["npx -y  @x/memory", ["npx", "-y", "@x/memory"]],
  [`run "two words" 'it is "so"'`, ["run", "two words", 'it is "so"']],
  [`a\\ b c\\"d "e\\"f\\g"`, ["a b", 'c"d', 'e"f\\g']],
  [`--x="1 2"'3 4'`, ["--x=1 23 4"]],
  [`'' ""`, ["", ""]],
  ["docker run \\\n  -i image\n", ["docker", "run", "-i", "image"]],
  ["C:\\Tools\\server.exe C:\\", ["C:\\Tools\\server.exe", "C:\\"]],
  ["sh -c $HOME ${env:X} *", ["sh", "-c", "$HOME", "${env:X}", "*"]],
  ["  ", []],
])("%j is split as a shell does", (text, words) => {
  expect(splitCommand(text)).toEqual({ words, open: null });
});

test("a quote that is not closed is known", () => {
  expect(splitCommand(`a 'b c`)).toEqual({ words: ["a", "b c"], open: "'" });
  expect(splitCommand(`a "b`).open).toBe('"');
});

test("words are joined so that they are split again in the same way", () => {
  const all = ["a", "", "two words", "it's", 'a "b"', "a\\b", "a\\", "a\\\\b", "\\\\host\\x", "'", "a\nb", "$x"];
  expect(splitCommand(joinCommand(all))).toEqual({ words: all, open: null });
  expect(joinCommand(["npx", "-y", "C:\\x"])).toBe("npx -y C:\\x");
});

const value = (name: string, text: string, more: Partial<DraftedValue> = {}): DraftedValue => ({
  key: 0,
  name,
  value: text,
  secret: null,
  ...more,
});

test.each([
  ["GITHUB_TOKEN", "x", true],
  ["ApiKey", "x", true],
  ["Authorization", "Bearer x", true],
  ["client_secret", "x", true],
  ["DB_PASSWORD", "x", true],
  ["LOG_LEVEL", "x", false],
  ["GITHUB_TOKEN", "${env:GITHUB_TOKEN}", false],
])("%s=%s: is it a secret? %s", (name, text, secret) => {
  expect(isSecret(value(name, text))).toBe(secret);
  expect(isSecret(value(name, text, { secret: !secret }))).toBe(!secret);
});

const program: Draft = { ...EMPTY, name: "notes", command: "notes --dir '/a b'" };

test("a draft becomes all settings of a server", () => {
  const env = [value("API_KEY", "k"), value("LEVEL", "1"), value(" ", "")];
  expect(specOf({ ...program, env, cwd: " /x ", url: "https://unused" })).toEqual({
    spec: { command: "notes", args: ["--dir", "/a b"], cwd: "/x", env: { API_KEY: { secret: "k" }, LEVEL: "1" } },
    hidden: [],
  });
  const headers = [value("Authorization", "Bearer x")];
  expect(specOf({ ...program, kind: "address", url: " https://a/mcp ", headers, env }).spec).toEqual({
    url: "https://a/mcp",
    headers: { Authorization: { secret: "Bearer x" } },
  });
});

test("what is missing is said before anything is sent", () => {
  const why = (draft: Partial<Draft>, taken: string[] = []) => faultIn({ ...program, ...draft }, taken)?.why ?? null;
  expect(why({})).toBeNull();
  expect(why({ name: "My notes" })).toBe("badName");
  expect(why({}, ["notes"])).toBe("nameTaken");
  expect(why({ command: " " })).toBe("noProgram");
  expect(why({ command: "a 'b" })).toBe("openQuote");
  expect(why({ kind: "address" })).toBe("noAddress");
  expect(why({ env: [value("", "x")] })).toBe("unnamed");
  expect(why({ env: [value("A", "x"), value("A", "y")] })).toBe("twice");
  expect(why({ env: [value("KEY", "")] })).toBe("emptySecret");
  expect(why({ env: [value("LEVEL", "")] })).toBeNull();
  expect(why({ kind: "address", url: "https://a", env: [value("", "x")] })).toBeNull();
});

const CONFIG: McpConfig = {
  enabled: true,
  command: "notes",
  args: ["--dir", "/a b"],
  env: { TOKEN: "${secret:mcp.notes.TOKEN}", PLAIN: null, HOME_DIR: "${env:HOME}/notes" },
  cwd: null,
  url: null,
  headers: {},
  roots: null,
  tools: null,
  disabled_tools: [],
  agents: null,
  risk: "high",
  timeout_s: 60,
};

test("a form that is saved as it was opened changes nothing", () => {
  const draft = draftOf("notes", CONFIG);
  expect(draft.command).toBe("notes --dir '/a b'");
  expect(draft.env.map((one) => [one.name, one.value, isSecret(one)])).toEqual([
    ["TOKEN", "", true],
    ["PLAIN", "", false],
    ["HOME_DIR", "${env:HOME}/notes", false],
  ]);
  expect(faultIn(draft, [])).toBeNull();
  expect(patchOf(draft, CONFIG)).toEqual({});
  expect(specOf(draft)).toEqual({
    spec: {
      command: "notes",
      args: ["--dir", "/a b"],
      env: { TOKEN: "${secret:mcp.notes.TOKEN}", HOME_DIR: "${env:HOME}/notes" },
      timeout_s: 60,
    },
    hidden: ["PLAIN"],
  });
});

test("only what was changed in a form is sent", () => {
  const draft = draftOf("notes", CONFIG);
  const [token, , home] = draft.env as [DraftedValue, DraftedValue, DraftedValue];
  const env = [{ ...token, value: "new" }, { ...home, value: "/x" }, value("MORE", "1")];
  expect(patchOf({ ...draft, command: "notes", cwd: "/y", env }, CONFIG)).toEqual({
    args: null,
    cwd: "/y",
    env: { TOKEN: { secret: "new" }, PLAIN: null, HOME_DIR: "/x", MORE: "1" },
  });
  expect(patchOf({ ...draft, kind: "address", url: "https://a/mcp" }, CONFIG)).toEqual({
    command: null,
    args: null,
    url: "https://a/mcp",
    env: { TOKEN: null, PLAIN: null, HOME_DIR: null },
  });
});

test("a tool is turned off and on, also one outside of the list of allowed ones", () => {
  const listed = { tools: ["a"], disabled_tools: [] };
  expect([offers(CONFIG, "b"), offers(listed, "a"), offers(listed, "b")]).toEqual([true, true, false]);
  expect(withTool(CONFIG, "a", false)).toEqual({ disabled_tools: ["a"] });
  expect(withTool({ tools: null, disabled_tools: ["a", "b"] }, "a", true)).toEqual({ disabled_tools: ["b"] });
  expect(withTool(listed, "b", true)).toEqual({ disabled_tools: [], tools: ["a", "b"] });
});
