import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Where `npm run dev` finds the daemon.
const daemon = process.env.ASTER_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  // The page is also opened from an app's own scheme: nothing in it may depend on where it lies.
  base: "./",
  plugins: [react()],
  resolve: {
    // From its source, so that the page can be built before the package is.
    alias: { "@aster-sidecar/client": fileURLToPath(new URL("../client/src/index.ts", import.meta.url)) },
  },
  build: {
    // Where the daemon serves it from, and where the wheel takes it from.
    outDir: fileURLToPath(new URL("../../aster_sidecar/webui", import.meta.url)),
    emptyOutDir: true,
    target: ["chrome111", "firefox114", "safari16.4"],
    // The polyfill would be one more script to explain to the content security policy; these browsers don't need it.
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
        // The daemon lets in its own origin only.
        { target: daemon, changeOrigin: true, ws: path === "/ws", headers: { origin: daemon } },
      ]),
    ),
  },
});
