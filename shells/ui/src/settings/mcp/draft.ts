// What a person has written into the form of an MCP server, and the request that it becomes.
import type { McpConfig, McpPatch, McpSpec } from "@aster-sidecar/client";
import { joinCommand, splitCommand } from "./commandLine.js";

/** A variable or a header. */
export interface DraftedValue {
  key: number;
  name: string;
  value: string;
  /** Null: nobody chose; the name decides. */
  secret: boolean | null;
  /** What is saved: a text with references, or null if the daemon does not show it. Absent: nothing is saved yet. */
  saved?: string | null;
}

export interface Draft {
  name: string;
  kind: "program" | "address";
  command: string;
  cwd: string;
  env: readonly DraftedValue[];
  url: string;
  headers: readonly DraftedValue[];
  /** The folders that it is told to work in, one per line; null: the folder of the conversation. */
  roots: string | null;
  /** Seconds that a call may take; empty: the default. */
  timeout: string;
}

/** What is wrong with a draft, and the name that it is about. */
export interface Fault {
  why:
    | "badName"
    | "nameTaken"
    | "noProgram"
    | "openQuote"
    | "noAddress"
    | "unnamed"
    | "twice"
    | "emptySecret"
    | "badTimeout";
  about: string;
}

type Values = NonNullable<McpPatch["env"]>;

const SECRET_NAME = /TOKEN|KEY|SECRET|PASSWORD|AUTH/i;
const REFERENCE = /\$\{(?:env|secret):/;
const ONE_SECRET = /^\$\{secret:[^}]*\}$/;
const NAME = /^[a-z0-9_-]{1,32}$/;

/** Whether the value is saved as a secret. A reference is no secret itself. */
export const isSecret = ({ name, value, secret }: DraftedValue): boolean =>
  secret ?? (SECRET_NAME.test(name) && !REFERENCE.test(value));

/** The text of a saved value when the form opens; empty if it is not shown. */
const shownOf = (saved: string | null): string => (saved === null || ONE_SECRET.test(saved) ? "" : saved);

/** Whether the saved value stays as it is. */
export const isKept = ({ saved, value }: DraftedValue): boolean => saved !== undefined && value === shownOf(saved);

export const EMPTY: Draft = {
  name: "",
  kind: "program",
  command: "",
  cwd: "",
  env: [],
  url: "",
  headers: [],
  roots: null,
  timeout: "",
};

/** The longest time that a call may take. */
const TIMEOUT_MOST_S = 3600;

export function draftOf(name: string, config: McpConfig): Draft {
  const values = (saved: Readonly<Record<string, string | null>>): DraftedValue[] =>
    Object.entries(saved).map(([variable, value], key) => ({
      key,
      name: variable,
      value: shownOf(value),
      secret: value !== null && ONE_SECRET.test(value) ? true : null,
      saved: value,
    }));
  return {
    name,
    kind: config.url === null ? "program" : "address",
    command: config.command === null ? "" : joinCommand([config.command, ...config.args]),
    cwd: config.cwd ?? "",
    env: values(config.env),
    url: config.url ?? "",
    headers: values(config.headers),
    roots: config.roots?.join("\n") ?? null,
    timeout: String(config.timeout_s),
  };
}

const valuesIn = (draft: Draft): readonly DraftedValue[] => (draft.kind === "program" ? draft.env : draft.headers);

/** The first fault of a draft. `taken`: names of other servers. */
export function faultIn(draft: Draft, taken: readonly string[]): Fault | null {
  if (!NAME.test(draft.name)) return { why: "badName", about: draft.name };
  if (taken.includes(draft.name)) return { why: "nameTaken", about: draft.name };
  if (draft.kind === "address") {
    if (draft.url.trim() === "") return { why: "noAddress", about: "" };
  } else {
    const { words, open } = splitCommand(draft.command);
    if (open !== null) return { why: "openQuote", about: open };
    if (words.length === 0) return { why: "noProgram", about: "" };
  }
  const seen = new Set<string>();
  for (const value of valuesIn(draft)) {
    const name = value.name.trim();
    if (name === "" && value.value === "") continue;
    if (name === "") return { why: "unnamed", about: "" };
    if (seen.has(name)) return { why: "twice", about: name };
    if (isSecret(value) && value.value === "" && !isKept(value)) return { why: "emptySecret", about: name };
    seen.add(name);
  }
  const { timeout_s = 1 } = limits(draft);
  if (!(timeout_s > 0 && timeout_s <= TIMEOUT_MOST_S)) return { why: "badTimeout", about: "" };
  return null;
}

function writtenValues(values: readonly DraftedValue[]): Values {
  const written = values.filter((one) => one.name.trim() !== "" && !isKept(one));
  return Object.fromEntries(written.map((one) => [one.name.trim(), isSecret(one) ? { secret: one.value } : one.value]));
}

function place(draft: Draft): Pick<McpSpec, "command" | "args" | "cwd" | "url"> {
  if (draft.kind === "address") return { url: draft.url.trim() };
  const [command = "", ...args] = splitCommand(draft.command).words;
  const cwd = draft.cwd.trim();
  return { command, ...(args.length > 0 && { args }), ...(cwd !== "" && { cwd }) };
}

/** The settings of both kinds. */
function limits({ roots, timeout }: Draft): { roots?: string[]; timeout_s?: number } {
  const lines = roots?.split("\n").map((line) => line.trim());
  return {
    ...(lines && { roots: lines.filter((line) => line !== "") }),
    ...(timeout.trim() !== "" && { timeout_s: Number(timeout) }),
  };
}

/** All settings of a draft. Saved values that the daemon does not show are missing: `hidden` names them. */
export function specOf(draft: Draft): { spec: McpSpec; hidden: string[] } {
  const kept = valuesIn(draft).filter(isKept);
  const values: Values = {
    ...Object.fromEntries(kept.flatMap(({ name, saved }) => (saved == null ? [] : [[name, saved]]))),
    ...writtenValues(valuesIn(draft)),
  };
  const key = draft.kind === "program" ? "env" : "headers";
  return {
    spec: { ...place(draft), ...limits(draft), ...(Object.keys(values).length > 0 && { [key]: values }) },
    hidden: kept.filter(({ saved }) => saved === null).map(({ name }) => name),
  };
}

/** What a draft changes in saved settings. */
export function patchOf(draft: Draft, config: McpConfig): McpPatch {
  const changes = (saved: object, values: readonly DraftedValue[]): Values => ({
    ...Object.fromEntries(
      Object.keys(saved)
        .filter((name) => !values.some((one) => one.name.trim() === name))
        .map((name) => [name, null]),
    ),
    ...writtenValues(values),
  });
  const program = draft.kind === "program";
  const { command = null, args = null, cwd = null, url = null } = place(draft);
  const { roots = null, timeout_s = null } = limits(draft);
  const wanted = { command, args, cwd, url, roots, timeout_s };
  const now = { ...config, args: config.args.length > 0 ? config.args : null };
  const patch: McpPatch = Object.fromEntries(
    (["command", "args", "cwd", "url", "roots", "timeout_s"] as const)
      .filter((key) => JSON.stringify(wanted[key]) !== JSON.stringify(now[key]))
      .map((key) => [key, wanted[key]]),
  );
  const env = program ? changes(config.env, draft.env) : changes(config.env, []);
  const headers = program ? changes(config.headers, []) : changes(config.headers, draft.headers);
  if (Object.keys(env).length > 0) patch.env = env;
  if (Object.keys(headers).length > 0) patch.headers = headers;
  return patch;
}

/** Whether the settings offer a tool. */
export function offers(config: Pick<McpConfig, "tools" | "disabled_tools">, tool: string): boolean {
  return (config.tools === null || config.tools.includes(tool)) && !config.disabled_tools.includes(tool);
}

/** Turns a tool on or off. A tool that is not on the list of allowed ones is added to it. */
export function withTool(config: Pick<McpConfig, "tools" | "disabled_tools">, tool: string, on: boolean): McpPatch {
  const others = config.disabled_tools.filter((name) => name !== tool);
  if (!on) return { disabled_tools: [...others, tool] };
  const { tools } = config;
  return { disabled_tools: others, ...(tools !== null && !tools.includes(tool) && { tools: [...tools, tool] }) };
}
