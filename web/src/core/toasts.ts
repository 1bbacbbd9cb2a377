// What was just done, said in a corner, with a way back where there is one.

import { signal } from "@preact/signals";
import { ApiError } from "./api";
import { t } from "./i18n";

export interface Toast {
  id: number;
  text: string;
  tone: "good" | "bad";
  undo?: () => void;
}

export const toasts = signal<Toast[]>([]);
let last = 0;

/** Say `text` for some seconds; errors and what can be undone stay longer. */
export function say(text: string, options: { tone?: Toast["tone"]; undo?: () => void; seconds?: number } = {}): number {
  const { tone = "good", undo, seconds = undo || tone === "bad" ? 9 : 4 } = options;
  const toast: Toast = { id: ++last, text, tone, ...(undo ? { undo } : {}) };
  toasts.value = [...toasts.value.slice(-3), toast];
  setTimeout(() => unsay(toast.id), seconds * 1000);
  return toast.id;
}

export const unsay = (id: number): void => {
  toasts.value = toasts.value.filter((one) => one.id !== id);
};

/** Say why something failed, and what that means. */
export function complain(error: unknown): void {
  const said = error instanceof ApiError ? error.message : String(error);
  say(`${t("That did not work:")} ${said}`, { tone: "bad" });
}
