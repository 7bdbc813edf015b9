import { useQuery } from "@tanstack/react-query";
import { Boxes, Upload } from "lucide-react";
import { useCallback, useMemo } from "react";
import { type Revision, catalogueQuery, revisionsQuery } from "@/api/queries";
import { type Col, DataTable } from "@/components/data-table";
import { Deploy } from "@/components/deploy";
import { PageHeader } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { Code, Cut, When } from "@/components/text";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { bytes } from "@/lib/format";
import { inWords } from "@/lib/grants";
import { useWords } from "@/lib/pages";
import { newest } from "./plugins";

function Details({ name, close }: { name: string; close: () => void }) {
  const { data, error, refetch } = useQuery(revisionsQuery(name));
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent side title={name} description={data?.description ?? ""}>
        {error && !data ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : !data ? (
          <Loading />
        ) : (
          <div className="grid gap-5 text-sm">
            <section>
              <h3 className="mb-2 text-[0.8125rem] font-medium">Revisions</h3>
              <ul className="rounded-md border border-border">
                {data.revisions.map((revision) => (
                  <li key={revision.id} className="flex items-center gap-3 border-b border-border px-3 py-2 last:border-0">
                    <span className="font-mono">{revision.version}</span>
                    <Cut mono text={revision.digest} className="max-w-32 text-muted" />
                    <span className="ml-auto text-xs text-muted">
                      {bytes(revision.size_bytes)}, <When at={revision.created_at} />
                    </span>
                  </li>
                ))}
              </ul>
            </section>
            <section>
              <h3 className="mb-2 text-[0.8125rem] font-medium">Asks to</h3>
              {data.grants.length === 0 ? (
                <p className="text-muted">Nothing.</p>
              ) : (
                <ul className="grid gap-1">
                  {data.grants.map((grant) => (
                    <li key={grant}>
                      {inWords(grant).title} <code className="text-xs text-muted">{grant}</code>
                    </li>
                  ))}
                </ul>
              )}
            </section>
            <section>
              <h3 className="mb-2 text-[0.8125rem] font-medium">Answers at</h3>
              <p className="flex flex-wrap gap-1.5">
                {data.routes.length === 0 && <span className="text-muted">Nowhere: other plugins call it.</span>}
                {data.routes.map((route) => (
                  <Badge key={route} className="font-mono">
                    {route}
                  </Badge>
                ))}
              </p>
            </section>
            <section>
              <h3 className="mb-2 text-[0.8125rem] font-medium">Imports and exports</h3>
              <Code text={[...data.imports.map((one) => `import ${one}`), ...data.exports.map((one) => `export ${one}`)].join("\n")} />
            </section>
          </div>
        )}
      </DialogContent>
    </DialogRoot>
  );
}

export function Catalogue() {
  const { data, error, refetch } = useQuery(catalogueQuery);
  const [{ plugin: open }, change] = useWords<"plugin">();
  const show = useCallback((plugin: string | undefined) => change({ plugin }), [change]);
  const rows = useMemo(() => (data ? [...newest(data.items).values()] : undefined), [data]);
  const columns = useMemo<Col<Revision>[]>(
    () => [
      {
        id: "name",
        head: "Plugin",
        sort: (revision) => revision.name,
        cell: (revision) => (
          <button type="button" className="block text-left font-medium hover:underline" onClick={() => show(revision.name)}>
            {revision.name}
          </button>
        ),
      },
      { id: "does", head: "What it does", wide: true, cell: (revision) => <Cut text={revision.description} className="max-w-96 text-muted" /> },
      { id: "version", head: "Newest", sort: (revision) => revision.version, cell: (revision) => <code className="text-xs">{revision.version}</code> },
      {
        id: "origin",
        head: "Origin",
        sort: (revision) => revision.built_in,
        cell: (revision) => <Badge tone={revision.built_in ? "accent" : "plain"}>{revision.built_in ? "built in" : "uploaded"}</Badge>,
      },
      { id: "size", head: "Size", wide: true, sort: (revision) => revision.size_bytes, cell: (revision) => bytes(revision.size_bytes) },
      { id: "added", head: "Added", wide: true, sort: (revision) => revision.created_at, cell: (revision) => <When at={revision.created_at} /> },
    ],
    [show],
  );
  return (
    <Deploy done={(revision) => show(revision.name)}>
      {(pick) => (
        <>
          <PageHeader
            title="Plugin catalogue"
            description="What projects can install: what the platform brings, and what was deployed here."
            actions={
              <Button variant="primary" onClick={pick}>
                <Upload aria-hidden /> Deploy a .wasm
              </Button>
            }
          />
          <Card>
            <DataTable
              sortWord="by"
              label="Plugins"
              columns={columns}
              rows={rows}
              error={error}
              retry={() => void refetch()}
              rowKey={(revision) => revision.name}
              empty={
                <Empty icon={Boxes} title="The catalogue is empty">
                  Drop a .wasm file here to deploy a component.
                </Empty>
              }
            />
          </Card>
          {open && <Details key={open} name={open} close={() => show(undefined)} />}
        </>
      )}
    </Deploy>
  );
}
