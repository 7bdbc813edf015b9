/** The editor for SQL, with its worker beside it; loaded with the page that needs it. */
import "monaco-editor/features/bracketMatching/register.js";
import "monaco-editor/features/caretOperations/register.js";
import "monaco-editor/features/clipboard/register.js";
import "monaco-editor/features/codeEditor/register.js";
import "monaco-editor/features/codicon/register.js";
import "monaco-editor/features/comment/register.js";
import "monaco-editor/features/contextmenu/register.js";
import "monaco-editor/features/find/register.js";
import "monaco-editor/features/folding/register.js";
import "monaco-editor/features/hover/register.js";
import "monaco-editor/features/linesOperations/register.js";
import "monaco-editor/features/multicursor/register.js";
import "monaco-editor/features/snippet/register.js";
// The feature's own list leaves out what shows the suggestions.
import "monaco-editor/editor/contrib/suggest/browser/suggestController.js";
import "monaco-editor/features/suggest/register.js";
import "monaco-editor/features/wordHighlighter/register.js";
import "monaco-editor/features/wordOperations/register.js";
import "monaco-editor/languages/definitions/pgsql/register.js";
import * as monaco from "monaco-editor/editor/editor.api.js";
// oxlint-disable-next-line import/default
import EditorWorker from "monaco-editor/editor/editor.worker.js?worker";
import { useEffect, useRef } from "react";
import type { Table } from "@/api/queries";
import { useTheme } from "@/shell/theme";

self.MonacoEnvironment = { getWorker: () => new EditorWorker() };

/** Tables to complete with; of the project whose page is open. */
let known: Table[] = [];
function completeWith(tables: Table[]): void {
  known = tables;
}

const keywords =
  "SELECT FROM WHERE GROUP BY ORDER BY HAVING LIMIT OFFSET INSERT INTO VALUES UPDATE SET DELETE CREATE TABLE ALTER DROP INDEX VIEW JOIN LEFT JOIN INNER JOIN ON AS AND OR NOT NULL IS IN LIKE BETWEEN EXISTS CASE WHEN THEN ELSE END DISTINCT UNION ALL WITH RETURNING DEFAULT PRIMARY KEY REFERENCES UNIQUE CHECK COUNT SUM AVG MIN MAX COALESCE CAST"
    .match(/(GROUP BY|ORDER BY|INSERT INTO|LEFT JOIN|INNER JOIN|UNION ALL|PRIMARY KEY|\w+)/g) ?? [];

const quoted = (name: string) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

monaco.languages.registerCompletionItemProvider("pgsql", {
  triggerCharacters: ["."],
  provideCompletionItems(model, position) {
    const word = model.getWordUntilPosition(position);
    const range = {
      startLineNumber: position.lineNumber,
      endLineNumber: position.lineNumber,
      startColumn: word.startColumn,
      endColumn: word.endColumn,
    };
    const before = model.getValueInRange({ ...range, startColumn: 1, endColumn: word.startColumn });
    const owner = /(?:"((?:[^"]|"")+)"|(\w+))\.$/.exec(before);
    const kinds = monaco.languages.CompletionItemKind;
    const columnsOf = (table: Table, sort: string) =>
      table.columns.map((column) => ({
        label: column.name,
        detail: `${table.name}, ${column.data_type}`,
        kind: kinds.Field,
        insertText: quoted(column.name),
        sortText: sort + column.name,
        range,
      }));
    if (owner) {
      const name = (owner[1]?.replaceAll('""', '"') ?? owner[2] ?? "").toLowerCase();
      // A name before the dot is a table's, or an alias of one.
      const alias = new RegExp(`(?:from|join)\\s+"?(\\w+)"?\\s+(?:as\\s+)?"?${name.replace(/[^\w]/g, "")}"?\\b`, "i").exec(model.getValue());
      const table = known.find((one) => one.name.toLowerCase() === name || one.name.toLowerCase() === alias?.[1]?.toLowerCase());
      return { suggestions: table ? columnsOf(table, "0") : [] };
    }
    const text = model.getValue().toLowerCase();
    const mentioned = known.filter((table) => text.includes(table.name.toLowerCase()));
    return {
      suggestions: [
        ...mentioned.flatMap((table) => columnsOf(table, "1")),
        ...known.map((table) => ({
          label: table.name,
          detail: table.kind,
          kind: kinds.Struct,
          insertText: quoted(table.name),
          sortText: `2${table.name}`,
          range,
        })),
        ...keywords.map((keyword) => ({ label: keyword, kind: kinds.Keyword, insertText: keyword, sortText: `3${keyword}`, range })),
      ],
    };
  },
});

monaco.editor.defineTheme("atlashub-dark", {
  base: "vs-dark",
  inherit: true,
  rules: [],
  colors: { "editor.background": "#12141c", "editorGutter.background": "#12141c", "editor.lineHighlightBackground": "#1a1d28" },
});

export interface Sql {
  text: string;
  /** What is marked, if anything is. */
  selection: string;
  offset: number;
}

interface Props {
  /** Another id is another text: each has its own history of changes. */
  id: string;
  text: string;
  /** Grows when the text was put there by others than the editor: a saved statement, say. */
  pushed: number;
  tables: Table[];
  change: (text: string) => void;
  run: (sql: Sql) => void;
  handle: (read: () => Sql) => void;
}

export default function SqlEditor({ id, text, pushed, tables, change, run, handle }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const editor = useRef<monaco.editor.IStandaloneCodeEditor>(undefined);
  const calls = useRef({ change, run, text });
  calls.current = { change, run, text };
  const theme = useTheme();
  useEffect(() => completeWith(tables), [tables]);

  useEffect(() => {
    if (!box.current) return undefined;
    const made = monaco.editor.create(box.current, {
      language: "pgsql",
      ariaLabel: "SQL",
      automaticLayout: true,
      minimap: { enabled: false },
      fontSize: 13,
      lineNumbersMinChars: 3,
      padding: { top: 10, bottom: 10 },
      scrollBeyondLastLine: false,
      wordWrap: "on",
      fixedOverflowWidgets: true,
      tabSize: 2,
      overviewRulerLanes: 0,
      quickSuggestions: { other: true, comments: false, strings: false },
      wordBasedSuggestions: "off",
    });
    editor.current = made;
    const read = (): Sql => {
      const model = made.getModel();
      const selection = made.getSelection();
      const position = made.getPosition();
      return {
        text: model?.getValue() ?? "",
        selection: model && selection && !selection.isEmpty() ? model.getValueInRange(selection) : "",
        offset: model && position ? model.getOffsetAt(position) : 0,
      };
    };
    handle(read);
    made.addCommand(monaco.KeyMod.CtrlCmd | monaco.KeyCode.Enter, () => calls.current.run(read()));
    const changes = made.onDidChangeModelContent(() => calls.current.change(made.getValue()));
    return () => {
      changes.dispose();
      made.dispose();
      editor.current = undefined;
    };
  }, [handle]);

  useEffect(() => {
    const uri = monaco.Uri.parse(`inmemory://sql/${id}`);
    const model = monaco.editor.getModel(uri) ?? monaco.editor.createModel(calls.current.text, "pgsql", uri);
    if (model.getValue() !== calls.current.text) model.setValue(calls.current.text);
    editor.current?.setModel(model);
  }, [id]);
  useEffect(() => {
    // Not whenever the text changes: what the editor told comes back late, while one types on.
    if (pushed > 0) editor.current?.getModel()?.setValue(calls.current.text);
  }, [pushed]);
  useEffect(() => monaco.editor.setTheme(theme === "dark" ? "atlashub-dark" : "vs"), [theme]);
  return <div ref={box} className="h-full" data-testid="sql" />;
}
