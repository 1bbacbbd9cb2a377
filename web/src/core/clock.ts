// Time as the server has it: a browser's clock may be minutes off, and "fired 3 min ago" must not depend on it.

import { effect, signal } from "@preact/signals";
import { t } from "./i18n";
import { zone } from "./preferences";
import { duration } from "./units";

let ahead = 0;

/** The server's time now, in Unix seconds. */
export const serverNow = (): number => Date.now() / 1000 + ahead;

/** The server said that it is `moment`; what it took to arrive is within the second. */
export function setServerTime(moment: string): void {
  const found = Date.parse(moment) / 1000 - Date.now() / 1000;
  if (Math.abs(found - ahead) > 1.5) ahead = Math.abs(found) < 1.5 ? 0 : found;
}

/** The server's time, each second while somebody looks. */
export const now = signal(serverNow());
export const hidden = signal(document.hidden);

document.addEventListener("visibilitychange", () => (hidden.value = document.hidden));
effect(() => {
  if (hidden.value) return;
  now.value = serverNow();
  const timer = setInterval(() => (now.value = serverNow()), 1000);
  return () => clearInterval(timer);
});

export const seconds = (moment: string): number => Date.parse(moment) / 1000;

/** How long ago; `at` in Unix seconds. */
export function ago(at: number): string {
  const passed = Math.floor(now.value - at);
  if (passed < 0) return passed < -1 ? t("in {duration}", { duration: duration(-passed) }) : t("now");
  return passed < 1 ? t("now") : t("{duration} ago", { duration: duration(passed) });
}

const two = (n: number): string => String(n).padStart(2, "0");

/** A moment as date and time, local or UTC as is wanted. */
export function dated(at: number, withZone = true): string {
  const utc = zone.value === "utc";
  const d = new Date(at * 1000 - (utc ? 0 : new Date(at * 1000).getTimezoneOffset() * 60000));
  const day = `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
  const time = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
  return `${day} ${time}${withZone ? ` ${zoneName(at)}` : ""}`;
}

/** A moment of today as its time, any other with its day. */
export function timed(at: number): string {
  const said = dated(at, false);
  return said.slice(0, 10) === dated(now.value, false).slice(0, 10) ? said.slice(11) : said;
}

function zoneName(at: number): string {
  if (zone.value === "utc") return "UTC";
  const minutes = -new Date(at * 1000).getTimezoneOffset();
  const sign = minutes < 0 ? "−" : "+";
  return `UTC${minutes === 0 ? "" : `${sign}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`}`;
}
