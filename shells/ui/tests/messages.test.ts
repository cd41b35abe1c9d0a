// All texts for people are in src/messages.tsx, are used, and follow the same rules. Without a browser: it reads the
// source.
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";
import { entriesOf, leftovers, usedBy, usesOf, vague, type Entry, type Use } from "./texts.js";

const SRC = new URL("../src/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, SRC), "utf8");

const names = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => /\.tsx?$/.test(name) && name !== "messages.tsx");
/** The source of the file that an import names; none for messages.tsx and for libraries. */
const importedBy =
  (name: string) =>
  (module: string): string | undefined => {
    const path = posix.join(posix.dirname(name), module.replace(/\.js$/, ""));
    const found = module.startsWith(".") ? names.find((one) => one.replace(/\.tsx?$/, "") === path) : undefined;
    return found === undefined ? undefined : read(found);
  };
const entries = entriesOf(read("messages.tsx"));
const uses = names.flatMap((name) => usesOf(name, read(name)));

// -- the rules for messages.tsx ------------------------------------------------------------------------------------------

/** Texts that several names have, because they mean different things. */
const TWICE: Record<string, string> = {
  "All agents": "of which conversations are shown, and who gets the tools of an MCP server",
  Archive: "the page, and what is done",
  Delete: "what is done, and the key",
  Deny: "the answer to one question, and the effect of a rule",
  Value: "of a condition, and of a variable of an MCP server",
  "Choose a model": "what can be done about a problem, and a step of the first run",
  canceled: "the state of a call, and the answer to its question",
  crashed: "the state of a service, and that of an MCP server",
  denied: "the state of a call, and the answer to its question",
  done: "the state of a call, and how a recorded call ended",
  failed: "the state of a call, and how a recorded call ended",
  ready: "the state of a model, and that of an MCP server",
  running: "the state of a call, and that of a service",
  starting: "the state of a service, and that of an MCP server",
  stopped: "how a recorded call ended, and the state of a service",
};

const HAS_WORDS = /\p{L}\p{M}*\p{L}/u;

function repeated(all: readonly Entry[], allowed: Record<string, string>): string[] {
  const paths = new Map<string, Set<string>>();
  for (const { path, texts } of all)
    for (const text of texts)
      if (HAS_WORDS.test(text)) paths.set(text, (paths.get(text) ?? new Set<string>()).add(path));
  const faults = [...paths].filter(([text, of]) => of.size > 1 !== text in allowed);
  const never = Object.keys(allowed).filter((text) => !paths.has(text));
  return [...faults.map(([text, of]) => `${text}: ${[...of].join(", ")}`), ...never];
}

function unused(all: readonly Entry[], of: readonly Use[]): string[] {
  return all.filter(({ path }) => usedBy(of, path).length === 0).map(({ path }) => path);
}

/** Texts that are shown as a notice but are not sentences. */
const NO_SENTENCES: Record<string, string> = {
  "sidebar.nothingFound": "a heading over what was found",
  "sidebar.foundMore": "a heading over what was found",
  "sidebar.link.connected": "a state",
  "sidebar.link.reconnecting": "a state",
  "sidebar.link.offline": "a state",
};

const SENTENCE = /^[\p{Lu}¤“(].*(?:[.?!…]|¤)$/su;

function unfinished(all: readonly Entry[], of: readonly Use[], allowed: Record<string, string>): string[] {
  const faults = all.filter(
    ({ path, texts }) => usedBy(of, path).some(({ notice }) => notice) && !texts.every((text) => SENTENCE.test(text)),
  );
  const known = new Set(faults.map(({ path }) => path));
  return [
    ...faults.filter(({ path }) => !(path in allowed)).map(({ path, texts }) => `${path}: ${texts.join(" | ")}`),
    ...Object.keys(allowed).filter((path) => !known.has(path)),
  ];
}

/** Words that confused people. */
const PUZZLING = [
  /\bMay .* run\?/,
  /smart_approve asks/,
  /it can[’']t be remembered/,
  /more than plain words/,
  /As the system has it/,
  /What is off here/,
  /Keep the rule/,
  /Leave it\b/,
  /Take back/,
  /You see how things were/,
  /what you write is kept as a draft/,
  /The person denied/,
  /They said:/,
  /Most requests in one turn/,
  /Keep it only if a model answers/,
  /withdrawn by cancel/,
  /two apps never meet/,
];

const BADLY_SET: [RegExp, string][] = [
  [/ {2}/, "two spaces"],
  [/["']/, "a straight quote: “ ” or ’"],
  [/\.{3}/, "three full stops: …"],
  ...PUZZLING.map((words): [RegExp, string] => [words, "words that people did not understand"]),
];

function badlySet(all: readonly Entry[]): string[] {
  return all.flatMap(({ path, line, texts }) =>
    texts.flatMap((text) =>
      BADLY_SET.filter(([rule]) => rule.test(text)).map(([, why]) => `messages.tsx:${line}: ${path}: ${text} (${why})`),
    ),
  );
}

// -- the rules hold --------------------------------------------------------------------------------------------------------

test("no text for people stands outside of messages.tsx", () => {
  expect(names.length).toBeGreaterThan(50);
  expect(names.flatMap((name) => leftovers(name, read(name), importedBy(name)))).toEqual([]);
});

test("every text of messages.tsx is used, by its name", () => {
  expect(entries.length).toBeGreaterThan(300);
  expect(unused(entries, uses)).toEqual([]);
  expect(vague(uses, entries)).toEqual([]);
});

test("no text stands twice in messages.tsx without a reason", () => {
  expect(repeated(entries, TWICE)).toEqual([]);
});

test("notices are sentences", () => {
  expect(unfinished(entries, uses, NO_SENTENCES)).toEqual([]);
});

test("texts are set alike, in words that people understand", () => {
  expect(badlySet(entries)).toEqual([]);
});

// -- each rule finds its violations ------------------------------------------------------------------------------------------

test.each([
  ["text between tags", `<p>Loading</p>`],
  ["a name of HTML in it", `<p>can&rsquo;t</p>`],
  ["one letter that is no key", `<b>a</b>`],
  ["a sentence from pieces", `<p>{a}: {b}.</p>`],
  ["an attribute", `<i aria-label="Side" />`],
  ["an attribute in braces", `<i title={"close"} />`],
  ["a choice in an attribute", `<i placeholder={offline ? words : "draft"} />`],
  ["a template in an attribute", "<i alt={`Menu of ${title}`} />"],
  ["what a part of ours shows", `<Listed none="nothing" />`],
  ["one word between tags", `<p>{value ?? "none"}</p>`],
  ["a condition between tags", `<p>{busy && "busy"}</p>`],
  ["within a function that shows it", `<p>{visible(name || "nobody")}</p>`],
  ["between the parts of a list", `<p>{visible(actions.join(", or "))}</p>`],
  ["a table that is shown", `const STATES = { idle: "resting" }; const view = <p>{STATES[state]}</p>`],
  ["a constant that is shown", `function View() { const word = on ? "on" : "off"; return <p>{word}</p>; }`],
  ["a notice", `toast("deleted")`],
  ["a notice with a value", "announce(`${n} new`)"],
  ["an error", `throw new Error("refused")`],
  ["a problem", `setProblem({ message: "wrong", hint: null })`],
  ["a command", `const commands = [{ key: "new", words: "start" }]`],
  ["the title of the page", `document.title = "Aster"`],
  ["a sentence anywhere", `const LEAD = "this is what there is"`],
  ["a word like a heading anywhere", `const ROWS = [["Version", health]]`],
  ["a template anywhere", "const line = `${n} lines`"],
  ["words in a table anywhere", `const HELP = { ask: "You would be asked." } as const`],
])("%s is found outside of messages.tsx", (_, source) => {
  const found = leftovers("View.tsx", `\n${source}`);
  expect(found).not.toEqual([]);
  expect(found[0]).toMatch(/^View\.tsx:2: .+ \(.+\)$/s);
});

test("a table of another file that is shown is found, where it is shown", () => {
  const words = `export const DECISION: Record<string, string> = { allow: "allowed" }; export const on = "on";`;
  const imported = (module: string): string | undefined => (module === "./words.js" ? words : undefined);
  const head = `import { DECISION as SAID, on } from "./words.js"; import { SIZE } from "./sizes.js";\n`;
  const shown = (source: string): string[] => leftovers("View.tsx", head + source, imported);
  expect(shown(`<p>{SAID[decision] ?? decision}</p>`)).toEqual(["View.tsx:2: allowed (shown between tags)"]);
  expect(shown(`<p title={on} />`)).toEqual(["View.tsx:2: on (title)"]);
  expect(shown(`function Row({ on }) { return <p>{on}{SIZE[on]}</p>; }`)).toEqual([]);
});

test.each([
  `import { Note } from "./Some Buttons.js"; export * from "Other"; const late = import("./Late.js")`,
  `type Role = "First one" | "Second"; let role: "First one" | null = null`,
  `if (event.key === "Enter" || "Notification" in window) go(); switch (key) { case "Escape": go(); }`,
  `const named = { "Some name": 1 }; const allowed = !reason.includes("always allowed")`,
  `<p className={on ? "row row-on" : "row row-off"}><a rel="noreferrer noopener" href="#/x" /></p>`,
  "function Box({ className = 'plain display' }) { area.className = `row ${name} Wide`; }",
  `const send = <b aria-keyshortcuts="Escape" />; document.querySelector(".composer textarea"); window.matchMedia("(hover: hover)")`,
  "fetch(url, { headers: token ? { Authorization: `Bearer ${token}` } : {} })",
  "const size = a ? `${n} B` : b ? `${n} KiB` : `${n} min ${m} s`",
  `actions.say("go on"); const SUGGESTIONS = ["list", "write hello.txt"]`,
  `<p>{a} · {b} <kbd>a</kbd>{"\\n"}{cut && "…"}{texts.a.b}{texts.a.c(visible(name))}</p>`,
  `<p>{sessions.map((words) => <b key={words}>{words}</b>)}</p>; const words = ["a", "b"].join(" ")`,
  `client.call("POST", "/api/models", { kind: "error", state: "Q" })`,
])("no text for people: %s", (source) => {
  expect(leftovers("View.tsx", source)).toEqual([]);
});

const SEED = `export const texts = {
  place: {
    one: "Deleted.",
    table: { a: "first", b: "second" } as Named,
    many: (n: number) => plural(n, \`\${count(n)} file.\`, \`\${count(n)} files.\`),
    link: (a: (words: string) => ReactNode) => (
      <>
        Please, {a("choose one")} <b>now</b>,
        or wait.
      </>
    ),
  },
};`;

/** The entries of a seed after one text has been replaced. */
const changed = (from: string, to: string): Entry[] => entriesOf(SEED.replace(from, () => to));

test("texts are read whole", () => {
  expect(entriesOf(SEED)).toEqual([
    { path: "place.one", line: 3, texts: ["Deleted."] },
    { path: "place.table.a", line: 4, texts: ["first"] },
    { path: "place.table.b", line: 4, texts: ["second"] },
    { path: "place.many", line: 5, texts: ["¤ file.", "¤ files."] },
    { path: "place.link", line: 6, texts: ["Please, choose one now, or wait."] },
  ]);
});

test("a text that is not used is found, and a group that is passed on", () => {
  const all = entriesOf(SEED);
  const some = usesOf("A.tsx", `toast(texts.place.one); const view = <p>{texts.place.table[name]}</p>`);
  expect(unused(all, some)).toEqual(["place.many", "place.link"]);
  expect(vague(some, all)).toEqual([]);
  expect(unused(all, usesOf("A.tsx", `const key = { ...texts.place }`))).toEqual([]);
  const passed = usesOf("A.tsx", `\nshow(texts.place); show(texts)`);
  expect(unused(all, passed)).toHaveLength(5);
  expect(vague(passed, all).map(({ path, where }) => [path, where])).toEqual([
    ["place", "A.tsx:2"],
    ["", "A.tsx:2"],
  ]);
});

test("a text that stands twice is found, and a reason that is none any more", () => {
  expect(repeated(entriesOf(SEED), {})).toEqual([]);
  expect(repeated(changed("second", "first"), {})).toEqual(["first: place.table.a, place.table.b"]);
  expect(repeated(changed("second", "first"), { first: "two meanings" })).toEqual([]);
  expect(repeated(entriesOf(SEED), { first: "two meanings" })).toEqual(["first: place.table.a"]);
  expect(repeated(entriesOf(SEED), { gone: "two meanings" })).toEqual(["gone"]);
});

test.each([
  "toast(on ? texts.place.one : other)",
  "words.push(texts.place.one); toast(words.join(' '))",
  "announce(texts.place.one)",
  "setProblem({ message: texts.place.one, hint: null })",
  "<Note kind='error'><>{visible(texts.place.one)}</></Note>",
  "<div role='status'><span>{lost && texts.place.one}</span></div>",
  "<p className='lead'>{n === 0 ? texts.place.one : null}</p>",
  "<Listed none={texts.place.one} />",
])("a notice without its full stop is found in %s", (source) => {
  const said = usesOf("A.tsx", source.replaceAll("'", '"'));
  expect(unfinished(entriesOf(SEED), said, {})).toEqual([]);
  expect(unfinished(changed("Deleted.", "Deleted"), said, {})).toEqual(["place.one: Deleted"]);
  expect(unfinished(changed("Deleted.", "deleted."), said, {})).toEqual(["place.one: deleted."]);
  expect(unfinished(changed("Deleted.", "Deleted"), said, { "place.one": "a state" })).toEqual([]);
  expect(unfinished(entriesOf(SEED), said, { "place.one": "a state" })).toEqual(["place.one"]);
});

test("a button is no notice", () => {
  const said = usesOf(
    "A.tsx",
    `<Note actions={<button>{texts.place.table.a}</button>}><button>{texts.place.one}</button></Note>`,
  );
  expect(unfinished(changed("Deleted.", "delete"), said, {})).toEqual([]);
});

test.each([
  ["Deleted  now.", "two spaces"],
  ["It can't be.", "a straight quote"],
  ["The ''file''.", "a straight quote"],
  ["Loading...", "three full stops"],
  ["As the system has it", "did not understand"],
  ["May ¤ run?", "did not understand"],
  ["Take back", "did not understand"],
])("“%s” is found", (text, why) => {
  expect(badlySet(entriesOf(SEED))).toEqual([]);
  const found = badlySet(changed("Deleted.", text));
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(`messages.tsx:3: place.one: ${text} (`);
  expect(found[0]).toContain(why);
});
