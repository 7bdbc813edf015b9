import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The project that the pages of `npm run dev` talk to. */
const project = process.env.ATLASHUB_PROJECT_URL ?? "http://127.0.0.1:8080/p/demo";
const paths = ["/v1", "/users", "/files", "/folders", "/share", "/tags", "/notifications", "/mpesa", "/drive/settings"];
const target = new URL(project);
const proxy = Object.fromEntries(
  paths.map((path) => [
    path,
    { target: target.origin, rewrite: (asked: string) => target.pathname.replace(/\/$/, "") + asked },
  ]),
);

export default defineConfig({
  // The pages lie at `/drive/` of a domain, or below `/p/<slug>`.
  base: "./",
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: { proxy },
  build: {
    outDir: "dist",
    target: "es2022",
    // The policy of the pages allows no scripts and no fonts inside of others.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2_000,
    reportCompressedSize: false,
  },
});
