// Runs the app during development: a change in the main or preload process restarts it, and a change in the page
// reloads the windows. `npm run dev`; ELECTRON names another Electron than the one in package.json.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { context } from "esbuild";
import { dist, options } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = fileURLToPath(new URL("../../ui", import.meta.url));
// The package exports the path of its binary.
const electron = process.env.ELECTRON ?? createRequire(import.meta.url)("electron");

/** @type {import("node:child_process").ChildProcess | null} */
let app = null;

function start() {
  const next = spawn(electron, [root, ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, ASTER_DEVELOPMENT: "1" },
  });
  app = next;
  next.once("exit", (code) => {
    if (app !== next) return; // it is being replaced by the next one
    process.exit(code ?? 1);
  });
}

function restart() {
  const last = app;
  if (!last) {
    start();
    return;
  }
  app = null;
  // Only after it has ended: otherwise the next one would find it, show its window, and exit.
  last.once("exit", start);
  last.kill("SIGTERM");
}

const vite = spawn("npx", ["--no", "vite", "build", "--watch", "--outDir", `${dist}/ui`, "--emptyOutDir"], {
  cwd: page,
  stdio: ["ignore", "ignore", "inherit"],
});
process.on("exit", () => vite.kill());
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => (app ? app.kill("SIGTERM") : process.exit(0)));

const building = await context({
  ...options,
  plugins: [
    {
      name: "restart",
      setup({ onEnd }) {
        onEnd(({ errors }) => {
          if (errors.length === 0) restart();
        });
      },
    },
  ],
});
await building.watch();
