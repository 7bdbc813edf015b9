import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Ellipsis, Layers, Pencil, Plus, Settings, Trash2 } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { toast } from "sonner";
import { api, take } from "@/api/client";
import { type Project, installationsQuery, projectsQuery, queryClient, usageQuery } from "@/api/queries";
import { type Col, DataTable } from "@/components/data-table";
import { DeleteProject, NewProject, type NewProjectAnswer, RenameProject, ShownOnce } from "@/components/project-forms";
import { usesQuery } from "@/components/series-queries";
import { Sparkline } from "@/components/sparkline";
import { Empty, Skeleton } from "@/components/states";
import { PageHeader } from "@/components/page";
import { CopyButton, When } from "@/components/text";
import { Badge, Dot } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input } from "@/components/ui/input";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/components/ui/menu";
import { bytes, plural } from "@/lib/format";
import { useCursorPages, useWords } from "@/lib/pages";

/** In a cell: what stands there could not be learnt. */
function Unknown({ error }: { error: Error }) {
  return (
    <span className="text-muted" title={error.message}>
      unknown
    </span>
  );
}

function Health({ project }: { project: Project }) {
  const { data, error } = useQuery({ ...installationsQuery(project.slug), staleTime: 30_000 });
  if (!data) return error ? <Unknown error={error} /> : <Skeleton className="h-4 w-20" />;
  const bad = data.items.filter((plugin) => plugin.enabled && plugin.health !== "ok" && plugin.health !== "disabled");
  if (data.items.length === 0) return <Badge>no plugins</Badge>;
  if (bad.length > 0) {
    return (
      <Badge tone="bad" title={bad.map((plugin) => `${plugin.name}: ${plugin.health}`).join(", ")}>
        <Dot tone="bad" /> {bad.length === 1 ? `${bad[0]?.name} fails` : `${plural(bad.length, "plugin")} fail`}
      </Badge>
    );
  }
  return (
    <Badge tone="good">
      <Dot tone="good" /> {plural(data.items.filter((plugin) => plugin.enabled).length, "plugin")} on
    </Badge>
  );
}

function Use({ project }: { project: Project }) {
  const { data, error } = useQuery({ ...usageQuery(project.slug), staleTime: 30_000 });
  if (!data) return error ? <Unknown error={error} /> : <Skeleton className="h-4 w-16" />;
  return (
    <span className="whitespace-nowrap tabular-nums">
      {bytes(data.storage.used_bytes)}
      {data.storage.limit_bytes ? <span className="text-muted"> of {bytes(data.storage.limit_bytes)}</span> : null}
    </span>
  );
}

export function Projects() {
  const [words, change] = useWords<"q" | "new" | "pages">();
  const [text, setText] = useState(words.q ?? "");
  const { cursor, pager } = useCursorPages();
  const navigate = useNavigate();
  const { data, error, refetch, isPlaceholderData } = useQuery(projectsQuery(words.q ?? "", cursor));
  const ids = useMemo(() => (data?.items ?? []).map((project) => project.id).toSorted(), [data]);
  const uses = useQuery(usesQuery(ids));
  const byProject = useMemo(() => new Map((uses.data?.items ?? []).map((use) => [use.id, use])), [uses.data]);
  const [renaming, setRenaming] = useState<Project>();
  const [deleting, setDeleting] = useState<Project>();
  const [made, setMade] = useState<NewProjectAnswer>();

  useEffect(() => setText(words.q ?? ""), [words.q]);
  useEffect(() => {
    if (text === (words.q ?? "")) return undefined;
    const timer = setTimeout(() => change({ q: text || undefined, pages: undefined }, { replace: true }), 250);
    return () => clearTimeout(timer);
  });

  const columns = useMemo<Col<Project>[]>(
    () => [
      {
        id: "name",
        head: "Project",
        sort: (project) => project.name.toLowerCase(),
        cell: (project) => (
          <Link to="/projects/$project" params={{ project: project.slug }} className="group block max-w-72">
            <span className="block truncate font-medium group-hover:underline" title={project.name}>
              {project.name}
            </span>
            <span className="block truncate font-mono text-xs text-muted">{project.slug}</span>
          </Link>
        ),
      },
      { id: "health", head: "Health", cell: (project) => <Health project={project} /> },
      {
        id: "requests",
        head: "Requests, 24 h",
        wide: true,
        cell: (project) => {
          const use = byProject.get(project.id);
          return <Sparkline requests={use?.requests} errors={use?.server_errors} />;
        },
      },
      { id: "storage", head: "Storage", wide: true, cell: (project) => <Use project={project} /> },
      {
        id: "url",
        head: "Address",
        wide: true,
        cell: (project) => (
          <span className="flex items-center gap-1">
            <code className="max-w-60 truncate text-xs text-muted" title={project.url}>
              {project.url}
            </code>
            <CopyButton text={project.url} label={`Copy the address of ${project.name}`} />
          </span>
        ),
      },
      {
        id: "created",
        head: "Created",
        wide: true,
        sort: (project) => project.created_at,
        cell: (project) => <When at={project.created_at} />,
      },
      {
        id: "more",
        head: "Actions",
        hiddenHead: true,
        className: "w-12",
        cell: (project) => (
          <Menu>
            <MenuTrigger asChild>
              <Button variant="ghost" size="icon-sm" aria-label={`Actions for ${project.name}`}>
                <Ellipsis aria-hidden />
              </Button>
            </MenuTrigger>
            <MenuContent>
              <MenuItem onSelect={() => setRenaming(project)}>
                <Pencil aria-hidden /> Rename
              </MenuItem>
              <MenuItem onSelect={() => void navigate({ to: "/projects/$project/settings", params: { project: project.slug } })}>
                <Settings aria-hidden /> Domains and limits
              </MenuItem>
              <MenuSeparator />
              <MenuItem danger onSelect={() => setDeleting(project)}>
                <Trash2 aria-hidden /> Delete…
              </MenuItem>
            </MenuContent>
          </Menu>
        ),
      },
    ],
    [navigate, byProject],
  );

  const create = (
    <Button variant="primary" onClick={() => change({ new: "true" })}>
      <Plus aria-hidden /> New project
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Projects"
        description="Each has a database, buckets, users and keys of its own."
        actions={create}
      />
      <Card>
        <div className="border-b border-border p-3">
          <Input
            type="search"
            aria-label="Search projects"
            placeholder="Search by name or slug"
            className="max-w-80"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        <DataTable
          sortWord="by"
          label="Projects"
          columns={columns}
          rows={data?.items}
          error={error}
          retry={() => void refetch()}
          stale={isPlaceholderData}
          rowKey={(project) => project.id}
          pager={pager(data?.next_cursor)}
          empty={
            words.q ? (
              <Empty icon={Layers} title="No project has such a name" action={<Button onClick={() => setText("")}>Show all</Button>} />
            ) : (
              <Empty
                icon={Layers}
                title="No projects yet"
                action={
                  <span className="flex gap-2">
                    {create}
                    <Button asChild>
                      <Link to="/welcome">Show me around</Link>
                    </Button>
                  </span>
                }
              >
                A project is what an app talks to: a database, files, users and keys of its own.
              </Empty>
            )
          }
        />
      </Card>
      <NewProject
        open={words.new !== undefined}
        onOpenChange={(open) => !open && change({ new: undefined }, { replace: true })}
        done={(answer) => setMade(answer)}
      />
      {made && (
        <ShownOnce
          title={`${made.name} is ready`}
          publishable={made.keys.publishable}
          secret={made.keys.secret}
          close={() => {
            setMade(undefined);
            void navigate({ to: "/projects/$project", params: { project: made.slug } });
          }}
        />
      )}
      {renaming && <RenameProject project={renaming} close={() => setRenaming(undefined)} />}
      {deleting && (
        <DeleteProject
          project={deleting}
          close={() => setDeleting(undefined)}
          run={async () => {
            await take(api.DELETE("/admin/v1/projects/{project}", { params: { path: { project: deleting.slug } } }));
            toast.success(`${deleting.name} is deleted`);
            await queryClient.invalidateQueries({ queryKey: ["projects"] });
          }}
        />
      )}
    </>
  );
}
