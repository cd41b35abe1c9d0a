// The modules of src/ have no circular imports, not even of types, and each module is part of the package.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import ts from "typescript";

const folder = new URL("../src/", import.meta.url);

/** Each module of src/ → the modules of src/ that it imports or re-exports. */
function imports(): Map<string, string[]> {
  const graph = new Map<string, string[]>();
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const url = new URL(name.replaceAll("\\", "/"), folder);
    const { importedFiles } = ts.preProcessFile(readFileSync(url, "utf8"), true, true);
    const own = importedFiles.map((one) => one.fileName).filter((target) => target.startsWith("."));
    graph.set(
      url.href.slice(folder.href.length),
      own.map((target) => new URL(target.replace(/\.js$/, ".ts"), url).href.slice(folder.href.length)),
    );
  }
  return graph;
}

/** A circular import that can be reached from a module, as its path; null if there is none. */
function circle(graph: Map<string, string[]>, name: string, path: string[], done: Set<string>): string[] | null {
  if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
  if (done.has(name)) return null;
  for (const target of graph.get(name) ?? []) {
    const found = circle(graph, target, [...path, name], done);
    if (found) return found;
  }
  done.add(name);
  return null;
}

test("no module imports itself through others", () => {
  const graph = imports();
  const done = new Set<string>();
  const circles = [...graph.keys()].map((name) => circle(graph, name, [], done)?.join(" → "));
  expect(circles.filter((one) => one !== undefined)).toEqual([]);
});

test("each module is reached from an entry point", () => {
  const graph = imports();
  const reached = new Set(["index.ts", "tools.ts"]);
  for (const name of reached) for (const target of graph.get(name) ?? []) reached.add(target);
  expect([...reached].sort()).toEqual([...graph.keys()].sort());
});
