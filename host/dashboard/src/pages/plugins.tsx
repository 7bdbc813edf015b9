import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowUpCircle, Boxes, Plus, Upload } from "lucide-react";
import { useMemo, useState } from "react";
import { type Installation, type Revision, catalogueQuery, installationsQuery } from "@/api/queries";
import { Deploy } from "@/components/deploy";
import { PageHeader } from "@/components/page";
import { Consent, HealthBadge, put } from "@/components/plugin-parts";
import { Empty, Failure, Skeleton } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input } from "@/components/ui/input";
import { Switch } from "@/components/ui/switch";
import { plural } from "@/lib/format";
import { useAction } from "@/lib/use-action";
import { useProject } from "@/lib/use-project";

/** The newest revision of each plugin: the catalogue has them newest first. */
export function newest(items: Revision[]): Map<string, Revision> {
  const found = new Map<string, Revision>();
  for (const revision of items) {
    const other = found.get(revision.name);
    if (!other || other.created_at < revision.created_at) found.set(revision.name, revision);
  }
  return found;
}

function InstalledCard({ project, plugin, latest, upgrade }: { project: string; plugin: Installation; latest: Revision | undefined; upgrade: () => void }) {
  const { pending, run } = useAction();
  const newer = latest && latest.id !== plugin.revision && latest.created_at > plugin.installed_at;
  return (
    <Card className="flex flex-col gap-3 p-4" data-plugin={plugin.name}>
      <div className="flex items-start gap-3">
        <div className="min-w-0 flex-1">
          <Link
            to="/projects/$project/plugins/$plugin"
            params={{ project, plugin: plugin.name }}
            className="block truncate font-semibold hover:underline"
          >
            {plugin.name}
          </Link>
          <p className="font-mono text-xs text-muted">{plugin.version}</p>
        </div>
        <Switch
          aria-label={`${plugin.name} is on`}
          checked={plugin.enabled}
          disabled={pending}
          onCheckedChange={(enabled) =>
            void run(() => put(project, plugin.name, { enabled }), `${plugin.name} is ${enabled ? "on" : "off"}`)
          }
        />
      </div>
      <p className="line-clamp-3 flex-1 text-[0.8125rem] text-muted">{plugin.description}</p>
      <div className="flex flex-wrap items-center gap-2">
        <HealthBadge plugin={plugin} />
        {plugin.routes.slice(0, 2).map((route) => (
          <Badge key={route} className="max-w-40 font-mono">
            <span className="truncate">{route}</span>
          </Badge>
        ))}
        {newer && (
          <Button size="sm" className="ml-auto" aria-label={`Upgrade ${plugin.name} to ${latest.version}`} onClick={upgrade}>
            <ArrowUpCircle aria-hidden /> {latest.version}
          </Button>
        )}
      </div>
    </Card>
  );
}

function CatalogueCard({ revision, install }: { revision: Revision; install: () => void }) {
  return (
    <Card className="flex flex-col gap-3 p-4" data-plugin={revision.name}>
      <div>
        <h3 className="truncate font-semibold">{revision.name}</h3>
        <p className="font-mono text-xs text-muted">{revision.version}</p>
      </div>
      <p className="line-clamp-3 flex-1 text-[0.8125rem] text-muted">{revision.description || "It brings no description."}</p>
      <div className="flex items-center gap-2">
        <Badge tone={revision.built_in ? "accent" : "plain"}>{revision.built_in ? "built in" : "uploaded"}</Badge>
        <Badge>{revision.grants.length > 0 ? plural(revision.grants.length, "grant") : "asks for nothing"}</Badge>
        <Button size="sm" className="ml-auto" aria-label={`Install ${revision.name}`} onClick={install}>
          <Plus aria-hidden /> Install
        </Button>
      </div>
    </Card>
  );
}

const grid = "grid gap-3 sm:grid-cols-2 lg:grid-cols-3";

export function Plugins() {
  const project = useProject();
  const installed = useQuery({ ...installationsQuery(project), refetchInterval: 15_000 });
  const catalogue = useQuery(catalogueQuery);
  const [chosen, setChosen] = useState<Revision>();
  const [text, setText] = useState("");
  const latest = useMemo(() => newest(catalogue.data?.items ?? []), [catalogue.data]);
  const has = useMemo(() => new Map(installed.data?.items.map((plugin) => [plugin.name, plugin])), [installed.data]);
  const matches = (name: string, description: string) => `${name} ${description}`.toLowerCase().includes(text.trim().toLowerCase());
  const others = [...latest.values()].filter((revision) => !has.has(revision.name) && matches(revision.name, revision.description));
  const mine = (installed.data?.items ?? []).filter((plugin) => matches(plugin.name, plugin.description));
  return (
    <Deploy done={setChosen}>
      {(pick) => (
        <>
          <PageHeader
            title="Plugins"
            description="Everything this project can do. Each runs in a sandbox and has only what you allow. Drop a .wasm file here to deploy one of your own."
            actions={
              <>
                <Input
                  type="search"
                  aria-label="Search plugins"
                  placeholder="Search"
                  className="w-48"
                  value={text}
                  onChange={(event) => setText(event.target.value)}
                />
                <Button onClick={pick}>
                  <Upload aria-hidden /> Deploy a .wasm
                </Button>
              </>
            }
          />
          <h2 className="mb-3 text-sm font-semibold">Installed</h2>
          {installed.error && !installed.data ? (
            <Card>
              <Failure error={installed.error} retry={() => void installed.refetch()} />
            </Card>
          ) : !installed.data ? (
            <div className={grid}>
              {[0, 1, 2].map((place) => (
                <Skeleton key={place} className="h-36 rounded-lg" />
              ))}
            </div>
          ) : mine.length === 0 ? (
            <Card>
              <Empty icon={Boxes} title={text ? "None of them has such a name" : "Nothing is installed yet"} className="py-8">
                {text ? "" : "Pick one below. `db` answers for tables, `storage` and `files` for files."}
              </Empty>
            </Card>
          ) : (
            <div className={grid}>
              {mine.map((plugin) => (
                <InstalledCard
                  key={plugin.name}
                  project={project}
                  plugin={plugin}
                  latest={latest.get(plugin.name)}
                  upgrade={() => setChosen(latest.get(plugin.name))}
                />
              ))}
            </div>
          )}
          <h2 className="mt-7 mb-3 text-sm font-semibold">In the catalogue</h2>
          {catalogue.error && !catalogue.data ? (
            <Card>
              <Failure error={catalogue.error} retry={() => void catalogue.refetch()} />
            </Card>
          ) : others.length === 0 ? (
            <Card>
              <Empty icon={Boxes} title={catalogue.data ? "Nothing more" : "Loading…"} className="py-8">
                {catalogue.data && "Everything that the catalogue has is installed."}
              </Empty>
            </Card>
          ) : (
            <div className={grid}>
              {others.map((revision) => (
                <CatalogueCard key={revision.id} revision={revision} install={() => setChosen(revision)} />
              ))}
            </div>
          )}
          {chosen && (
            <Consent
              key={chosen.id}
              project={project}
              revision={chosen}
              installed={has.get(chosen.name)}
              close={() => setChosen(undefined)}
            />
          )}
        </>
      )}
    </Deploy>
  );
}
