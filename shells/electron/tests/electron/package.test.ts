// The app as electron-forge packages it with the runtime of these tests, started from the packaged folder.
import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { folder as temporary, repository, shells } from "../places.js";
import { App, closeScreen } from "./app.js";
import { buildOld, folder } from "./old/build.mjs";
import { electron, forgeNode, missing, version } from "./runtime.js";

const run = promisify(execFile);
const shell = fileURLToPath(new URL("../..", import.meta.url));
const forge = fileURLToPath(import.meta.resolve("@electron-forge/cli/dist/electron-forge.js"));
const daemon = join(repository, "dist", "aster-desktop");
const why = missing() ?? (existsSync(daemon) ? null : "there is no frozen daemon to package: make package");
if (why !== null && process.env["CI"] === "true") throw new Error(`${why}, and CI=true`);
if (why !== null) console.warn(`skipped: ${why}`);

/** The marker at the start of the fuses in Electron's binary. */
const FUSES = "dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX";
/** On an older Node, npm does not install the package that makes a .deb. */
const debian = existsSync(join(shells, "node_modules", "electron-installer-debian"));
const targets = ["@electron-forge/maker-zip", ...(debian ? ["@electron-forge/maker-deb"] : [])];

describe.skipIf(why !== null)(`Electron ${version()}, packaged`, () => {
  afterAll(closeScreen);
  test("the packaged app brings its daemon, finds it, and runs without the checkout", async () => {
    const stage = join(folder, "stage");
    onTestFinished(() => {
      rmSync(stage, { recursive: true, force: true });
    });
    await buildOld(join(stage, "dist"));
    for (const name of ["assets", "forge.config.ts", "package.json"])
      cpSync(join(shell, name), join(stage, name), { recursive: true });
    const home = temporary();
    // The packager asks for the version that the app is written for; the zip contains the version that is available
    // here.
    const { version: written } = JSON.parse(
      readFileSync(fileURLToPath(import.meta.resolve("electron/package.json")), "utf8"),
    ) as { version: string };
    const zips = join(home, "zips");
    mkdirSync(zips);
    await run("zip", ["-q", "-r", "-1", join(zips, `electron-v${written}-linux-x64.zip`), "."], {
      cwd: dirname(electron),
    });
    // This runtime has no fuses. Fuses appended to the binary change nothing in it, and show that the packager sets
    // them.
    if (Number(version().split(".")[0]) < 12) {
      mkdirSync(join(home, "fused"));
      const row = Buffer.concat([Buffer.from(FUSES), Buffer.from([1, 9]), Buffer.from("1".repeat(9))]);
      writeFileSync(join(home, "fused", "electron"), Buffer.concat([readFileSync(electron), row]), { mode: 0o755 });
      await run("zip", ["-q", "-1", join(zips, `electron-v${written}-linux-x64.zip`), "electron"], {
        cwd: join(home, "fused"),
      });
    }
    await run(forgeNode(), [forge, "make", "--targets", targets.join(",")], {
      cwd: stage,
      env: { ...process.env, ASTER_DAEMON_DIR: daemon, ELECTRON_ZIP_DIR: zips },
    });
    const out = join(stage, "out");
    expect(readdirSync(join(out, "make", "zip", "linux", "x64"))).toEqual([expect.stringMatching(/^Aster-.*\.zip$/)]);
    if (targets.length > 1) {
      const [deb = ""] = readdirSync(join(out, "make", "deb", "x64"));
      const list = execFileSync("dpkg-deb", ["--contents", join(out, "make", "deb", "x64", deb)], { encoding: "utf8" });
      expect(list).toContain("./usr/share/applications/app.aster.shell.desktop");
      expect(list).toContain("resources/aster-desktop/aster-desktop");
      expect(list).toMatch(/\.\/usr\/bin\/\S+ -> /);
    }
    const packaged = join(out, "Aster-linux-x64");
    expect(readdirSync(join(packaged, "resources")).sort()).toEqual(["app.asar", "aster-desktop"]);
    const binary = readFileSync(join(packaged, "aster"));
    const fuses = binary.indexOf(FUSES) + FUSES.length + 2;
    // In this order: RunAsNode, cookies, NODE_OPTIONS, --inspect, asar hash, only asar, snapshot, file://, wasm.
    expect(binary.subarray(fuses, fuses + 9).toString()).toBe("010011001");
    const asar = readFileSync(join(packaged, "resources", "app.asar"), "latin1");
    for (const kept of ["main.cjs", "preload.cjs", "tray.png", "index.html"]) expect(asar).toContain(`"${kept}"`);
    for (const left of ["node_modules", "driver.cjs", "main.cjs.map", "forge.config.ts"])
      expect(asar.slice(0, 65_536)).not.toContain(`"${left}"`);

    const app = await App.launch({ packaged: join(packaged, "aster") });
    const page = await app.ready();
    expect(await page.host("getRuntimeInfo")).toMatchObject({
      engine_status: "ready",
      engine: join(packaged, "resources", "aster-desktop", "aster-desktop"),
    });
    await page.say("write packaged.txt");
    await page.click("Allow once");
    await page.shows("packaged.txt");
    expect(await app.quit()).toBe(0);
    await app.nothingLeft();
  });
});
