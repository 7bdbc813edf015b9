import { Note } from "./states";
import { Button } from "./ui/button";

/** Says in a form that somebody else has changed the same meanwhile. */
export function Changed({ what, reset }: { what: string; reset: () => void }) {
  return (
    <Note tone="warn" className="flex flex-wrap items-center gap-3">
      <span className="flex-1">Somebody else changed this {what} while you were editing. Saving puts yours in place of theirs.</span>
      <Button size="sm" onClick={reset}>
        Show theirs
      </Button>
    </Note>
  );
}
