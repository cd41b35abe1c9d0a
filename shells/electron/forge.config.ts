// How the app is packaged: electron-forge reads this (Node 22.13 or newer).
//
//   ASTER_DAEMON_DIR   the frozen daemon, a directory called aster-desktop; default: ../../dist/aster-desktop
//   ELECTRON_ZIP_DIR   where Electron's own zips are, for machines that can't fetch them
//   APPLE_IDENTITY, WINDOWS_CERTIFICATE, WINDOWS_CERTIFICATE_PASSWORD   sign the app; README.md says how
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { FusesPlugin } from "@electron-forge/plugin-fuses";
import type { ForgeConfig } from "@electron-forge/shared-types";
import { FuseV1Options, FuseVersion } from "@electron/fuses";

const { env } = process;
const daemon = resolve(env["ASTER_DAEMON_DIR"] ?? join(import.meta.dirname, "..", "..", "dist", "aster-desktop"));
if (!existsSync(daemon) || basename(daemon) !== "aster-desktop")
  throw new Error(`no frozen daemon to package: ${daemon} (ASTER_DAEMON_DIR names a directory aster-desktop)`);

/** All code is bundled: only the files that the bundle reads are added. */
const KEPT = /^\/?(?:$|package\.json$|assets(?:\/|$)|dist(?:$|\/(?:(?:main|preload)\.cjs$|ui(?:\/|$))))/;

const config: ForgeConfig = {
  packagerConfig: {
    name: "Aster",
    executableName: "aster",
    appBundleId: "app.aster.shell",
    appCategoryType: "public.app-category.developer-tools",
    asar: true,
    prune: false,
    ignore: (path) => !KEPT.test(path),
    extraResource: [daemon],
    protocols: [{ name: "Aster", schemes: ["aster"] }],
    ...(env["ELECTRON_ZIP_DIR"] && { electronZipDir: resolve(env["ELECTRON_ZIP_DIR"]) }),
    ...(env["APPLE_IDENTITY"] && { osxSign: { identity: env["APPLE_IDENTITY"] } }),
  },
  makers: [
    { name: "@electron-forge/maker-zip", platforms: ["darwin", "linux"], config: {} },
    {
      name: "@electron-forge/maker-deb",
      platforms: ["linux"],
      // The package has the name of its .desktop file: the app's id, by which portals identify it.
      config: {
        options: {
          name: "app.aster.shell",
          bin: "aster",
          compression: "zstd", // Debian 12 and later; xz takes minutes
          mimeType: ["x-scheme-handler/aster"],
          categories: ["Utility"],
        },
      },
    },
    { name: "@electron-forge/maker-dmg", platforms: ["darwin"], config: {} },
    {
      name: "@electron-forge/maker-squirrel",
      platforms: ["win32"],
      config: {
        name: "aster",
        ...(env["WINDOWS_CERTIFICATE"] && {
          certificateFile: env["WINDOWS_CERTIFICATE"],
          certificatePassword: env["WINDOWS_CERTIFICATE_PASSWORD"],
        }),
      },
    },
  ],
  plugins: [
    new FusesPlugin({
      version: FuseVersion.V1,
      strictlyRequireAllFuses: true, // a new fuse of a newer Electron must be decided on, not ignored
      [FuseV1Options.RunAsNode]: false,
      [FuseV1Options.EnableCookieEncryption]: true,
      [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
      [FuseV1Options.EnableNodeCliInspectArguments]: false,
      [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
      [FuseV1Options.OnlyLoadAppFromAsar]: true,
      [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
      [FuseV1Options.GrantFileProtocolExtraPrivileges]: false,
      [FuseV1Options.WasmTrapHandlers]: true,
    }),
  ],
};

export default config;
