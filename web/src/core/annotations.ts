// What happened while the charts' lines were drawn: alerts that fired, deploys, processes that started.

import { effect, signal, untracked } from "@preact/signals";
import { get } from "./api";
import { hidden, seconds, serverNow } from "./clock";
import { t } from "./i18n";
import { range } from "./range";
import { fetchLines } from "./series";

export interface Span {
  from: number;
  to: number;
  text: string;
  tone: string;
}

export const alertSpans = signal<Span[]>([]);

export interface Mark {
  at: number;
  text: string;
}

/** Deploys and what else somebody has marked, and when watched processes started. */
export const marks = signal<Mark[]>([]);

const EACH_SECONDS = 15;
let running = false;
let askedAt = 0;
let askedFor = "";

/** Keep them known from now on; the first chart asks for it. */
export function annotate(): void {
  if (running) return;
  running = true;
  effect(() => {
    const { from, to, live, span } = range.value;
    if (hidden.value) return;
    const wanted = live ? span : `${from}-${to}`;
    const at = serverNow();
    if (wanted === askedFor && at - askedAt < EACH_SECONDS) return;
    [askedFor, askedAt] = [wanted, at];
    untracked(() => void load(from, to));
  });
}

async function load(from: number, to: number): Promise<void> {
  const moment = (at: number): string => new Date(at * 1000).toISOString();
  // An annotation that is not there is no reason for a chart not to be.
  const [alerts, marked, processes] = await Promise.allSettled([
    get("alerts/history", { query: { since: moment(from), until: moment(to), limit: 200 } }),
    get("annotations", { query: { since: moment(from), until: moment(to), limit: 200 } }),
    fetchLines("max by (worker) (process_start_time_seconds)", from, to, 600, new AbortController().signal),
  ]);
  if (alerts.status === "fulfilled")
    alertSpans.value = alerts.value.alerts.map((alert) => ({
      from: seconds(alert.fired_at ?? alert.active_at),
      to: alert.resolved_at ? seconds(alert.resolved_at) : Infinity,
      text: alert.rule,
      tone: alert.severity.toLowerCase(),
    }));
  const found: Mark[] = [];
  if (marked.status === "fulfilled")
    found.push(...marked.value.annotations.map((one) => ({ at: seconds(one.at), text: one.text })));
  if (processes.status === "fulfilled") {
    const starts = new Set(processes.value.lines.flatMap((line) => line.values.map((at) => Math.round(at ?? 0))));
    found.push(...[...starts].map((at) => ({ at, text: t("a process started") })));
  }
  marks.value = found.filter((one) => one.at > from && one.at < to);
}
