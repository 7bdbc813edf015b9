/**
 * Puts a Brotli and a gzip form beside each built file that gets smaller by
 * it, so that the server compresses nothing while it runs.
 */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import zlib from "node:zlib";

const brotli = promisify(zlib.brotliCompress);
const gzip = promisify(zlib.gzip);
const root = new URL("../dist/www/", import.meta.url).pathname;

const entries = await readdir(root, { recursive: true, withFileTypes: true });
const files = entries
  .filter((entry) => entry.isFile() && /\.(js|css|html|svg|json|ttf)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name));

for (const file of files) {
  const plain = await readFile(file);
  // The editor is large, and the highest quality takes long for little.
  const quality = plain.length > 1_000_000 ? 9 : 11;
  const forms = {
    ".br": await brotli(plain, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: quality } }),
    ".gz": await gzip(plain, { level: 9 }),
  };
  for (const [ending, bytes] of Object.entries(forms)) {
    if (bytes.length < plain.length * 0.95) await writeFile(file + ending, bytes);
  }
}
