// The keyboard. Keys are single letters, or `g` and a letter to go somewhere; none is taken while somebody writes.

import { signal } from "@preact/signals";

export interface Key {
  keys: string;
  does: string;
  run: () => void;
}

const sets = signal<readonly (readonly Key[])[]>([]);

/** All keys that do something now, for the list that `?` shows. */
export const allKeys = (): Key[] => sets.value.flat();

/** Take these keys until the function that is returned is called; later ones go first. */
export function bind(keys: readonly Key[]): () => void {
  sets.value = [...sets.peek(), keys];
  return () => {
    sets.value = sets.peek().filter((one) => one !== keys);
  };
}

let before = "";
let beforeAt = 0;

export function listen(): void {
  addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest("input, textarea, select, [contenteditable], dialog")) return;
    const pressed = before === "g" && event.timeStamp - beforeAt < 1500 ? `g ${event.key}` : event.key;
    before = pressed === "g" ? "g" : "";
    beforeAt = event.timeStamp;
    const found = [...sets.peek()].reverse().flat().find((one) => one.keys.split(" / ").includes(pressed));
    if (!found) return;
    event.preventDefault();
    found.run();
  });
}

/** Move the focus by `step` among the rows of the page's lists. */
export function moveRow(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(here + step, 0), rows.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

/** The `data-row` of the row that has the focus. */
export const focusedRow = (): string | undefined =>
  document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset.row;
