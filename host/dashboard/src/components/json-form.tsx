/**
 * A form drawn from a JSON Schema: the part of it that configurations use.
 * What is not of that part is edited as JSON.
 */
import { Plus, X } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import { Marked } from "./text";
import { Button } from "./ui/button";
import { Field } from "./ui/field";
import { Input, Select, Textarea } from "./ui/input";
import { Switch } from "./ui/switch";

export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  format?: string;
  pattern?: string;
  "x-secret"?: boolean;
}

export type Config = Record<string, unknown>;

const kindOf = (schema: Schema) => (Array.isArray(schema.type) ? schema.type.find((type) => type !== "null") : schema.type);

const readable = (name: string) => {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

/** What is wrong with a value before the server says so. */
export function problemOf(schema: Schema, value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const kind = kindOf(schema);
  if (kind === "integer" || kind === "number") {
    const number = Number(value);
    if (Number.isNaN(number) || (kind === "integer" && !Number.isInteger(number))) return "A number is needed.";
    if (schema.minimum !== undefined && number < schema.minimum) return `At least ${schema.minimum}.`;
    if (schema.maximum !== undefined && number > schema.maximum) return `At most ${schema.maximum}.`;
  }
  if (kind === "string" && typeof value === "string") {
    if (schema.maxLength !== undefined && value.length > schema.maxLength) return `At most ${schema.maxLength} characters.`;
    if (schema.minLength !== undefined && value.length < schema.minLength) return `At least ${schema.minLength} characters.`;
    if (schema.format === "uri" && !URL.canParse(value)) return "An address such as https://example.com is needed.";
  }
  return undefined;
}

export function problemsOf(schema: Schema, config: Config): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    const problem = problemOf(part, config[name]);
    if (problem) found[name] = problem;
    else if (schema.required?.includes(name) && (config[name] === undefined || config[name] === "")) found[name] = "This is needed.";
  }
  return found;
}

interface PartProps {
  name: string;
  schema: Schema;
  value: unknown;
  error: string | undefined;
  required: boolean;
  change: (value: unknown) => void;
}

function List({ name, schema, value, change, label, help }: { name: string; schema: Schema; value: unknown; change: (value: unknown) => void; label: string; help: ReactNode }) {
  const id = useId();
  const given = Array.isArray(value) ? (value as unknown[]).map(String) : undefined;
  const fallback = Array.isArray(schema.default) ? schema.default.map(String) : [];
  const items = given ?? fallback;
  return (
    <fieldset className="grid gap-1.5">
      <legend className="mb-1.5 text-[0.8125rem] font-medium">{label}</legend>
      {help && <p className="text-xs text-muted">{help}</p>}
      {items.map((item, place) => (
        // The place is what a line of this list is known by.
        // oxlint-disable-next-line react/no-array-index-key
        <div key={`${id}-${place}`} className="flex gap-1">
          <Input
            aria-label={`${label} ${place + 1}`}
            value={item}
            onChange={(event) => change(items.map((old, other) => (other === place ? event.target.value : old)))}
          />
          <Button
            variant="ghost"
            size="icon"
            aria-label={`Remove ${item || name}`}
            onClick={() => change(items.filter((_, other) => other !== place))}
          >
            <X aria-hidden />
          </Button>
        </div>
      ))}
      <div className="flex gap-2">
        <Button size="sm" onClick={() => change([...items, ""])}>
          <Plus aria-hidden /> Add
        </Button>
        {given && schema.default !== undefined && (
          <Button size="sm" variant="ghost" onClick={() => change(undefined)}>
            Back to the default
          </Button>
        )}
      </div>
    </fieldset>
  );
}

function Json({ value, change, label, help }: { value: unknown; change: (value: unknown) => void; label: string; help: ReactNode }) {
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, null, 2)));
  const [error, setError] = useState<string>();
  return (
    <Field label={label} help={help ?? "As JSON."} error={error}>
      <Textarea
        spellCheck={false}
        className="font-mono text-xs"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          try {
            change(event.target.value.trim() === "" ? undefined : JSON.parse(event.target.value));
            setError(undefined);
          } catch (problem) {
            setError(`This is not JSON yet: ${(problem as Error).message}`);
          }
        }}
      />
    </Field>
  );
}

function Part({ name, schema, value, error, required, change }: PartProps) {
  const label = `${schema.title ?? readable(name)}${required ? " *" : ""}`;
  const help = schema.description && <Marked text={schema.description} />;
  const kind = kindOf(schema);
  const shown = schema.default === undefined || typeof schema.default === "object" ? undefined : String(schema.default);
  if (schema.enum) {
    return (
      <Field label={label} help={help} error={error}>
        <Select value={value === undefined ? "" : String(value)} onChange={(event) => change(event.target.value || undefined)}>
          <option value="">{shown ? `Default (${shown})` : "Not set"}</option>
          {schema.enum.map((choice) => (
            <option key={String(choice)} value={String(choice)}>
              {String(choice)}
            </option>
          ))}
        </Select>
      </Field>
    );
  }
  switch (kind) {
    case "boolean":
      return (
        <div className="flex items-start justify-between gap-4">
          <div>
            <p className="text-[0.8125rem] font-medium">{label}</p>
            {help && <p className="mt-0.5 text-xs text-muted">{help}</p>}
          </div>
          <Switch aria-label={label} checked={Boolean(value ?? schema.default)} onCheckedChange={change} />
        </div>
      );
    case "integer":
    case "number":
      return (
        <Field label={label} help={help} error={error}>
          <Input
            type="number"
            inputMode="numeric"
            min={schema.minimum}
            max={schema.maximum}
            step={kind === "integer" ? 1 : "any"}
            placeholder={shown}
            value={value === undefined || value === null ? "" : String(value)}
            onChange={(event) => change(event.target.value === "" ? undefined : Number(event.target.value))}
          />
        </Field>
      );
    case "string": {
      const secret = schema["x-secret"] === true;
      return (
        <Field
          label={label}
          help={
            secret ? (
              <>
                {help} Kept sealed and never shown again.
              </>
            ) : (
              help
            )
          }
          error={error}
        >
          <Input
            type={secret ? "password" : "text"}
            autoComplete={secret ? "new-password" : "off"}
            placeholder={shown}
            value={value === undefined || value === null ? "" : String(value)}
            onChange={(event) => change(event.target.value === "" ? undefined : event.target.value)}
          />
        </Field>
      );
    }
    case "array":
      if (kindOf(schema.items ?? {}) === "string") {
        return <List name={name} schema={schema} value={value} change={change} label={label} help={help} />;
      }
      return <Json value={value} change={change} label={label} help={help} />;
    default:
      return <Json value={value} change={change} label={label} help={help} />;
  }
}

export function JsonForm({ schema, value, errors, change }: { schema: Schema; value: Config; errors: Record<string, string>; change: (value: Config) => void }) {
  const parts = Object.entries(schema.properties ?? {});
  return (
    <div className="grid gap-5">
      {parts.map(([name, part]) => (
        <Part
          key={name}
          name={name}
          schema={part}
          value={value[name]}
          error={errors[name]}
          required={schema.required?.includes(name) ?? false}
          change={(next) => {
            const { [name]: _, ...rest } = value;
            change(next === undefined ? rest : { ...rest, [name]: next });
          }}
        />
      ))}
    </div>
  );
}
