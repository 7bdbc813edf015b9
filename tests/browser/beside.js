/** Pages that have just been built, and all else from a server: under the same address. */
import { readFile } from "node:fs/promises";
import http from "node:http";
import { extname, join } from "node:path";

const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ttf": "font/ttf",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};

/**
 * Serves `folder` where `name` finds the name of a file in a path; a name
 * without an ending is that of the page. It stands under `policy`, or under
 * that which the server gives to what it has there itself.
 */
export function beside(port, target, { folder, name, policy }) {
  const server = http.createServer(async (request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    const wanted = name(path);
    if (wanted !== undefined) {
      const file = extname(wanted) ? wanted : "index.html";
      const bytes = await readFile(join(folder, file)).catch(() => undefined);
      const own = policy ?? (await fetch(`http://127.0.0.1:${target}${path}`)).headers.get("content-security-policy");
      response.writeHead(bytes ? 200 : 404, {
        "content-type": types[extname(file)] ?? "application/octet-stream",
        ...(own ? { "content-security-policy": own } : {}),
      });
      response.end(bytes);
      return;
    }
    const onward = http.request({ host: "127.0.0.1", port: target, method: request.method, path: request.url, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  server.listen(port, "127.0.0.1");
  return server;
}
