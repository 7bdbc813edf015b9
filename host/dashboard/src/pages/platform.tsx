import { useQuery } from "@tanstack/react-query";
import { Check, CircleX, LoaderCircle, Search, Stethoscope } from "lucide-react";
import { useState } from "react";
import { api, reason, take } from "@/api/client";
import { BroughtMigrations } from "@/components/migrations";
import { PageHeader } from "@/components/page";
import { PlatformSettings } from "@/components/platform-settings";
import { RangeChoice, SeriesCharts, useRange } from "@/components/series";
import { Refusal } from "@/components/states";
import { Code } from "@/components/text";
import { Badge, Dot } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader } from "@/components/ui/card";
import { Confirm } from "@/components/confirm";
import { milliseconds } from "@/lib/format";

async function probe(path: string) {
  const start = performance.now();
  const response = await fetch(path, { cache: "no-store" });
  const text = await response.text();
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Shown as it came.
  }
  return { ok: response.ok, status: response.status, body, took: performance.now() - start };
}

function Health() {
  const parts = [
    ["/healthz", "The process runs"],
    ["/readyz", "It can do its work: database and store answer"],
  ] as const;
  const live = useQuery({ queryKey: ["probe", "/healthz"], queryFn: () => probe("/healthz"), refetchInterval: 5_000 });
  const ready = useQuery({ queryKey: ["probe", "/readyz"], queryFn: () => probe("/readyz"), refetchInterval: 5_000 });
  return (
    <Card>
      <CardHeader title="Health" description="Of the node that answers, looked at every few seconds." />
      <ul className="border-t border-border">
        {parts.map(([path, words], place) => {
          const { data, error } = place === 0 ? live : ready;
          return (
            <li key={path} className="flex flex-wrap items-center gap-3 border-b border-border px-4 py-3 last:border-0">
              {data ? (
                data.ok ? (
                  <Check className="size-5 text-good" aria-hidden />
                ) : (
                  <CircleX className="size-5 text-bad" aria-hidden />
                )
              ) : (
                <LoaderCircle className="size-5 animate-spin text-muted" aria-hidden />
              )}
              <span className="min-w-0 flex-1">
                <span className="block text-sm font-medium">{words}</span>
                <code className="text-xs break-all text-muted">
                  {path}
                  {typeof data?.body === "object" && data.body ? ` ${JSON.stringify(data.body)}` : ""}
                </code>
              </span>
              {data && (
                <Badge tone={data.ok ? "good" : "bad"}>
                  <Dot tone={data.ok ? "good" : "bad"} /> {data.status}, {milliseconds(data.took)}
                </Badge>
              )}
              {error && <span className="text-xs text-bad">{reason(error)}</span>}
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

function Consistency() {
  const [pending, setPending] = useState(false);
  const [found, setFound] = useState<string>();
  const [error, setError] = useState<unknown>();
  const [mending, setMending] = useState(false);
  const run = async (repair: boolean) => {
    setPending(true);
    setError(undefined);
    try {
      const text = await take(api.POST("/admin/v1/check", { body: { repair }, parseAs: "text" }));
      setFound(String(text));
    } catch (failure) {
      setError(failure);
    } finally {
      setPending(false);
    }
  };
  return (
    <Card>
      <CardHeader
        title="Rows and objects"
        description="Whether everything that tables refer to is in the store, and nothing else is. It may take a while on a large store."
        actions={
          <span className="flex gap-2">
            <Button size="sm" pending={pending} onClick={() => void run(false)}>
              <Search aria-hidden /> Check
            </Button>
            {found && (
              <Button size="sm" disabled={pending} onClick={() => setMending(true)}>
                <Stethoscope aria-hidden /> Mend
              </Button>
            )}
          </span>
        }
      />
      {(error !== undefined || found !== undefined) && (
        <CardBody>
          <Refusal error={error} />
          {found !== undefined && <Code text={found.trim() || "Nothing is wrong."} label="Copy what was found" />}
        </CardBody>
      )}
      <Confirm
        open={mending}
        onOpenChange={setMending}
        danger={false}
        title="Mend what was found?"
        action="Mend it"
        run={() => run(true)}
      >
        <p>Counts are put right, and what is left over from broken uploads is tidied up. Nothing that a row refers to is deleted.</p>
      </Confirm>
    </Card>
  );
}

export function Platform() {
  const [range, choose] = useRange();
  const document = useQuery({
    queryKey: ["host-openapi"],
    queryFn: async () => (await (await fetch("/openapi.json")).json()) as { info: { title: string; version: string } },
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <>
      <PageHeader
        title="Platform"
        description="How the server is, what it runs with, and what its tables have been through."
        badge={document.data ? <Badge className="font-mono">{document.data.info.version}</Badge> : undefined}
      />
      <div className="grid gap-4">
        <div className="flex flex-wrap items-center justify-between gap-3">
          <div>
            <h2 className="text-sm font-semibold">All projects</h2>
            <p className="mt-0.5 text-[0.8125rem] text-muted">On all nodes, up to the last whole minute.</p>
          </div>
          <RangeChoice range={range} choose={choose} />
        </div>
        <SeriesCharts range={range} />
        <Health />
        <Consistency />
        <PlatformSettings />
        <BroughtMigrations project={undefined} />
      </div>
    </>
  );
}
