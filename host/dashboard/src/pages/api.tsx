import { useQuery } from "@tanstack/react-query";
import { BookOpen, Download } from "lucide-react";
import { useMemo, useState } from "react";
import { openApiQuery, projectQuery } from "@/api/queries";
import { PageHeader } from "@/components/page";
import { Empty, Failure, Loading, Note } from "@/components/states";
import { Code, Marked } from "@/components/text";
import { Method, type Operation, TryIt, filled, operationsOf } from "@/components/try-it";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader } from "@/components/ui/card";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { cn } from "@/lib/cn";
import { useWords } from "@/lib/pages";
import { useProject } from "@/lib/use-project";

type Tongue = "curl" | "JavaScript" | "Python";

const shell = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function example(tongue: Tongue, base: string, key: string, operation: Operation, values: Record<string, string>, body: string | undefined): string {
  const named = Object.fromEntries(
    operation.parameters.filter((one) => one.in === "path").map((one) => [one.name, values[one.name] || `{${one.name}}`]),
  );
  const url = base + decodeURIComponent(filled(operation, { ...values, ...named })).replace(/ /g, "%20");
  const type = operation.body === undefined ? undefined : (operation.contentType ?? "application/json");
  switch (tongue) {
    case "curl": {
      const lines = [`curl${operation.method === "GET" ? "" : ` -X ${operation.method}`} ${shell(url)}`, `  -H ${shell(`x-api-key: ${key}`)}`];
      if (type?.includes("multipart")) lines.push("  -F 'file=@picture.png'");
      else if (type) lines.push(`  -H ${shell(`content-type: ${type}`)}`, `  -d ${shell(body || "…")}`);
      return lines.join(" \\\n");
    }
    case "JavaScript": {
      const headers = [`    "x-api-key": ${JSON.stringify(key)},`, ...(type && !type.includes("multipart") ? [`    "content-type": ${JSON.stringify(type)},`] : [])];
      const lines = [`const response = await fetch(${JSON.stringify(url)}, {`, `  method: "${operation.method}",`, "  headers: {", ...headers, "  },"];
      if (type?.includes("json")) lines.push(`  body: JSON.stringify(${(body || "{}").replaceAll("\n", "\n  ")}),`);
      else if (type) lines.push("  body: form,");
      return [...lines, "});", "if (!response.ok) throw new Error((await response.json()).detail);", "const answer = await response.json();"].join("\n");
    }
    case "Python": {
      const lines = ["import requests", "", `response = requests.request(`, `    "${operation.method}",`, `    ${JSON.stringify(url)},`, `    headers={"x-api-key": ${JSON.stringify(key)}},`];
      if (type?.includes("json")) {
        lines.push(`    json=${(body || "{}").replaceAll("true", "True").replaceAll("false", "False").replaceAll("null", "None").replaceAll("\n", "\n    ")},`);
      } else if (type) lines.push('    files={"file": open("picture.png", "rb")},');
      return [...lines, ")", "response.raise_for_status()", "answer = response.json()"].join("\n");
    }
  }
}

function Details({ project, base, keyText, operation }: { project: string; base: string; keyText: string; operation: Operation }) {
  const [values, setValues] = useState<Record<string, string>>({});
  const [body, setBody] = useState(operation.body);
  return (
    <div className="grid gap-4">
      <Card>
        <CardBody className="grid gap-3 pt-4">
          <div className="flex flex-wrap items-center gap-2">
            <Method name={operation.method} />
            <code className="min-w-0 text-sm break-all">{operation.path}</code>
          </div>
          <p className="text-sm">
            <Marked text={operation.summary} />
          </p>
          {operation.description && (
            <p className="text-[0.8125rem] text-muted">
              <Marked text={operation.description} />
            </p>
          )}
          <ul className="grid gap-1">
            {operation.responses.map(([status, text]) => (
              <li key={status} className="flex items-baseline gap-2 text-[0.8125rem]">
                <Badge tone={status.startsWith("2") ? "good" : status.startsWith("3") ? "accent" : "plain"}>{status}</Badge>
                <span className="text-muted">
                  <Marked text={text} />
                </span>
              </li>
            ))}
          </ul>
        </CardBody>
      </Card>
      <Card>
        <CardHeader title="Example" description="With what you fill in below." />
        <CardBody>
          <Tabs defaultValue="curl">
            <TabsList aria-label="Language">
              <Tab value="curl">curl</Tab>
              <Tab value="JavaScript">JavaScript</Tab>
              <Tab value="Python">Python</Tab>
            </TabsList>
            {(["curl", "JavaScript", "Python"] as const).map((tongue) => (
              <TabPanel key={tongue} value={tongue} className="pt-3">
                <Code label="Copy the example" text={example(tongue, base, keyText, operation, values, body)} />
              </TabPanel>
            ))}
          </Tabs>
        </CardBody>
      </Card>
      <Card>
        <CardHeader title="Try it" description="Made from this page in your name, as an admin." />
        <CardBody>
          <TryIt
            project={project}
            operation={operation}
            changed={(next, text) => {
              setValues(next);
              setBody(text);
            }}
          />
        </CardBody>
      </Card>
    </div>
  );
}

export function Api() {
  const project = useProject();
  const [words, change] = useWords<"operation">();
  const about = useQuery(projectQuery(project));
  const { data, error, refetch } = useQuery(openApiQuery(project));
  const [text, setText] = useState("");
  const [key, setKey] = useState("");
  const operations = useMemo(() => operationsOf(data), [data]);
  const groups = useMemo(() => {
    const found = new Map<string, Operation[]>();
    const wanted = text.trim().toLowerCase();
    for (const operation of operations) {
      if (wanted && !`${operation.method} ${operation.path} ${operation.summary}`.toLowerCase().includes(wanted)) continue;
      found.set(operation.tag, [...(found.get(operation.tag) ?? []), operation]);
    }
    return [...found];
  }, [operations, text]);
  const current = operations.find((operation) => operation.id === words.operation);
  return (
    <>
      <PageHeader
        title="API"
        description="Everything that this project answers, by what is installed in it."
        actions={
          <>
            <Button asChild>
              <a href={`/admin/v1/projects/${encodeURIComponent(project)}/openapi.json`} download={`${project}-openapi.json`}>
                <Download aria-hidden /> OpenAPI
              </a>
            </Button>
            <Button asChild>
              <a href={`/admin/v1/projects/${encodeURIComponent(project)}/types.ts`} download={`${project}.ts`}>
                <Download aria-hidden /> TypeScript types
              </a>
            </Button>
          </>
        }
      />
      {error && !data ? (
        <Card>
          <Failure error={error} retry={() => void refetch()} />
        </Card>
      ) : !data ? (
        <Card>
          <Loading rows={8} />
        </Card>
      ) : (
        <div className="grid gap-4 lg:grid-cols-[20rem_minmax(0,1fr)]">
          <Card className={cn("self-start", current && "max-lg:hidden")}>
            <div className="border-b border-border p-2">
              <Input type="search" aria-label="Search operations" placeholder="Search" className="h-8" value={text} onChange={(event) => setText(event.target.value)} />
            </div>
            {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
            <div className="max-h-[70vh] overflow-y-auto p-1.5" tabIndex={0} role="region" aria-label="Operations">
              {groups.map(([tag, list]) => (
                <section key={tag}>
                  <h2 className="px-2 pt-2 pb-1 text-[0.6875rem] font-medium tracking-wide text-muted uppercase">{tag}</h2>
                  <ul>
                    {list.map((operation) => (
                      <li key={operation.id}>
                        <button
                          type="button"
                          aria-current={operation.id === current?.id}
                          title={operation.summary}
                          className="flex w-full items-center rounded-md px-2 py-1 text-left hover:bg-raised aria-[current=true]:bg-accent"
                          onClick={() => change({ operation: operation.id })}
                        >
                          <Method name={operation.method} />
                          <code className="min-w-0 truncate text-xs">{operation.path}</code>
                        </button>
                      </li>
                    ))}
                  </ul>
                </section>
              ))}
              {groups.length === 0 && <p className="px-2 py-4 text-center text-xs text-muted">Nothing is like that.</p>}
            </div>
          </Card>
          <div className="grid min-w-0 content-start gap-4">
            {current && (
              <Button size="sm" variant="ghost" className="justify-self-start lg:hidden" onClick={() => change({ operation: undefined })}>
                All operations
              </Button>
            )}
            <Card>
              <CardBody className="grid gap-3 pt-4 sm:grid-cols-2">
                <Field label="Address">
                  <Input readOnly className="font-mono text-xs" value={about.data?.url ?? ""} />
                </Field>
                <Field label="Key in the examples" help="Stays on this page. Keys are shown only when they are made, so paste one.">
                  <Input
                    className="font-mono text-xs"
                    autoComplete="off"
                    spellCheck={false}
                    placeholder="ahp_…"
                    value={key}
                    onChange={(event) => setKey(event.target.value.trim())}
                  />
                </Field>
              </CardBody>
            </Card>
            {current ? (
              <Details key={current.id} project={project} base={about.data?.url ?? ""} keyText={key || "YOUR_KEY"} operation={current} />
            ) : (
              <>
                <Card>
                  <Empty icon={BookOpen} title="Choose an operation">
                    Each comes with examples for curl, JavaScript and Python, and can be tried from here.
                  </Empty>
                </Card>
                <Note>
                  Apps in TypeScript have a client of their own: it signs users in, and speaks to tables, files and plugins.
                </Note>
              </>
            )}
          </div>
        </div>
      )}
    </>
  );
}
