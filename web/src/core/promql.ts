// Prometheus' API, which Dozor has too: what an expression is now, and the names of what there is.

import { send, type Labels } from "./api";

type Pair = [number, string];

export interface Instant {
  metric: Labels;
  value: number;
}

/** What an expression is now. `text`: what it is where it is no series. Raises ApiError. */
export async function query(expression: string, signal?: AbortSignal) {
  const answer = await prometheus<{ data: { resultType: string; result: unknown }; warnings?: string[] }>("query", { query: expression }, signal);
  const { resultType, result } = answer.data;
  const series = resultType === "vector" ? (result as { metric: Labels; value: Pair }[]) : [];
  const last = resultType === "matrix" ? (result as { metric: Labels; values: Pair[] }[]).map((one) => ({ metric: one.metric, value: one.values.at(-1)! })) : series;
  return {
    series: last.map((one): Instant => ({ metric: one.metric, value: Number(one.value[1].replace("Inf", "Infinity")) })),
    text: resultType === "scalar" || resultType === "string" ? (result as Pair)[1] : null,
    warnings: answer.warnings ?? [],
  };
}

/** The expression at each step, from one Unix second to another. Raises ApiError. */
export async function queryRange(query: string, start: number, end: number, step: number, signal: AbortSignal) {
  const asked = { query, start: start.toFixed(3), end: end.toFixed(3), step: String(step) };
  return (await prometheus<{ data: { result: { metric: Labels; values: Pair[] }[] } }>("query_range", asked, signal)).data.result;
}

/** The names of all metrics. Raises ApiError. */
export const metricNames = (signal?: AbortSignal): Promise<string[]> => words("label/__name__/values", {}, signal);

/** The names of the labels that a metric has; of all, where it is empty. Raises ApiError. */
export const labelNames = (metric: string, signal?: AbortSignal): Promise<string[]> => words("labels", metric ? { "match[]": metric } : {}, signal);

/** The values that a label has; those of a metric's series, where that is not empty. Raises ApiError. */
export const labelValues = (label: string, metric: string, signal?: AbortSignal): Promise<string[]> =>
  words(`label/${encodeURIComponent(label)}/values`, metric ? { "match[]": metric } : {}, signal);

const words = async (path: string, asked: Record<string, string>, signal?: AbortSignal): Promise<string[]> =>
  (await prometheus<{ data: string[] }>(path, asked, signal)).data;

function prometheus<T>(path: string, asked: Record<string, string>, signal?: AbortSignal): Promise<T> {
  return send<T>("GET", `prometheus/api/v1/${path}`, { query: asked, ...(signal ? { signal } : {}) } as never);
}
