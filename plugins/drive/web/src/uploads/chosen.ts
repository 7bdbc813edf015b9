/** What was dropped, pasted or picked, as files with paths. */
import type { Chosen } from "./store";

export function fromList(files: Iterable<File>): Chosen[] {
  return [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/** Folders are walked through. */
export async function fromDrop(transfer: DataTransfer): Promise<Chosen[]> {
  // The list is gone once the event is over.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (entries.length === 0) return fromList(transfer.files);
  const found = await Promise.all(entries.map(async (entry) => walk(entry)));
  return found.flat();
}

async function walk(entry: FileSystemEntry): Promise<Chosen[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => {
      (entry as FileSystemFileEntry).file(resolve, reject);
    });
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const all: Chosen[] = [];
  for (;;) {
    // A reader gives a part at a time, and an empty one at the end.
    // oxlint-disable-next-line no-await-in-loop
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (part.length === 0) return all;
    // oxlint-disable-next-line no-await-in-loop
    for (const inside of await Promise.all(part.map(async (entry) => walk(entry)))) all.push(...inside);
  }
}
