// Notifications of the browser, where somebody wants them: one for each alert that begins to fire while nobody looks.

import { effect } from "@preact/signals";
import { hidden } from "./clock";
import { t } from "./i18n";
import { summary } from "./standing";
import { overview } from "./live";
import { go } from "./location";
import { told } from "./preferences";

let known: Set<string> | null = null;

/** Ask the browser to allow them. */
export async function wantNotices(wanted: boolean): Promise<void> {
  const allowed = wanted && "Notification" in window && (await Notification.requestPermission()) === "granted";
  told.value = allowed ? "yes" : "no";
}

export function watchForNotices(): void {
  effect(() => {
    const firing = (overview.value?.alerts ?? []).filter((alert) => alert.state === "FIRING" && !alert.inhibited_by.length);
    if (overview.value === null) return;
    const fresh = known ? firing.filter((alert) => !known!.has(alert.id)) : [];
    known = new Set(firing.map((alert) => alert.id));
    if (told.value !== "yes" || !hidden.peek()) return;
    for (const alert of fresh.slice(0, 3)) {
      const notice = new Notification(`${t(alert.severity)}: ${alert.rule}`, {
        body: summary(alert).slice(0, 200),
        tag: alert.id,
      });
      notice.onclick = () => {
        focus();
        go(`alerts/${encodeURIComponent(alert.id)}`);
      };
    }
  });
}
