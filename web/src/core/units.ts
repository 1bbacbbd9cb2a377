// How figures are put for people, as the rest of Dozor puts them: 1.2 GiB, 87.5 %, 350 ms, 2 h 5 min.

import { t } from "./i18n";

export type Unit = "" | "percent" | "seconds" | "bytes" | "connections" | "callers" | "ms" | (string & {});

const SIZES: [number, string][] = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** Seconds in at most two units. */
export function duration(seconds: number): string {
  if (seconds < 0) return `0 ${t("s")}`;
  if (seconds < 0.9995) return `${round(seconds * 1000)} ${t("ms")}`;
  if (seconds < 10) return `${round(seconds)} ${t("s")}`;
  const whole = Math.round(seconds);
  for (let at = 0; at < SIZES.length - 1; at++) {
    const [size, name] = SIZES[at]!;
    const [smaller, smallerName] = SIZES[at + 1]!;
    if (whole < size) continue;
    const count = Math.floor(whole / size);
    const minor = Math.floor((whole % size) / smaller);
    const shown = minor > 0 && (name !== "min" || count < 10);
    return shown ? `${count} ${t(name)} ${minor} ${t(smallerName)}` : `${count} ${t(name)}`;
  }
  return `${whole} ${t("s")}`;
}

/** A figure with its unit; what is unknown is a question mark, never 0. */
export function figure(value: number | null | undefined, unit: Unit = ""): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "?";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  switch (unit) {
    case "bytes":
      return bytes(value);
    case "seconds":
      return value < 0 ? `−${duration(-value)}` : duration(value);
    case "ms":
      return duration(value / 1000);
    case "percent":
      return `${round(value)} %`;
    default:
      return round(value);
  }
}

function bytes(value: number): string {
  const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let at = 0;
  while (Math.abs(value) >= 1024 && at < names.length - 1) {
    value /= 1024;
    at++;
  }
  return `${round(value)} ${names[at]}`;
}

function round(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 1000) return Math.round(value).toLocaleString("en");
  if (size < 0.01) return value.toPrecision(2).replace(/\.?0+$|\.?0+(?=e)/, "");
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)));
}

/** The unit in which a metric of this name is counted, by the ending that Prometheus' conventions give it. */
export function unitOf(expression: string): Unit {
  const name = expression.match(/[a-zA-Z_:][\w:]*_(seconds|bytes|utilization|hit_rate|usage|limit|peak|lag)\w*/)?.[0] ?? "";
  if (/_seconds(_sum|_bucket)?$/.test(name) || /_lag_seconds/.test(name)) return "seconds";
  if (/_bytes|redis_memory_(usage|limit|peak)/.test(name)) return "bytes";
  if (/_utilization|hit_rate/.test(name)) return "percent";
  return "";
}
