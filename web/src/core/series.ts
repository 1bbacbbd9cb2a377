// What charts draw: an expression over a range of time, at as many points as there is room for.

import { ApiError, get, type Labels } from "./api";

const MOST_LINES = 40;

export interface Line {
  labels: Labels;
  /** One for each of the times; null: nothing is known. */
  values: (number | null)[];
  min: number;
  max: number;
  last: number;
}

export interface Lines {
  times: number[];
  lines: Line[];
  /** How many there are beside these. */
  omitted: number;
  /** Of the metric, where the expression keeps it. */
  unit: string;
}

const begin = (start: string, end: string, width: number) => {
  const queries: string[] = [];
  const askers: AbortSignal[] = [];
  const shared = new AbortController();
  const answer = Promise.resolve().then(() => {
    batches.clear();
    return get("series", { query: { query: queries, start, end, width, lines: MOST_LINES }, signal: shared.signal });
  });
  return { queries, askers, shared, answer };
};

/** What is asked for in this moment, by range and width: the charts of a page in one request. */
const batches = new Map<string, ReturnType<typeof begin>>();

/** The lines of `query`, the worst first, with their greatest and smallest values kept whatever the room. Raises ApiError. */
export async function fetchLines(query: string, from: number, to: number, pixels: number, abort: AbortSignal): Promise<Lines> {
  const [start, end] = [from, to].map((at) => new Date(at * 1000).toISOString()) as [string, string];
  const width = Math.min(Math.max(Math.round(pixels), 20), 4000);
  const key = start + end + width;
  const batch = batches.get(key) ?? begin(start, end, width);
  const { queries, askers, shared } = batch;
  const at = queries.push(query) - 1;
  askers.push(abort);
  abort.addEventListener("abort", () => askers.every((one) => one.aborted) && shared.abort());
  // The API takes so many, and an address must not be endless.
  if (queries.length < 24 && queries.join().length < 4000) batches.set(key, batch);
  else batches.delete(key);
  const answer = await batch.answer;
  const found = answer.queries[at]!;
  if (found.error) throw new ApiError(422, found.error);
  return { times: answer.times, lines: found.lines, omitted: found.omitted, unit: found.unit ?? "" };
}

/** The names by which the lines differ from each other, as `pool=main worker=0`. */
export function nameLines(lines: readonly Line[]): string[] {
  const names = new Set(lines.flatMap((line) => Object.keys(line.labels)).filter((name) => name !== "__name__"));
  const telling = [...names].filter((name) => new Set(lines.map((line) => line.labels[name])).size > 1);
  return lines.map((line) => {
    const chosen = telling.length ? telling : [...names];
    if (!chosen.length) return line.labels.__name__ ?? "";
    // A number alone says nothing: worker=0, but GET /orders.
    return chosen.map((name) => (/^\d*$/.test(line.labels[name] ?? "") ? `${name}=${line.labels[name] ?? ""}` : line.labels[name])).join(" ");
  });
}
