/** Sends a file to where the server says, telling how far it is: `fetch` does not tell. */
export function send(
  url: string,
  file: File,
  told: (part: number) => void,
  method: "PUT" | "POST" = "PUT",
): { done: Promise<string>; stop: () => void } {
  const request = new XMLHttpRequest();
  const done = new Promise<string>((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => event.lengthComputable && told(event.loaded / event.total));
    request.addEventListener("load", () => {
      if (request.status < 300) return resolve(request.responseText);
      let detail = `the store answered ${request.status}`;
      try {
        detail = (JSON.parse(request.responseText) as { detail?: string }).detail ?? detail;
      } catch {
        // It says no more.
      }
      return reject(new Error(detail));
    });
    request.addEventListener("error", () => reject(new Error("the line broke; try again")));
    request.addEventListener("abort", () => reject(new Error("given up")));
    request.open(method, url);
    request.setRequestHeader("content-type", file.type || "application/octet-stream");
    request.send(file);
  });
  return { done, stop: () => request.abort() };
}
