import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The server that the pages of `npm run dev` talk to. */
const server = process.env.ATLASHUB_URL ?? "http://127.0.0.1:8080";
const paths = ["/admin", "/p/", "/_/", "/healthz", "/readyz", "/users", "/v1", "/openapi.json"];

export default defineConfig({
  base: "/dashboard/",
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  preview: { proxy: Object.fromEntries(paths.map((path) => [path, { target: server }])) },
  server: { proxy: Object.fromEntries(paths.map((path) => [path, { target: server }])) },
  build: {
    outDir: "dist/www",
    target: "es2022",
    // The policy of the pages allows no scripts and no fonts inside of others.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4_000,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
});
