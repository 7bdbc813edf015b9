import { Play } from "lucide-react";
import { useMemo, useState } from "react";
import { call, reason } from "@/api/client";
import { bytes, milliseconds } from "@/lib/format";
import { cn } from "@/lib/cn";
import { Refusal } from "./states";
import { Code } from "./text";
import { Badge } from "./ui/badge";
import { Button } from "./ui/button";
import { Field } from "./ui/field";
import { Input, Select, Textarea } from "./ui/input";

export interface Operation {
  id: string;
  method: string;
  path: string;
  summary: string;
  description?: string;
  tag: string;
  parameters: { name: string; in: string; required?: boolean; description?: string; schema?: { type?: string; enum?: string[] } }[];
  body: string | undefined;
  contentType: string | undefined;
  responses: [string, string][];
}

type Json = Record<string, unknown>;

/** A value such as a schema describes. */
function example(schema: Json | undefined, root: Json, depth = 0): unknown {
  if (!schema || depth > 5) return null;
  if (typeof schema.$ref === "string") {
    const target = schema.$ref
      .slice(2)
      .split("/")
      .reduce<unknown>((at, name) => (at as Json | undefined)?.[name.replaceAll("~1", "/")], root);
    return example(target as Json | undefined, root, depth + 1);
  }
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  for (const kind of ["allOf", "oneOf", "anyOf"]) {
    const parts = schema[kind];
    if (Array.isArray(parts)) return example(parts[0] as Json, root, depth + 1);
  }
  const type = Array.isArray(schema.type) ? schema.type.find((name) => name !== "null") : schema.type;
  switch (type) {
    case "object":
      return Object.fromEntries(
        Object.entries((schema.properties as Record<string, Json> | undefined) ?? {}).map(([name, part]) => [name, example(part, root, depth + 1)]),
      );
    case "array":
      return [example(schema.items as Json, root, depth + 1)];
    case "integer":
    case "number":
      return 0;
    case "boolean":
      return false;
    case "string":
      return schema.format === "email" ? "you@example.com" : "";
    default:
      return null;
  }
}

/** The operations of an OpenAPI document, in its order. */
export function operationsOf(document: unknown): Operation[] {
  const root = (document ?? {}) as Json;
  const found: Operation[] = [];
  for (const [path, item] of Object.entries((root.paths as Record<string, Json> | undefined) ?? {})) {
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      const operation = item[method] as Json | undefined;
      if (!operation) continue;
      const content = (operation.requestBody as Json | undefined)?.content as Record<string, Json> | undefined;
      const contentType = content && Object.keys(content)[0];
      const schema = contentType ? (content[contentType]?.schema as Json | undefined) : undefined;
      const shared = (item.parameters as Operation["parameters"] | undefined) ?? [];
      const own = (operation.parameters as Operation["parameters"] | undefined) ?? [];
      const parameters = [...shared.filter((one) => !own.some((other) => other.name === one.name)), ...own];
      for (const name of path.match(/(?<=\{)[^}]+(?=\})/g) ?? []) {
        if (!parameters.some((one) => one.name === name)) parameters.push({ name, in: "path", required: true });
      }
      found.push({
        id: `${method} ${path}`,
        method: method.toUpperCase(),
        path,
        summary: String(operation.summary ?? ""),
        ...(typeof operation.description === "string" ? { description: operation.description } : {}),
        tag: Array.isArray(operation.tags) ? String(operation.tags[0] ?? "other") : "other",
        parameters,
        body: contentType?.includes("json") ? JSON.stringify(example(schema, root), null, 2) : contentType ? "" : undefined,
        contentType,
        responses: Object.entries((operation.responses as Record<string, Json> | undefined) ?? {}).map(([status, answer]) => [
          status,
          String(answer.description ?? ""),
        ]),
      });
    }
  }
  return found;
}

const tones: Record<string, string> = {
  GET: "text-good",
  POST: "text-accent-foreground",
  PUT: "text-warn",
  PATCH: "text-warn",
  DELETE: "text-bad",
};

export const Method = ({ name }: { name: string }) => (
  <span className={cn("inline-block w-14 shrink-0 font-mono text-xs font-semibold", tones[name])}>{name}</span>
);

interface Answer {
  status: number;
  text: string;
  took: number;
  size: number;
  type: string;
}

/** Fills an operation in; the address starts behind the project's. */
export function filled(operation: Operation, values: Record<string, string>): string {
  const path = operation.path.replace(/\{([^}]+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
  const query = new URLSearchParams();
  for (const parameter of operation.parameters) {
    if (parameter.in === "query" && values[parameter.name]) query.set(parameter.name, values[parameter.name] ?? "");
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** Makes a call of the project in the admin's name, and shows the answer. */
export function TryIt({ project, operation, changed }: { project: string; operation: Operation; changed?: (values: Record<string, string>, body: string | undefined) => void }) {
  const [values, setValues] = useState<Record<string, string>>({});
  const [body, setBody] = useState(operation.body ?? "");
  const [answer, setAnswer] = useState<Answer>();
  const [error, setError] = useState<unknown>();
  const [pending, setPending] = useState(false);
  const path = useMemo(() => filled(operation, values), [operation, values]);
  const set = (name: string, value: string) => {
    const next = { ...values, [name]: value };
    setValues(next);
    changed?.(next, operation.body === undefined ? undefined : body);
  };
  return (
    <form
      className="grid gap-4"
      onSubmit={async (event) => {
        event.preventDefault();
        setPending(true);
        setError(undefined);
        const start = performance.now();
        try {
          const response = await call(
            new Request(`/p/${encodeURIComponent(project)}${path}`, {
              method: operation.method,
              ...(operation.body !== undefined && body
                ? { body, headers: { "content-type": operation.contentType ?? "application/json" } }
                : {}),
            }),
          );
          const raw = await response.text();
          const type = response.headers.get("content-type") ?? "";
          let text = raw.slice(0, 200_000);
          if (type.includes("json")) {
            try {
              text = JSON.stringify(JSON.parse(raw), null, 2).slice(0, 200_000);
            } catch {
              // Shown as it came.
            }
          }
          setAnswer({ status: response.status, text, took: performance.now() - start, size: new Blob([raw]).size, type });
        } catch (failure) {
          setAnswer(undefined);
          setError(new Error(reason(failure)));
        } finally {
          setPending(false);
        }
      }}
    >
      {operation.parameters
        .filter((parameter) => parameter.in === "path" || parameter.in === "query")
        .map((parameter) => (
          <Field
            key={`${parameter.in} ${parameter.name}`}
            label={
              <>
                <code>{parameter.name}</code>
                {parameter.required && <span className="text-bad"> *</span>}
              </>
            }
            help={parameter.description}
          >
            {parameter.schema?.enum ? (
              <Select value={values[parameter.name] ?? ""} onChange={(event) => set(parameter.name, event.target.value)}>
                <option value="" />
                {parameter.schema.enum.map((choice) => (
                  <option key={choice}>{choice}</option>
                ))}
              </Select>
            ) : (
              <Input
                required={parameter.required ?? false}
                autoComplete="off"
                value={values[parameter.name] ?? ""}
                onChange={(event) => set(parameter.name, event.target.value)}
              />
            )}
          </Field>
        ))}
      {operation.body !== undefined && (
        <Field label="Body" help={operation.contentType}>
          <Textarea
            className="min-h-32 font-mono text-xs"
            spellCheck={false}
            value={body}
            onChange={(event) => {
              setBody(event.target.value);
              changed?.(values, event.target.value);
            }}
          />
        </Field>
      )}
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" variant="primary" pending={pending}>
          {!pending && <Play aria-hidden />} Send
        </Button>
        <code className="min-w-0 flex-1 truncate text-xs text-muted" title={path}>
          {operation.method} {path}
        </code>
      </div>
      <Refusal error={error} />
      {answer && (
        <div className="grid gap-2" aria-live="polite">
          <div className="flex flex-wrap items-center gap-2">
            <Badge tone={answer.status < 300 ? "good" : answer.status < 400 ? "accent" : answer.status < 500 ? "warn" : "bad"}>{answer.status}</Badge>
            <span className="text-xs text-muted">
              {milliseconds(answer.took)}, {bytes(answer.size)}
              {answer.type && `, ${answer.type}`}
            </span>
          </div>
          {answer.text && <Code text={answer.text} label="Copy the answer" />}
        </div>
      )}
    </form>
  );
}
