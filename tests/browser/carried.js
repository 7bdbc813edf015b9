/** What is dragged over a page or pasted into it. */
import { Buffer } from "node:buffer";

/** Files as a browser carries them: `{name, type, bytes}` each. */
export async function carry(page, files) {
  const plain = files.map(({ name, type = "", bytes }) => ({ name, type, text: Buffer.from(bytes).toString("base64") }));
  return page.evaluateHandle((all) => {
    const carried = new DataTransfer();
    for (const { name, type, text } of all) {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      carried.items.add(new File([bytes], name, { type }));
    }
    return carried;
  }, plain);
}

/** Lets go of files over the page, or a part of it, once it says that it takes them. */
export async function drop(page, files, invitation, onto = "body") {
  const dataTransfer = await carry(page, files);
  await page.dispatchEvent(onto, "dragenter", { dataTransfer });
  await page.getByText(invitation).waitFor();
  await page.dispatchEvent(onto, "drop", { dataTransfer });
}

/** Pastes files. */
export async function paste(page, files) {
  const carried = await carry(page, files);
  await page.evaluate(
    (clipboardData) => document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true })),
    carried,
  );
}
