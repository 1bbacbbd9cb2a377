// A shape for each status, so that colour is never alone. The same shapes as on the page without JavaScript.

import type { JSX } from "preact";

const INK: Record<string, JSX.Element> = {
  healthy: <><circle cx="8" cy="8" r="7" /><path class="ink" d="m4.8 8.3 2.2 2.3 4.3-5" /></>,
  warning: <><path d="M8 1.2 15.4 14.6H.6z" /><path class="ink" d="M8 6v4.2M8 12.2v.6" /></>,
  critical: <><path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" /><path class="ink" d="M8 4.2v4.8M8 11.2v.6" /></>,
  disconnected: <><path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" /><path class="ink" d="m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2" /></>,
  info: <><circle cx="8" cy="8" r="7" /><path class="ink" d="M8 7.4v4M8 4.5v.6" /></>,
  unknown: <><circle class="line" cx="8" cy="8" r="6.2" /><path class="line" d="M6 6.3a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1M8 11.3v.4" /></>,
  none: <circle class="line dashed" cx="8" cy="8" r="6.2" />,
};
const KINDS: Record<string, string> = { emergency: "critical" };

/** The class that colours and shapes a status or a severity. */
export function tone(status: string | null | undefined): string {
  const said = (status ?? "none").toLowerCase();
  const kind = KINDS[said] ?? said;
  return kind in INK ? kind : "unknown";
}

/** For eyes only: the word stands beside it. */
export function Shape({ kind }: { kind: string }) {
  return (
    <svg class={`shape ${kind}`} viewBox="0 0 16 16" aria-hidden="true">
      {INK[kind] ?? INK.unknown}
    </svg>
  );
}
