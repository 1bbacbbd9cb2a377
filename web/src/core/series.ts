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

/** The lines of `query`, the worst first, with their greatest and smallest values kept whatever the room. Raises ApiError. */
export async function fetchLines(query: string, from: number, to: number, pixels: number, abort: AbortSignal): Promise<Lines> {
  const moment = (at: number): string => new Date(at * 1000).toISOString();
  const width = Math.min(Math.max(Math.round(pixels), 20), 4000);
  const asked = { query: [query], start: moment(from), end: moment(to), width, lines: MOST_LINES };
  const answer = await get("series", { query: asked, signal: abort });
  const found = answer.queries[0]!;
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
