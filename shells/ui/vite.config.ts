import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The address of the daemon for `npm run dev`.
const daemon = process.env.ASTER_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  // The page is also opened from an app's own scheme, so nothing in it may depend on its path.
  base: "./",
  plugins: [react()],
  resolve: {
    // The client's source, so that the page can be built before the package.
    alias: {
      "@aster-sidecar/client/tools": fileURLToPath(new URL("../client/src/tools.ts", import.meta.url)),
      "@aster-sidecar/client": fileURLToPath(new URL("../client/src/index.ts", import.meta.url)),
    },
  },
  build: {
    // The folder from which the daemon serves the page, and which the wheel includes.
    outDir: fileURLToPath(new URL("../../aster_sidecar/webui", import.meta.url)),
    emptyOutDir: true,
    target: ["chrome111", "firefox114", "safari16.4"],
    // The content security policy would have to allow the polyfill as one more script; these browsers don't need it.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    license: { fileName: "licenses.md" },
  },
  server: {
    host: "127.0.0.1",
    proxy: Object.fromEntries(
      ["/api", "/health", "/webui", "/ws"].map((path) => [
        path,
        // The daemon allows only its own origin.
        { target: daemon, changeOrigin: true, ws: path === "/ws", headers: { origin: daemon } },
      ]),
    ),
  },
});
