import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronRight, File as FileIcon, FileImage, FileText, FileVideo, Folder, FolderOpen, HardDrive, Plus, Settings2, Trash2, Upload } from "lucide-react";
import { type DragEvent, useEffect, useMemo, useRef, useState } from "react";
import { toast } from "sonner";
import { ApiError, plugin, reason } from "@/api/client";
import { installationsQuery, queryClient, usageQuery } from "@/api/queries";
import { Changed } from "@/components/changed";
import { Confirm } from "@/components/confirm";
import { ObjectPreview, type StoredObject, remove } from "@/components/object-preview";
import { PageHeader } from "@/components/page";
import { Progress } from "@/components/progress";
import { Meter } from "@/components/stat";
import { Empty, Failure, Loading, Refusal } from "@/components/states";
import { When } from "@/components/text";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody } from "@/components/ui/card";
import { Checkbox } from "@/components/ui/checkbox";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Switch } from "@/components/ui/switch";
import { cn } from "@/lib/cn";
import { bytes, plural } from "@/lib/format";
import { useWords } from "@/lib/pages";
import { send } from "@/lib/send";
import { isOvertaken, refused } from "@/lib/tags";
import { useDraft } from "@/lib/use-draft";
import { useProject } from "@/lib/use-project";

interface Bucket {
  name: string;
  public: boolean;
  uploads: "server" | "users" | "anyone";
  maxObjectBytes: number | null;
  allowedTypes: string[];
  createdAt: string;
  etag: string;
}

const bucketsKey = (project: string) => ["project", project, "buckets"];
const objectsKey = (project: string, bucket: string) => ["project", project, "objects", bucket];

function iconOf(type: string) {
  if (type.startsWith("image/")) return FileImage;
  if (type.startsWith("video/")) return FileVideo;
  if (type.startsWith("text/") || type.includes("json") || type.includes("pdf")) return FileText;
  return FileIcon;
}

interface Sending {
  id: string;
  name: string;
  size: number;
  part: number;
  error?: string;
  stop?: () => void;
}

/** The rules of a bucket, as the form has them. */
interface Rules {
  public: boolean;
  uploads: string;
  /** MiB. */
  most: string;
  types: string;
}

const rulesOf = (bucket: Bucket | undefined): Rules => ({
  public: bucket?.public ?? false,
  uploads: bucket?.uploads ?? "server",
  most: bucket?.maxObjectBytes ? String(bucket.maxObjectBytes / 1_048_576) : "",
  types: bucket?.allowedTypes.join(", ") ?? "",
});

function BucketDialog({ project, bucket, close }: { project: string; bucket: Bucket | undefined; close: (made?: string) => void }) {
  const [name, setName] = useState(bucket?.name ?? "");
  const [rules, setRules, , overtaken, , settled] = useDraft(rulesOf(bucket), bucket?.etag ?? "");
  const set = (part: Partial<Rules>) => setRules({ ...rules, ...part });
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title={bucket ? `Rules of ${bucket.name}` : "New bucket"}>
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            const json = {
              public: rules.public,
              uploads: rules.uploads,
              maxObjectBytes: rules.most ? Math.round(Number(rules.most) * 1_048_576) : null,
              allowedTypes: rules.types.split(",").map((type) => type.trim()).filter(Boolean),
            };
            try {
              if (bucket) await plugin(project, `/v1/storage/buckets/${encodeURIComponent(bucket.name)}`, { method: "PATCH", json, etag: bucket.etag });
              else await plugin(project, "/v1/storage/buckets", { method: "POST", json: { name, ...json } });
              settled();
              await queryClient.invalidateQueries({ queryKey: bucketsKey(project) });
              toast.success("Saved");
              close(bucket ? undefined : name);
            } catch (failure) {
              if (isOvertaken(failure)) await queryClient.invalidateQueries({ queryKey: bucketsKey(project) });
              refused(failure, setError);
            } finally {
              setPending(false);
            }
          }}
        >
          {bucket && overtaken && <Changed what="bucket" of={{ project, action: "plugins.storage.*", target: bucket.name }} {...overtaken} />}
          {!bucket && (
            <Field label="Name" help="Lower-case letters, digits and hyphens.">
              <Input required autoComplete="off" placeholder="pictures" value={name} onChange={(event) => setName(event.target.value)} />
            </Field>
          )}
          <div className="flex items-start justify-between gap-4">
            <div>
              <p className="text-[0.8125rem] font-medium">Public</p>
              <p className="mt-0.5 text-xs text-muted">Everybody may download what is in it, without a key.</p>
            </div>
            <Switch aria-label="Public" checked={rules.public} onCheckedChange={(open) => set({ public: open })} />
          </div>
          <Field label="Whose uploads it takes">
            <Select value={rules.uploads} onChange={(event) => set({ uploads: event.target.value })}>
              <option value="server">Those of secret keys and admins</option>
              <option value="users">Also those of signed-in users</option>
              <option value="anyone">Also those of whoever has a publishable key</option>
            </Select>
          </Field>
          <Field label="Largest object, MiB" help="Empty: as large as the quota allows.">
            <Input type="number" min={0} step="any" value={rules.most} onChange={(event) => set({ most: event.target.value })} />
          </Field>
          <Field label="Types" help="Between commas, such as image/*, application/pdf. Empty: all that are not refused.">
            <Input value={rules.types} onChange={(event) => set({ types: event.target.value })} />
          </Field>
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={() => close()}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              Save
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

function Objects({ project, bucket }: { project: string; bucket: Bucket }) {
  const [words, change] = useWords<"prefix" | "object">();
  const prefix = words.prefix ?? "";
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: [...objectsKey(project, bucket.name), prefix],
    queryFn: ({ pageParam, signal }) =>
      plugin<{ items: StoredObject[]; next_cursor: string | null }>(project, "/v1/storage/list", {
        query: { bucket: bucket.name, prefix, limit: "500", cursor: pageParam },
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const [sending, setSending] = useState<Sending[]>([]);
  const [over, setOver] = useState(false);
  const [removing, setRemoving] = useState<string[]>();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [editing, setEditing] = useState(false);
  const [dropping, setDropping] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const items = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  const { folders, files } = useMemo(() => {
    const found = new Map<string, number>();
    const here: StoredObject[] = [];
    for (const item of items) {
      const rest = item.objectKey.slice(prefix.length);
      const slash = rest.indexOf("/");
      if (slash < 0) here.push(item);
      else found.set(rest.slice(0, slash), (found.get(rest.slice(0, slash)) ?? 0) + 1);
    }
    return { folders: [...found], files: here };
  }, [items, prefix]);
  // Those that are chosen and seen: nobody deletes what another folder hides.
  const here = files.filter((item) => chosen.has(item.objectKey)).map((item) => item.objectKey);
  const object = items.find((item) => item.objectKey === words.object);

  const upload = async (list: Iterable<File>) => {
    for (const file of list) {
      const id = crypto.randomUUID();
      const set = (part: Partial<Sending>) => setSending((old) => old.map((one) => (one.id === id ? { ...one, ...part } : one)));
      setSending((old) => [...old, { id, name: file.name, size: file.size, part: 0 }]);
      try {
        const ticket = await plugin<{ uploadUrl: string }>(project, "/v1/storage/signed-upload", {
          method: "POST",
          json: { bucket: bucket.name, path: prefix + file.name, contentType: file.type || "application/octet-stream", maxSize: Math.max(1, file.size) },
        });
        const running = send(ticket.uploadUrl, file, (part) => set({ part }));
        set({ stop: running.stop });
        await running.done;
        setSending((old) => old.filter((one) => one.id !== id));
        toast.success(`${file.name} is stored`);
        await queryClient.invalidateQueries({ queryKey: objectsKey(project, bucket.name) });
        void queryClient.invalidateQueries({ queryKey: usageQuery(project).queryKey });
      } catch (failure) {
        set({ error: reason(failure) });
      }
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void upload([...event.dataTransfer.files]);
  };
  const crumbs = prefix.split("/").filter(Boolean);
  return (
    <Card
      className={cn("min-w-0 overflow-hidden", over && "ring-2 ring-primary")}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <div className="flex flex-wrap items-center gap-2 border-b border-border p-2.5">
        <nav aria-label="Folders" className="flex min-w-32 flex-1 flex-wrap items-center gap-1 text-sm">
          <button type="button" className="rounded px-1 font-medium hover:underline" onClick={() => change({ prefix: undefined })}>
            {bucket.name}
          </button>
          {crumbs.map((name, place) => {
            const path = `${crumbs.slice(0, place + 1).join("/")}/`;
            return (
              <span key={path} className="flex min-w-0 items-center gap-1">
                <ChevronRight className="size-3.5 text-muted" aria-hidden />
                <button type="button" className="max-w-40 truncate rounded px-1 hover:underline" onClick={() => change({ prefix: path })}>
                  {name}
                </button>
              </span>
            );
          })}
          {bucket.public && <Badge tone="warn">public</Badge>}
        </nav>
        {here.length > 0 && (
          <Button size="sm" variant="danger" onClick={() => setRemoving(here)}>
            <Trash2 aria-hidden /> Delete {here.length}
          </Button>
        )}
        <Button size="sm" onClick={() => setEditing(true)}>
          <Settings2 aria-hidden /> Rules
        </Button>
        <Button size="sm" variant="primary" onClick={() => input.current?.click()}>
          <Upload aria-hidden /> Upload
        </Button>
        <input
          ref={input}
          type="file"
          multiple
          className="hidden"
          aria-label="Files to upload"
          onChange={(event) => {
            void upload([...(event.target.files ?? [])]);
            event.target.value = "";
          }}
        />
      </div>
      {sending.length > 0 && (
        <ul className="border-b border-border" aria-label="Uploads">
          {sending.map((one) => (
            <li key={one.id} className="flex items-center gap-3 px-4 py-2 text-[0.8125rem]">
              <span className="min-w-0 flex-1">
                <span className="block truncate">{one.name}</span>
                {one.error ? (
                  <span className="text-bad">{one.error}</span>
                ) : (
                  <Progress value={Math.round(one.part * 100)} of={100} label={`Upload of ${one.name}`} className="mt-1" />
                )}
              </span>
              <span className="text-xs text-muted">{bytes(one.size)}</span>
              <Button
                size="sm"
                variant="ghost"
                onClick={() => {
                  if (!one.error) one.stop?.();
                  setSending((old) => old.filter((other) => other.id !== one.id));
                }}
              >
                {one.error ? "Dismiss" : "Stop"}
              </Button>
            </li>
          ))}
        </ul>
      )}
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={6} />
      ) : items.length === 0 ? (
        <Empty icon={FolderOpen} title="Empty">
          Drop files here, or upload some.
        </Empty>
      ) : (
        <ul>
          {folders.map(([name, many]) => (
            <li key={`${name}/`} className="border-b border-border last:border-0">
              <button
                type="button"
                className="flex w-full items-center gap-3 px-4 py-2.5 text-left text-sm hover:bg-raised/40"
                onClick={() => change({ prefix: `${prefix}${name}/` })}
              >
                <Folder className="size-4 shrink-0 text-accent-foreground" aria-hidden />
                <span className="min-w-0 flex-1 truncate font-medium">{name}</span>
                <span className="text-xs text-muted">
                  {plural(many, "object")}
                  {hasNextPage ? " or more" : ""}
                </span>
              </button>
            </li>
          ))}
          {files.length > 1 && (
            <li className="flex items-center gap-3 border-b border-border px-4 py-2 text-xs text-muted">
              <Checkbox
                aria-label="Choose all files here"
                checked={here.length === files.length ? true : here.length > 0 ? "indeterminate" : false}
                onCheckedChange={(on) => setChosen(new Set(on === true ? files.map((item) => item.objectKey) : []))}
              />
              {here.length > 0 ? `${plural(here.length, "object")} chosen` : plural(files.length, "object")}
            </li>
          )}
          {files.map((item) => {
            const Icon = iconOf(item.contentType);
            return (
              <li key={item.objectKey} className="flex items-center border-b border-border last:border-0 hover:bg-raised/40">
                <Checkbox
                  aria-label={`Choose ${item.objectKey.slice(prefix.length)}`}
                  className="ml-4"
                  checked={chosen.has(item.objectKey)}
                  onCheckedChange={(on) => setChosen((old) => new Set(on ? [...old, item.objectKey] : [...old].filter((one) => one !== item.objectKey)))}
                />
                <button
                  type="button"
                  className="flex min-w-0 flex-1 items-center gap-3 py-2.5 pr-4 pl-3 text-left text-sm"
                  onClick={() => change({ object: item.objectKey })}
                >
                  <Icon className="size-4 shrink-0 text-muted" aria-hidden />
                  <span className="min-w-0 flex-1 truncate" title={item.objectKey}>
                    {item.objectKey.slice(prefix.length)}
                  </span>
                  <span className="hidden w-40 truncate text-xs text-muted md:block">{item.contentType}</span>
                  <span className="w-20 text-right text-xs text-muted tabular-nums">{bytes(item.size)}</span>
                  <span className="hidden w-28 text-right text-xs text-muted sm:block">
                    <When at={item.createdAt} />
                  </span>
                </button>
              </li>
            );
          })}
        </ul>
      )}
      {hasNextPage && (
        <div className="border-t border-border p-2 text-center">
          <Button size="sm" pending={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Show more
          </Button>
        </div>
      )}
      {editing && (
        <BucketDialog
          project={project}
          bucket={bucket}
          close={() => setEditing(false)}
        />
      )}
      <div className="flex justify-end border-t border-border p-2">
        <Button size="sm" variant="ghost" className="text-bad" onClick={() => setDropping(true)}>
          <Trash2 aria-hidden /> Delete the bucket
        </Button>
      </div>
      <Confirm
        open={dropping}
        onOpenChange={setDropping}
        title={`Delete the bucket ${bucket.name}?`}
        action="Delete the bucket"
        typed={bucket.name}
        run={async () => {
          await plugin(project, `/v1/storage/buckets/${encodeURIComponent(bucket.name)}`, { method: "DELETE" });
          change({ prefix: undefined });
          await queryClient.invalidateQueries({ queryKey: bucketsKey(project) });
          toast.success(`${bucket.name} is deleted`);
        }}
      >
        <p>It has to be empty. Its rules go with it.</p>
      </Confirm>
      {object && (
        <ObjectPreview
          key={object.objectKey}
          project={project}
          bucket={bucket.name}
          object={object}
          close={() => change({ object: undefined })}
          remove={() => setRemoving([object.objectKey])}
        />
      )}
      {removing && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRemoving(undefined)}
          title={removing.length === 1 ? `Delete ${removing[0]}?` : `Delete ${removing.length} objects?`}
          action={removing.length === 1 ? "Delete the object" : `Delete ${removing.length} objects`}
          run={async () => {
            try {
              for (const objectKey of removing) {
                // One after the other: what is refused stops the rest.
                // oxlint-disable-next-line no-await-in-loop
                await remove(project, bucket.name, objectKey);
                setChosen((old) => new Set([...old].filter((one) => one !== objectKey)));
              }
              change({ object: undefined });
              toast.success(removing.length === 1 ? "The object is deleted" : `${removing.length} objects are deleted`);
            } finally {
              await queryClient.invalidateQueries({ queryKey: objectsKey(project, bucket.name) });
              void queryClient.invalidateQueries({ queryKey: usageQuery(project).queryKey });
            }
          }}
        >
          {removing.length > 1 && (
            <ul className="mb-2 max-h-40 overflow-y-auto font-mono text-xs break-all">
              {removing.map((objectKey) => (
                <li key={objectKey}>{objectKey}</li>
              ))}
            </ul>
          )}
          <p>Links to {removing.length === 1 ? "it" : "them"} stop working. This cannot be undone.</p>
        </Confirm>
      )}
    </Card>
  );
}

export function Storage() {
  const project = useProject();
  const [words, change] = useWords<"bucket" | "prefix" | "object">();
  const plugins = useQuery(installationsQuery(project));
  const on = plugins.data?.items.some((one) => one.name === "storage" && one.enabled) ?? false;
  const { data, error, refetch } = useQuery({
    queryKey: bucketsKey(project),
    queryFn: async ({ signal }) => {
      const answer = await plugin<{ items?: Bucket[]; buckets?: Bucket[] }>(project, "/v1/storage/buckets", { signal });
      return answer.items ?? answer.buckets ?? [];
    },
    enabled: on,
  });
  const usage = useQuery(usageQuery(project));
  const [creating, setCreating] = useState(false);
  const current = data?.find((bucket) => bucket.name === words.bucket) ?? data?.[0];
  useEffect(() => {
    if (error instanceof ApiError && error.status === 404) void plugins.refetch();
  }, [error, plugins]);
  const create = (
    <Button variant="primary" onClick={() => setCreating(true)}>
      <Plus aria-hidden /> New bucket
    </Button>
  );
  return (
    <>
      <PageHeader title="Storage" description="Buckets with rules, for apps that store files by signed links." {...(on ? { actions: create } : {})} />
      {plugins.error && !plugins.data ? (
        <Card>
          <Failure error={plugins.error} retry={() => void plugins.refetch()} />
        </Card>
      ) : !plugins.data ? (
        <Card>
          <Loading />
        </Card>
      ) : !on ? (
        <Card>
          <Empty
            icon={HardDrive}
            title="The plugin for storage is not on"
            action={
              <Button asChild variant="primary">
                <Link to="/projects/$project/plugins" params={{ project }}>
                  To the plugins
                </Link>
              </Button>
            }
          >
            Install `storage` or switch it on: it gives apps buckets, signed uploads and downloads.
          </Empty>
        </Card>
      ) : error && !data ? (
        <Card>
          <Failure error={error} retry={() => void refetch()} />
        </Card>
      ) : (
        <div className="grid gap-4 lg:grid-cols-[14rem_minmax(0,1fr)]">
          <div className="grid content-start gap-4">
            <Card>
              {!data ? (
                <Loading rows={2} />
              ) : (
                <ul className="p-1.5" aria-label="Buckets">
                  {data.map((bucket) => (
                    <li key={bucket.name}>
                      <button
                        type="button"
                        aria-current={bucket.name === current?.name}
                        className="flex w-full items-center gap-2 rounded-md px-2.5 py-2 text-left text-sm hover:bg-raised aria-[current=true]:bg-accent aria-[current=true]:font-medium aria-[current=true]:text-accent-foreground"
                        onClick={() => change({ bucket: bucket.name, prefix: undefined, object: undefined })}
                      >
                        <HardDrive className="size-4 shrink-0" aria-hidden />
                        <span className="min-w-0 flex-1 truncate">{bucket.name}</span>
                        {bucket.public && <Badge tone="warn">public</Badge>}
                      </button>
                    </li>
                  ))}
                  {data.length === 0 && <li className="px-2 py-3 text-center text-xs text-muted">No buckets yet.</li>}
                </ul>
              )}
            </Card>
            {usage.data && (
              <Card>
                <CardBody className="grid gap-2 pt-4 text-[0.8125rem]">
                  <p className="flex justify-between">
                    <span className="text-muted">Stored in all</span> {bytes(usage.data.storage.used_bytes)}
                  </p>
                  {usage.data.storage.limit_bytes ? (
                    <>
                      <Meter value={usage.data.storage.used_bytes} of={usage.data.storage.limit_bytes} label="Storage used" />
                      <p className="text-xs text-muted">of {bytes(usage.data.storage.limit_bytes)}</p>
                    </>
                  ) : (
                    <p className="text-xs text-muted">no limit is set</p>
                  )}
                </CardBody>
              </Card>
            )}
          </div>
          {current ? (
            <Objects key={current.name} project={project} bucket={current} />
          ) : (
            data && (
              <Card>
                <Empty icon={HardDrive} title="No buckets yet" action={create}>
                  A bucket says whose uploads it takes, of which types, and who may download.
                </Empty>
              </Card>
            )
          )}
        </div>
      )}
      {creating && (
        <BucketDialog
          project={project}
          bucket={undefined}
          close={(made) => {
            setCreating(false);
            if (made) change({ bucket: made, prefix: undefined });
          }}
        />
      )}
    </>
  );
}
