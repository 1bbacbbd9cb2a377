// The range of time that charts show: the last so many minutes, moving along, or from one moment to another.

import { computed } from "@preact/signals";
import { now } from "./clock";
import { ask, place } from "./location";
import { parseDuration } from "./words";

export const SPANS = ["15m", "1h", "3h", "6h", "12h", "1d", "2d", "7d"] as const;
const STANDARD = "15m";

export interface TimeRange {
  from: number;
  to: number;
  /** Whether it moves along with the time. */
  live: boolean;
  /** What stands in the address: 1h. */
  span: string;
}

const fixed = computed(() => {
  const from = Number(place.value.query.get("from"));
  const to = Number(place.value.query.get("to"));
  return from > 0 && to > from ? { from, to } : null;
});

const span = computed(() => {
  const said = place.value.query.get("range") ?? STANDARD;
  const seconds = parseDuration(said);
  return seconds && seconds <= 366 * 86400 ? { said, seconds } : { said: STANDARD, seconds: 900 };
});

/** How often charts of a moving range are drawn anew, in seconds: about each pixel or two, and not more than need be. */
export const cadence = computed(() => Math.min(Math.max(span.value.seconds / 450, 5), 120));

const beat = computed(() => (fixed.value ? 0 : Math.floor(now.value / cadence.value) * cadence.value));

export const range = computed<TimeRange>(() => {
  if (fixed.value) return { ...fixed.value, live: false, span: "" };
  const to = beat.value;
  return { from: to - span.value.seconds, to, live: true, span: span.value.said };
});

/** Show the last `said`, moving along. */
export const setSpan = (said: string): void => ask({ range: said === STANDARD ? null : said, from: null, to: null });

/** Show from one moment to another, in Unix seconds. */
export const setRange = (from: number, to: number): void =>
  ask({ from: from.toFixed(0), to: Math.max(to, from + 5).toFixed(0), range: null });
