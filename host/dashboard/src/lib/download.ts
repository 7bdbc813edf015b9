/** Hands a text to the browser as a file. */
export function download(name: string, content: string, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A cell of a CSV file (RFC 4180); what a spreadsheet would take for a formula is disarmed. */
function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  let text = typeof value === "object" ? JSON.stringify(value) : String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csv(columns: string[], rows: readonly (readonly unknown[])[]): string {
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
}

/** The rows of a CSV file (RFC 4180). */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let value = "";
  let quoted = false;
  const source = text.replace(/^\uFEFF/, "");
  for (let place = 0; place < source.length; place += 1) {
    const letter = source[place];
    if (quoted) {
      if (letter !== '"') value += letter;
      else if (source[place + 1] === '"') {
        value += '"';
        place += 1;
      } else quoted = false;
    } else if (letter === '"' && value === "") quoted = true;
    else if (letter === ",") {
      row.push(value);
      value = "";
    } else if (letter === "\n" || letter === "\r") {
      if (letter === "\r" && source[place + 1] === "\n") place += 1;
      row.push(value);
      rows.push(row);
      row = [];
      value = "";
    } else value += letter;
  }
  if (value !== "" || row.length > 0) rows.push([...row, value]);
  return rows.filter((cells) => cells.length > 1 || cells[0] !== "");
}
