// Server-sent events by fetch: EventSource can send no key.

import { address, credentials, refusal } from "./api";

export interface StreamEvent {
  event: string;
  data: string;
}

const SILENT_MS = 40_000; // a comment comes every 15 s at least

/** The id of the last event that came; a new stream goes on from there. */
let last = "";

/** Hand each event to `take` until the stream ends. Raises ApiError, or what fetch raises. */
export async function readStream(path: string, take: (event: StreamEvent) => void, abort: AbortSignal): Promise<void> {
  const headers = { ...credentials(), Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) };
  const quiet = new AbortController();
  let timer = setTimeout(() => quiet.abort(), SILENT_MS);
  try {
    const response = await fetch(address(path), { headers, cache: "no-store", signal: AbortSignal.any([abort, quiet.signal]) });
    if (!response.ok || !response.body) throw await refusal(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), SILENT_MS);
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = parse(block);
        if (event) take(event);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

function parse(block: string): StreamEvent | null {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value = ""] = line.match(/^(\w+):? ?(.*)$/) ?? [];
    if (name === "event") event = value;
    else if (name === "data") data.push(value);
    else if (name === "id") last = value;
  }
  return data.length ? { event, data: data.join("\n") } : null;
}

type Tree = { [name: string]: unknown };

/** `target` with a JSON Merge Patch (RFC 7396). What it does not touch stays the same object. */
export function merged(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result: Tree = { ...(typeof target === "object" && !Array.isArray(target) ? (target as Tree) : {}) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}
