import { useQuery } from "@tanstack/react-query";
import { CloudOff, LoaderCircle } from "lucide-react";
import { queryClient, sessionQuery } from "@/api/queries";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { SignInForm } from "./sign-in-form";
import { signedInAgain, useConnection } from "./store";

/** Signs in again over the page as it is; what waited then goes on. */
export function SessionExpired() {
  const { expired } = useConnection();
  const { data: session } = useQuery({ ...sessionQuery, enabled: false });
  return (
    <DialogRoot open={expired}>
      <DialogContent
        title="Sign in again"
        description="Your session has ended. What you typed is kept, and goes on as soon as you have signed in."
        closable={false}
        className="z-70 max-w-sm"
        onEscapeKeyDown={(event) => event.preventDefault()}
        onInteractOutside={(event) => event.preventDefault()}
      >
        <SignInForm
          key={String(expired)}
          email={session?.admin.email ?? ""}
          done={(now) => {
            const other = session?.admin.id && session.admin.id !== now.admin.id;
            signedInAgain();
            if (other) void queryClient.invalidateQueries();
          }}
        />
      </DialogContent>
    </DialogRoot>
  );
}

/** Says that the server does not answer, until it does. */
export function ConnectionLost() {
  const { lost } = useConnection();
  if (!lost) return null;
  return (
    <div
      role="status"
      className="pop fixed bottom-4 left-1/2 z-60 flex w-max max-w-[calc(100vw-2rem)] -translate-x-1/2 items-center gap-2 px-4 py-2 text-sm"
    >
      <CloudOff className="size-4 shrink-0 text-warn" aria-hidden />
      The server does not answer. Trying again
      <LoaderCircle className="size-4 shrink-0 animate-spin text-muted" aria-hidden />
    </div>
  );
}
