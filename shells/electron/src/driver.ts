// The supervisor with a small protocol over stdio, for the scenarios of shells/conformance (described in its README).
import { createInterface } from "node:readline";
import { EngineError, EngineUnavailable, Supervisor, wordsOf, type Places, type Timing } from "./supervisor/index.js";

interface Configuration {
  engine: { override?: string; bundled?: string[]; development?: string };
  data_dir: string;
  logs_dir: string | null;
  port: number;
  unix_socket: boolean;
  environment: Record<string, string>;
  timing: Partial<Timing>;
}

interface Request {
  id: number;
  do: string;
  with?: unknown;
}

let supervisor: Supervisor | null = null;

function say(message: object): void {
  process.stdout.write(JSON.stringify(message) + "\n");
}

function running(): Supervisor {
  if (!supervisor) throw new Error("not configured");
  return supervisor;
}

function configure({ engine, data_dir, logs_dir, port, unix_socket, environment, timing }: Configuration): void {
  const places: Places = { override: engine.override, bundled: engine.bundled ?? [], development: engine.development };
  supervisor = new Supervisor({
    framework: "electron",
    port,
    data_dir,
    logs_dir,
    places,
    unix_socket,
    environment,
    timing,
  });
  supervisor.onStatus((state) => {
    say({ event: "state", state });
  });
}

async function answer({ do: what, with: given }: Request): Promise<unknown> {
  switch (what) {
    case "configure":
      configure(given as Configuration);
      return null;
    case "start":
      return running().start();
    case "stop":
      return running().stop();
    case "restart":
      return running().restart();
    case "info":
      return running().info;
    case "logs":
      await running().log.flush();
      return { entries: running().log.entries(), dropped: running().log.dropped, path: running().log.path };
    case "request": {
      const { method, path, body } = given as { method: string; path: string; body?: string };
      return running().call({ method, path, body, timeout_ms: 10_000 });
    }
    default:
      throw new Error(`no such request: ${what}`);
  }
}

function codeOf(cause: unknown): string {
  if (cause instanceof EngineError) return cause.code;
  return cause instanceof EngineUnavailable ? "unavailable" : "failed";
}

async function leave(): Promise<void> {
  await supervisor?.stop();
  await supervisor?.log.flush();
  process.exit(0);
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const request = JSON.parse(line) as Request;
  answer(request).then(
    (result) => {
      say({ id: request.id, ok: true, result: result ?? null });
    },
    (cause: unknown) => {
      say({ id: request.id, ok: false, error: { code: codeOf(cause), message: wordsOf(cause) } });
    },
  );
});
lines.on("close", () => void leave());
process.on("SIGTERM", () => void leave());
