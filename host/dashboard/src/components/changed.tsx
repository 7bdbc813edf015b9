import { useQuery } from "@tanstack/react-query";
import { type AuditFilter, auditQuery } from "@/api/queries";
import { ActorName } from "./actor";
import { Note } from "./states";
import { When } from "./text";
import { Button } from "./ui/button";

/** Who did what was done last, as the audit has it. */
function Last({ of }: { of: AuditFilter }) {
  const { data } = useQuery({ ...auditQuery(of, undefined, 1), staleTime: 0 });
  const last = data?.items[0];
  if (!last) return null;
  return (
    <>
      {" "}
      (<ActorName id={last.actor_id ?? last.actor_kind} />, <When at={last.at} />)
    </>
  );
}

interface Props {
  /** What it is called. */
  what: string;
  /** Which entries of the audit tell of it. */
  of?: AuditFilter;
  /** What is another now. */
  fields?: string[];
  /** Takes what is there in place of what was typed. */
  reset: () => void;
  /** Puts what was typed beside what is there, where neither is in the way of the other. */
  both?: (() => void) | undefined;
}

/** Says in a form that somebody else has changed the same meanwhile. */
export function Changed({ what, of, fields = [], reset, both }: Props) {
  return (
    <Note tone="warn" className="flex flex-wrap items-center gap-3">
      <span className="min-w-0 flex-1 basis-56">
        Somebody else changed this {what} while you were editing
        {of && <Last of={of} />}.{" "}
        {fields.length > 0 && (
          <>
            It is another in{" "}
            {fields.map((field, place) => (
              <span key={field}>
                {place > 0 && ", "}
                <code className="break-all">{field}</code>
              </span>
            ))}
            .{" "}
          </>
        )}
        Saving puts yours in place of theirs.
      </span>
      <Button size="sm" onClick={reset}>
        Show theirs
      </Button>
      {both && (
        <Button size="sm" onClick={both}>
          Keep both
        </Button>
      )}
    </Note>
  );
}
