import { useQuery } from "@tanstack/react-query";
import { MonitorSmartphone } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { api, take } from "@/api/client";
import { useAction } from "@/lib/use-action";
import { Confirm } from "./confirm";
import { Failure, Loading } from "./states";
import { When } from "./text";
import { Button } from "./ui/button";

const programs: [RegExp, string][] = [
  [/edg\//i, "Edge"],
  [/firefox\//i, "Firefox"],
  [/chrom(e|ium)\//i, "Chrome"],
  [/safari\//i, "Safari"],
  [/curl\//i, "curl"],
];
const systems: [RegExp, string][] = [
  [/android/i, "Android"],
  [/iphone|ipad/i, "iOS"],
  [/windows/i, "Windows"],
  [/mac os/i, "macOS"],
  [/linux/i, "Linux"],
];

/** What a client said it is, in a few words; the whole is shown on demand. */
function clientInWords(agent: string | null | undefined): string {
  if (!agent) return "A program that does not say what it is";
  const program = programs.find(([sign]) => sign.test(agent))?.[1];
  const system = systems.find(([sign]) => sign.test(agent))?.[1];
  if (!program && !system) return agent.slice(0, 60);
  return [program, system].filter(Boolean).join(" on ");
}

/** Where a user is signed in, and ending that. */
export function UserSessions({ project, id, email }: { project: string; id: string; email: string }) {
  const path = { project, id };
  const { data, error, refetch } = useQuery({
    queryKey: ["project", project, "users", "one", id, "sessions"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/users/{id}/sessions", { params: { path }, signal })),
  });
  const [ending, setEnding] = useState(false);
  const { pending, run } = useAction();
  const items = data?.items ?? [];
  return (
    <section>
      <div className="mb-2 flex items-center gap-2">
        <h3 className="flex-1 text-[0.8125rem] font-medium">Sessions</h3>
        {items.length > 1 && (
          <Button size="sm" onClick={() => setEnding(true)}>
            End all
          </Button>
        )}
      </div>
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} className="py-4" />
      ) : !data ? (
        <Loading rows={1} />
      ) : items.length === 0 ? (
        <p className="text-[0.8125rem] text-muted">This user is signed in nowhere.</p>
      ) : (
        <ul className="max-h-80 overflow-y-auto rounded-md border border-border">
          {items.map((one) => (
            <li key={one.id} className="flex items-center gap-3 border-b border-border px-3 py-2 text-sm last:border-0">
              <MonitorSmartphone className="size-4 shrink-0 text-muted" aria-hidden />
              <span className="min-w-0 flex-1">
                <span className="block truncate" title={one.user_agent ?? undefined}>
                  {clientInWords(one.user_agent)}
                </span>
                <span className="block truncate text-xs text-muted">
                  {one.address ? `from ${one.address}, ` : ""}begun <When at={one.created_at} />, used <When at={one.refreshed_at} />
                </span>
              </span>
              <Button
                size="sm"
                variant="ghost"
                pending={pending}
                aria-label={`End the session ${clientInWords(one.user_agent)}`}
                onClick={() =>
                  void run(async () => {
                    await take(
                      api.DELETE("/admin/v1/projects/{project}/users/{id}/sessions/{session}", { params: { path: { ...path, session: one.id } } }),
                    );
                    await refetch();
                  }, "The session has ended")
                }
              >
                End
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Confirm
        open={ending}
        onOpenChange={setEnding}
        title="End all sessions?"
        action="End all"
        run={async () => {
          await take(api.DELETE("/admin/v1/projects/{project}/users/{id}/sessions", { params: { path } }));
          toast.success("All sessions have ended");
          await refetch();
        }}
      >
        <p>{email} has to sign in again everywhere. App passwords end, too.</p>
      </Confirm>
    </section>
  );
}
