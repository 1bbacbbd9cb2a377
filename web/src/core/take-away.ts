// What can be taken away from the page: a link, an expression, a command, a table.

import { address, hasKey } from "./api";
import { t } from "./i18n";
import { say } from "./toasts";

/** Put `text` on the clipboard and say so. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(t("Copied: {what}", { what }));
  } catch {
    say(t("This browser does not let the page copy (it does on https and localhost)."), { tone: "bad" });
  }
}

/** The command that asks the API the same. The key stays out of it. */
export function curl(path: string, query: Record<string, unknown> = {}): string {
  const quoted = `'${address(path, query).href.replaceAll("'", "%27")}'`;
  return `curl -s ${hasKey() ? '-H "X-API-Key: $DOZOR_API_KEY" ' : ""}${quoted}`;
}

export type Cell = string | number | null | undefined;

/** Rows as a file that a spreadsheet opens; a cell that would be a formula there is made text. */
export function csv(rows: readonly (readonly Cell[])[]): string {
  const written = (cell: Cell): string => {
    const text = String(cell ?? "");
    const safe = typeof cell === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => row.map(written).join(",")).join("\r\n") + "\r\n";
}

/** Save `text` as a file of that name. */
export function save(name: string, text: string, kind = "text/csv"): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: `${kind};charset=utf-8` }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
