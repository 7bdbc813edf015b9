import { Link } from "@tanstack/react-router";
import { Ellipsis, Link2, Link2Off, Pencil, Plus, Settings2, Trash2 } from "lucide-react";
import { useMemo, useState } from "react";
import { toast } from "sonner";
import type { Schemas } from "@/api/client";
import type { Column, TableDetails } from "@/api/queries";
import { useAction } from "@/lib/use-action";
import { Confirm } from "./confirm";
import { type Col, DataTable } from "./data-table";
import { Empty } from "./states";
import { AddCheck, AddForeignKey, AddIndex, AlterColumn } from "./table-alter";
import { AddColumn, alter, targetsOf } from "./table-dialogs";
import { Badge } from "./ui/badge";
import { Button } from "./ui/button";
import { Card, CardBody, CardHeader } from "./ui/card";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input } from "./ui/input";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "./ui/menu";

/** Something that is taken away again by one change. */
interface Part {
  what: string;
  change: Schemas["TableChange"];
}

/** A table's columns, indexes and conditions, and changing them. */
export function Structure({ project, table, tables }: { project: string; table: TableDetails; tables: Schemas["TableView"][] }) {
  const [adding, setAdding] = useState(false);
  const [dropping, setDropping] = useState<string>();
  const [renaming, setRenaming] = useState<string>();
  const [changing, setChanging] = useState<Column>();
  const [referring, setReferring] = useState<string>();
  const [making, setMaking] = useState<"index" | "check">();
  const [removing, setRemoving] = useState<Part>();
  const targets = useMemo(() => targetsOf(tables), [tables]);
  const columns = useMemo<Col<Column>[]>(() => {
    const foreign = (name: string) => table.foreign_keys.find((one) => one.columns.includes(name));
    return [
      {
        id: "name",
        head: "Column",
        cell: (column) => (
          <span className="flex items-center gap-2 font-mono text-[0.8125rem]">
            {column.name}
            {table.primary_key.includes(column.name) && <Badge tone="warn">key</Badge>}
          </span>
        ),
      },
      { id: "type", head: "Type", cell: (column) => <code className="text-xs text-muted">{column.data_type}</code> },
      { id: "null", head: "NULL", wide: true, cell: (column) => (column.nullable ? "taken" : <span className="text-muted">refused</span>) },
      { id: "default", head: "Default", wide: true, cell: (column) => <code className="text-xs text-muted">{column.default ?? ""}</code> },
      {
        id: "refers",
        head: "Refers to",
        wide: true,
        cell: (column) => {
          const target = foreign(column.name);
          return target ? (
            <Link to="/projects/$project/tables/$table" params={{ project, table: target.table }} className="font-mono text-xs hover:underline">
              {target.table}.{target.references.join(", ")}
            </Link>
          ) : null;
        },
      },
      {
        id: "more",
        head: "Actions",
        hiddenHead: true,
        className: "w-12",
        cell: (column) =>
          table.kind === "table" ? (
            <Menu>
              <MenuTrigger asChild>
                <Button variant="ghost" size="icon-sm" aria-label={`Actions for the column ${column.name}`}>
                  <Ellipsis aria-hidden />
                </Button>
              </MenuTrigger>
              <MenuContent>
                <MenuItem onSelect={() => setRenaming(column.name)}>
                  <Pencil aria-hidden /> Rename
                </MenuItem>
                <MenuItem onSelect={() => setChanging(column)}>
                  <Settings2 aria-hidden /> Type, NULL, default
                </MenuItem>
                {foreign(column.name) ? (
                  <MenuItem
                    onSelect={() => {
                      const key = foreign(column.name);
                      if (key) setRemoving({ what: `the reference of ${column.name}`, change: { op: "drop_foreign_key", name: key.name } });
                    }}
                  >
                    <Link2Off aria-hidden /> Refer to nothing
                  </MenuItem>
                ) : (
                  targets.length > 0 && (
                    <MenuItem onSelect={() => setReferring(column.name)}>
                      <Link2 aria-hidden /> Refer to…
                    </MenuItem>
                  )
                )}
                <MenuSeparator />
                <MenuItem danger onSelect={() => setDropping(column.name)}>
                  <Trash2 aria-hidden /> Drop…
                </MenuItem>
              </MenuContent>
            </Menu>
          ) : null,
      },
    ];
  }, [project, table, targets]);
  return (
    <div className="grid gap-4">
      <Card>
        <CardHeader
          title="Columns"
          description="Each change is a migration, and can be carried to another server."
          actions={
            table.kind === "table" && (
              <Button size="sm" onClick={() => setAdding(true)}>
                <Plus aria-hidden /> Add a column
              </Button>
            )
          }
        />
        <DataTable label="Columns" columns={columns} rows={table.columns} rowKey={(column) => column.name} empty={<Empty title="No columns" />} />
      </Card>
      <div className="grid gap-4 lg:grid-cols-2">
        <Card>
          <CardHeader
            title="Indexes"
            actions={
              table.kind === "table" && (
                <Button size="sm" onClick={() => setMaking("index")}>
                  <Plus aria-hidden /> Add an index
                </Button>
              )
            }
          />
          <CardBody>
            {table.indexes.length === 0 ? (
              <p className="text-[0.8125rem] text-muted">None besides the key's own.</p>
            ) : (
              <ul className="grid gap-2">
                {table.indexes.map((index) => (
                  <li key={index.name} className="flex items-center gap-2 text-[0.8125rem]">
                    <span className="min-w-0 flex-1">
                      <span className="font-medium">{index.name}</span> {index.unique && <Badge>unique</Badge>}
                      <code className="block truncate text-xs text-muted" title={index.definition}>
                        {index.columns.join(", ") || index.definition}
                      </code>
                    </span>
                    {index.definition !== "" && (
                      <Button
                        size="icon-sm"
                        variant="ghost"
                        aria-label={`Drop the index ${index.name}`}
                        onClick={() => setRemoving({ what: `the index ${index.name}`, change: { op: "drop_index", name: index.name } })}
                      >
                        <Trash2 aria-hidden />
                      </Button>
                    )}
                  </li>
                ))}
              </ul>
            )}
          </CardBody>
        </Card>
        <Card>
          <CardHeader
            title="Conditions"
            actions={
              table.kind === "table" && (
                <Button size="sm" onClick={() => setMaking("check")}>
                  <Plus aria-hidden /> Add a condition
                </Button>
              )
            }
          />
          <CardBody>
            {table.checks.length + table.unique.length === 0 ? (
              <p className="text-[0.8125rem] text-muted">None.</p>
            ) : (
              <ul className="grid gap-2 font-mono text-xs">
                {table.unique.map((names) => (
                  <li key={names.join()} className="flex items-center gap-2">
                    <span className="min-w-0 flex-1 break-words">UNIQUE ({names.join(", ")})</span>
                    <Button
                      size="icon-sm"
                      variant="ghost"
                      aria-label={`Drop UNIQUE (${names.join(", ")})`}
                      onClick={() => setRemoving({ what: `UNIQUE (${names.join(", ")})`, change: { op: "drop_unique", columns: names } })}
                    >
                      <Trash2 aria-hidden />
                    </Button>
                  </li>
                ))}
                {table.checks.map((check) => (
                  <li key={check.expression} className="flex items-center gap-2">
                    <span className="min-w-0 flex-1 break-words">CHECK ({check.expression})</span>
                    {check.name && (
                      <Button
                        size="icon-sm"
                        variant="ghost"
                        aria-label={`Drop CHECK (${check.expression})`}
                        onClick={() => setRemoving({ what: `CHECK (${check.expression})`, change: { op: "drop_check", name: check.name ?? "" } })}
                      >
                        <Trash2 aria-hidden />
                      </Button>
                    )}
                  </li>
                ))}
              </ul>
            )}
          </CardBody>
        </Card>
      </div>
      {adding && <AddColumn project={project} table={table.name} tables={tables} close={() => setAdding(false)} />}
      {changing && <AlterColumn key={changing.name} project={project} table={table} column={changing} close={() => setChanging(undefined)} />}
      {referring && <AddForeignKey project={project} table={table.name} column={referring} targets={targets} close={() => setReferring(undefined)} />}
      {making === "index" && <AddIndex project={project} table={table} close={() => setMaking(undefined)} />}
      {making === "check" && <AddCheck project={project} table={table.name} close={() => setMaking(undefined)} />}
      {removing && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRemoving(undefined)}
          title={`Drop ${removing.what}?`}
          action="Drop it"
          run={async () => {
            await alter(project, table.name, removing.change);
            toast.success("It is gone");
          }}
        >
          <p>Rows stay as they are. It can be made again, as long as they allow it.</p>
        </Confirm>
      )}
      {renaming && <Rename what={`the column ${renaming}`} name={renaming} close={() => setRenaming(undefined)} run={(to) => alter(project, table.name, { op: "rename_column", column: renaming, to })} />}
      {dropping && (
        <Confirm
          open
          onOpenChange={(open) => !open && setDropping(undefined)}
          title={`Drop the column ${dropping}?`}
          action="Drop the column"
          typed={dropping}
          run={async () => {
            await alter(project, table.name, { op: "drop_column", column: dropping });
            toast.success("The column is gone");
          }}
        >
          <p>What it holds in every row is gone for good.</p>
        </Confirm>
      )}
    </div>
  );
}

export function Rename({ what, name, close, run }: { what: string; name: string; close: () => void; run: (to: string) => Promise<void> }) {
  const [to, setTo] = useState(name);
  const { pending, run: act } = useAction();
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title={`Rename ${what}`} description="Apps that use the old name have to follow.">
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            if (await act(() => run(to.trim()), `It is called ${to.trim()} now`)) close();
          }}
        >
          <Field label="Name">
            <Input required value={to} onChange={(event) => setTo(event.target.value)} />
          </Field>
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending} disabled={to.trim() === name}>
              Rename
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

