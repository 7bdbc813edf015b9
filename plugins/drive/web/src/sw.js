/*
 * Keeps the shell, so that the pages open without a line and say so. What is
 * the project's is never kept here: only the files of the plugin are, which
 * are everybody's. `SHELL` is put in by the build.
 */
const files = SHELL;
const name = `atlashub.drive.${VERSION}`;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(name)
      .then((cache) => cache.addAll(files))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const old = (key) => key.startsWith("atlashub.drive.") && key !== name;
  event.waitUntil(
    caches
      .keys()
      .then((keys) => Promise.all(keys.filter(old).map((key) => caches.delete(key))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const scope = new URL(self.registration.scope);
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  const inside = url.pathname.slice(scope.pathname.length);
  if (request.mode === "navigate") {
    // The newest page where there is a line, else the one that is kept.
    event.respondWith(fetch(request).catch(() => caches.match("./", { cacheName: name }).then((kept) => kept ?? Response.error())));
  } else if (inside.startsWith("assets/") || files.includes(`./${inside}`)) {
    event.respondWith(caches.match(request, { cacheName: name, ignoreSearch: true }).then((kept) => kept ?? fetch(request)));
  }
});
