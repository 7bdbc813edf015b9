import { renewed } from "@/api/client";

/** What an answer that refuses says. */
function refusal(request: XMLHttpRequest): Error {
  let detail = `the store answered ${request.status}`;
  try {
    detail = (JSON.parse(request.responseText) as { detail?: string }).detail ?? detail;
  } catch {
    // It says no more.
  }
  return new Error(detail);
}

/**
 * Sends a file to where the server says, telling how far it is: `fetch` does not tell. Where the session has ended
 * meanwhile, it is sent once more when somebody has signed in again.
 */
export function send(
  url: string,
  file: File,
  told: (part: number) => void,
  method: "PUT" | "POST" = "PUT",
): { done: Promise<string>; stop: () => void } {
  let request: XMLHttpRequest;
  let stopped = false;
  const isOurs = url.startsWith("/");
  const done = new Promise<string>((resolve, reject) => {
    const begin = (again: boolean) => {
      request = new XMLHttpRequest();
      request.upload.addEventListener("progress", (event) => event.lengthComputable && told(event.loaded / event.total));
      request.addEventListener("load", () => {
        if (request.status < 300) return resolve(request.responseText);
        const refused = refusal(request);
        if (request.status !== 401 || !isOurs || again) return reject(refused);
        return void renewed().then((was) => (was && !stopped ? begin(true) : reject(refused)), reject);
      });
      request.addEventListener("error", () => reject(new Error("the line broke; try again")));
      request.addEventListener("abort", () => reject(new Error("given up")));
      request.open(method, url);
      request.setRequestHeader("content-type", file.type || "application/octet-stream");
      request.send(file);
    };
    begin(false);
  });
  return {
    done,
    stop: () => {
      stopped = true;
      request.abort();
    },
  };
}
