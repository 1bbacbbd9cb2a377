// How things stand, in words: the same as on the page without JavaScript and in the terminal.

import { computed } from "@preact/signals";
import type { Alert, Overview } from "./api";
import { t, tn, worded } from "./i18n";
import { overview } from "./live";

/** Whether people are told of it and nobody has it yet. */
export const isOpen = (alert: Alert): boolean => alert.state === "FIRING" && alert.inhibited_by.length === 0;

const RANK = ["INFO", "WARNING", "CRITICAL", "EMERGENCY"];

export const worstSeverity = (alerts: readonly Alert[]): string =>
  alerts.reduce((worst, alert) => (RANK.indexOf(alert.severity) > RANK.indexOf(worst) ? alert.severity : worst), "INFO");

export const alertCounts = computed(() => {
  const open = (overview.value?.alerts ?? []).filter(isOpen);
  return { n: open.length, tone: open.length ? worstSeverity(open).toLowerCase() : "" };
});

/** The verdict in a sentence. */
export function headline(known: Overview): string {
  const n = known.alerts.length;
  const fires = tn(n, "{n} alert fires|{n} alerts fire");
  const watched = ["database", "redis", "http"].some((name) => known.components[name]?.status);
  switch (known.status) {
    case "HEALTHY":
      return watched ? t("All is well") : t("Nothing but this host is watched yet");
    case "WARNING":
      return n ? `${t("Worth a look")}: ${fires}` : t("Worth a look");
    case "UNKNOWN":
      return t("Not known yet");
    default:
      return n ? `${t("Something is wrong")}: ${fires}` : t("Something is wrong");
  }
}

/** What an alert says in a line. */
export const summary = (alert: Alert): string =>
  worded(alert.annotations.summary || alert.annotations.description || "", "rule") ||
  Object.entries(alert.labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
