import { lazy, Suspense, useEffect, useState } from "react";
import { Waiting } from "./components/states";
import { suggest, t, useLanguage } from "./i18n";
import { explain } from "./lib/explain";
import { client, useSettings } from "./lib/queries";
import { useRoute } from "./lib/route";
import { begin, onLeaving, useStanding, useSubject } from "./lib/session";
import { SignIn, SignInAgain } from "./pages/entrance";
import { Shell } from "./shell/shell";
import { stopAll } from "./uploads/store";

const SharedLink = lazy(async () => import("./pages/shared-link"));

// Nothing of one user's is there for the next.
onLeaving(() => {
  stopAll();
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "settings" });
});

export function App() {
  const language = useLanguage();
  const standing = useStanding();
  const subject = useSubject();
  const route = useRoute();
  const settings = useSettings();
  const [problem, setProblem] = useState<string>();
  const isLink = route.page === "s";

  useEffect(() => {
    if (isLink) return;
    begin().then(
      () => setProblem(undefined),
      (error: unknown) => setProblem(explain(error)),
    );
  }, [isLink]);

  useEffect(() => {
    if (settings.data) suggest(settings.data.language);
  }, [settings.data]);

  const name = settings.data?.name ?? "Drive";
  useEffect(() => {
    document.title = name;
  }, [name]);

  // Another language draws everything anew, but for what is being done.
  return (
    <Suspense key={language} fallback={<Waiting />}>
      {isLink ? (
        <SharedLink key={route.id} token={route.id ?? ""} name={name} />
      ) : standing === "in" || standing === "lapsed" ? (
        <>
          <Shell key={subject} name={name} />
          {standing === "lapsed" && <SignInAgain />}
        </>
      ) : standing === "out" ? (
        <SignIn name={name} />
      ) : problem ? (
        <main className="flex h-full flex-col items-center justify-center gap-4 p-6 text-center">
          <p role="alert">{problem}</p>
          <button type="button" className="button" onClick={() => window.location.reload()}>
            {t("again")}
          </button>
        </main>
      ) : (
        <Waiting />
      )}
    </Suspense>
  );
}
