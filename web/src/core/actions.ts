// What people do about alerts, one or many, and how it is taken back.

import { del, post, type Alert } from "./api";
import { t, tn } from "./i18n";
import { refresh } from "./live";
import { person } from "./preferences";
import { complain, say, unsay } from "./toasts";

export interface Remark {
  by?: string;
  comment?: string;
}

const who = (remark: Remark = {}): Remark => {
  const by = remark.by || person.value;
  return { ...(by ? { by } : {}), ...(remark.comment ? { comment: remark.comment } : {}) };
};

const named = (alerts: readonly Alert[]): string =>
  alerts.length === 1 ? alerts[0]!.rule : tn(alerts.length, "{n} alert|{n} alerts");

/** Do `one` to each alert that allows it; say so, with a way back. */
async function each(
  alerts: readonly Alert[],
  done: (named: string) => string,
  one: (alert: Alert) => Promise<{ durable?: boolean }>,
  back?: (alert: Alert) => Promise<unknown>,
): Promise<void> {
  const found = await Promise.allSettled(alerts.map(one));
  const good = alerts.filter((_, at) => found[at]!.status === "fulfilled");
  const bad = found.find((answer) => answer.status === "rejected");
  const unsaved = found.some((answer) => answer.status === "fulfilled" && answer.value.durable === false);
  refresh();
  if (good.length) {
    const later = unsaved ? ` ${t("For now it is kept in memory only.")}` : "";
    const undo = back && (() => void Promise.all(good.map(back)).then(() => say(t("Taken back.")), complain).finally(refresh));
    say(done(named(good)) + later, undo ? { undo } : {});
  }
  if (bad?.status === "rejected") complain(bad.reason);
}

export const acknowledge = (alerts: readonly Alert[], remark?: Remark): Promise<void> =>
  each(
    alerts.filter((alert) => alert.state !== "PENDING" && alert.state !== "RESOLVED"),
    (name) => t("Acknowledged: {name}. It is yours until it resolves.", { name }),
    (alert) => post("alerts/{alert_id}/acknowledge", { path: { alert_id: alert.id }, body: who(remark) }),
    (alert) => del("alerts/{alert_id}/acknowledge", { path: { alert_id: alert.id } }),
  );

/** `span`: a duration such as 1h, or "until_resolved". */
export const silence = (alerts: readonly Alert[], span: string, remark?: Remark): Promise<void> =>
  each(
    alerts.filter((alert) => alert.state !== "RESOLVED"),
    (name) => t("Silenced: {name}. Nobody is told for now.", { name }),
    (alert) =>
      post("alerts/{alert_id}/silence", {
        path: { alert_id: alert.id },
        body: { ...(span === "until_resolved" ? { until_resolved: true } : { duration: span }), ...who(remark) },
      }),
    (alert) => del("silences/{silence_id}", { path: { silence_id: `alert-${alert.id}` } }),
  );

const RESOLVE_AFTER_MS = 6000;

/** To close an alert cannot be taken back, so it waits for some seconds, and can be stopped until then. */
export function resolve(alerts: readonly Alert[], remark?: Remark): void {
  const those = alerts.filter((alert) => alert.state !== "PENDING" && alert.state !== "RESOLVED");
  if (!those.length) return;
  const body = who(remark);
  let open = true;
  const end = (keepalive = false): Promise<void> | undefined => {
    if (!open) return undefined;
    open = false;
    removeEventListener("pagehide", leave);
    return each(
      those,
      (name) => t("Resolved by hand: {name}.", { name }),
      (alert) => post("alerts/{alert_id}/resolve", { path: { alert_id: alert.id }, body, keepalive }),
    );
  };
  const leave = (): void => void end(true);
  addEventListener("pagehide", leave);
  const timer = setTimeout(() => {
    unsay(toast);
    void end();
  }, RESOLVE_AFTER_MS);
  const toast = say(t("Resolving {name} …", { name: named(those) }), {
    seconds: RESOLVE_AFTER_MS / 1000,
    undo: () => {
      open = false;
      clearTimeout(timer);
      removeEventListener("pagehide", leave);
    },
  });
}

/** Write a note beside an alert. */
export const note = (id: string, text: string): Promise<unknown> =>
  post("alerts/{alert_id}/notes", { path: { alert_id: id }, body: { text, ...(person.value ? { by: person.value } : {}) } });
