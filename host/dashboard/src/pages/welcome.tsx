import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, LoaderCircle, PartyPopper } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { api, take } from "@/api/client";
import { installationsQuery, queryClient, usageQuery } from "@/api/queries";
import { Keys, type NewProjectAnswer, ProjectForm } from "@/components/project-forms";
import { Note, Refusal } from "@/components/states";
import { PageHeader } from "@/components/page";
import { Code } from "@/components/text";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { cn } from "@/lib/cn";

function Step({ number, title, state, children }: { number: number; title: string; state: "done" | "now" | "later"; children?: ReactNode }) {
  return (
    <Card className={cn("p-4 sm:p-5", state === "later" && "opacity-60")} aria-current={state === "now" ? "step" : undefined}>
      <h2 className="flex items-center gap-3 font-semibold">
        <span
          className={cn(
            "grid size-7 shrink-0 place-items-center rounded-full text-sm",
            state === "done" ? "bg-good-soft text-good" : state === "now" ? "bg-primary text-primary-foreground" : "bg-raised",
          )}
        >
          {state === "done" ? <Check className="size-4" aria-label="done" /> : number}
        </span>
        {title}
      </h2>
      {state !== "later" && children && <div className="mt-4 sm:ml-10">{children}</div>}
    </Card>
  );
}

/** From nothing to a first call that arrived. */
export function Welcome() {
  const [project, setProject] = useState<NewProjectAnswer>();
  const [kept, setKept] = useState(false);
  const [error, setError] = useState<unknown>();
  const { data: plugins } = useQuery({ ...installationsQuery(project?.slug ?? ""), enabled: project !== undefined });
  const hello = plugins?.items.some((plugin) => plugin.name === "db" && plugin.enabled) ?? false;

  // The first call needs somebody who answers: the plugin for tables.
  useEffect(() => {
    if (!project || !plugins || hello || error) return;
    take(
      api.PUT("/admin/v1/projects/{project}/plugins/{plugin}", {
        params: { path: { project: project.slug, plugin: "db" } },
        body: { enabled: true, grants: "requested" },
      }),
    )
      .then(() => queryClient.invalidateQueries({ queryKey: installationsQuery(project.slug).queryKey }))
      .catch(setError);
  }, [project, plugins, hello, error]);

  const watching = project !== undefined && kept && hello;
  const { data: usage } = useQuery({ ...usageQuery(project?.slug ?? ""), enabled: watching, refetchInterval: 1_000, staleTime: 0 });
  // Nobody has called a project that was just made: whoever is faster than the
  // first look is seen too.
  const arrived = (usage?.requests ?? 0) > 0;

  return (
    <div className="mx-auto max-w-3xl">
      <PageHeader title="Welcome to AtlasHub" description="Three short steps: a project, its keys, and a first call that you see arrive." />
      <div className="grid gap-4">
        <Step number={1} title="Make a project" state={project ? "done" : "now"}>
          {project ? (
            <p className="text-sm text-muted">
              <strong className="font-medium text-foreground">{project.name}</strong> has a database, the buckets <code>private</code> and{" "}
              <code>uploads</code>, and the plugin for tables.
            </p>
          ) : (
            <ProjectForm done={setProject} />
          )}
        </Step>
        <Step number={2} title="Keep its keys" state={!project ? "later" : kept ? "done" : "now"}>
          {project && !kept && (
            <div className="grid gap-4">
              <Note tone="warn">They are shown once. Copy them to where you keep secrets.</Note>
              <Keys publishable={project.keys.publishable} secret={project.keys.secret} />
              <div>
                <Button variant="primary" onClick={() => setKept(true)}>
                  I have kept them
                </Button>
              </div>
            </div>
          )}
        </Step>
        <Step number={3} title="Make a first call" state={!kept ? "later" : arrived ? "done" : "now"}>
          {project && kept && (
            <div className="grid gap-4">
              <p className="text-sm text-muted">Run this in a terminal. The page watches for it.</p>
              <Code
                label="Copy the command"
                text={`curl '${project.url}/v1/db/tables' \\\n  -H 'x-api-key: ${project.keys.secret}'`}
              />
              <Refusal error={error} />
              <p role="status" className="flex items-center gap-2 text-sm">
                {arrived ? (
                  <>
                    <PartyPopper className="size-5 text-good" aria-hidden />
                    <span className="font-medium text-good">It arrived.</span> Your project answers.
                  </>
                ) : (
                  !error && (
                    <>
                      <LoaderCircle className="size-4 animate-spin text-muted" aria-hidden />
                      <span className="text-muted">{watching ? "Waiting for the first call…" : "Switching the plugin for tables on…"}</span>
                    </>
                  )
                )}
              </p>
            </div>
          )}
        </Step>
        {project && (
          <div className="flex flex-wrap gap-2">
            <Button asChild variant={arrived ? "primary" : "outline"}>
              <Link to="/projects/$project" params={{ project: project.slug }}>
                Go to {project.name}
              </Link>
            </Button>
            <Button asChild variant="ghost">
              <Link to="/projects/$project/plugins" params={{ project: project.slug }}>
                See what plugins there are
              </Link>
            </Button>
          </div>
        )}
      </div>
    </div>
  );
}
