// What charts draw: an expression over a range of time, at as many points as there is room for.

import { queryRange, type Labels } from "./api";

export interface Line {
  labels: Labels;
  /** One for each of the times; null: nothing is known. */
  values: (number | null)[];
}

export interface Lines {
  times: number[];
  lines: Line[];
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400];

/** The lines of `query`. `points`: how many there is room for. Raises ApiError. */
export async function fetchLines(query: string, from: number, to: number, points: number, abort?: AbortSignal): Promise<Lines> {
  const room = (to - from) / Math.max(points, 10);
  const step = STEPS.find((one) => one >= room) ?? Math.ceil(room);
  // On a grid that stays where it is while the range moves: else lines would seem to shiver.
  const start = Math.ceil(from / step) * step;
  const end = Math.floor(to / step) * step;
  const found = await queryRange(query, start, end, step, abort);
  const times = Array.from({ length: Math.round((end - start) / step) + 1 }, (_, at) => start + at * step);
  const lines = found.map(({ metric, values }) => {
    const line: (number | null)[] = new Array(times.length).fill(null);
    for (const [at, value] of values) {
      const number = Number(value);
      line[Math.round((at - start) / step)] = Number.isFinite(number) ? number : null;
    }
    return { labels: metric, values: line };
  });
  return { times, lines };
}

/** How bad a line is: its greatest value. The worst is drawn first, and none is averaged away. */
export const worst = (line: Line): number =>
  line.values.reduce<number>((most, value) => (value !== null && value > most ? value : most), -Infinity);

/** The newest value that is known. */
export function latest(line: Line): number | null {
  for (let at = line.values.length - 1; at >= 0; at--) if (line.values[at] !== null) return line.values[at]!;
  return null;
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
