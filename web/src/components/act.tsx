// The buttons that act on alerts, one or many.

import type { Alert } from "../core/api";
import { acknowledge, resolve, silence } from "../core/actions";
import { t } from "../core/i18n";
import { link } from "../core/location";
import { matcher } from "../core/words";
import { Icon } from "./icon";
import { Menu } from "./menu";

export const SPANS: [string, string][] = [
  ["30m", "30 minutes"],
  ["1h", "1 hour"],
  ["4h", "4 hours"],
  ["1d", "1 day"],
  ["7d", "7 days"],
  ["until_resolved", "until it resolves"],
];

/** The address of the form that silences all that are like `alert`. */
export function likeIt(alert: Alert): string {
  const { component: _, severity: __, ...labels } = alert.labels;
  const wanted = Object.entries({ ...labels, alertname: alert.rule });
  return link("silences", { new: wanted.map(([name, value]) => matcher(name, value)).join(", ") });
}

export function Actions({ of, small }: { of: readonly Alert[]; small?: boolean }) {
  const fired = of.filter((alert) => alert.state !== "PENDING" && alert.state !== "RESOLVED");
  const open = of.filter((alert) => alert.state !== "RESOLVED");
  const free = fired.filter((alert) => !alert.acknowledged);
  if (!open.length) return null;
  const choices = SPANS.map(([span, words]) => ({ text: t(words), run: () => void silence(open, span) }));
  if (of.length === 1)
    choices.push({ text: t("all that are like it …"), run: () => void (location.hash = likeIt(of[0]!)) });
  return (
    <div class={`actions ${small ? "small" : ""}`}>
      {free.length > 0 && (
        <button class="first" onClick={() => void acknowledge(free)}>
          <Icon name="check" />
          {t("Acknowledge")}
        </button>
      )}
      <Menu label={t("Silence")} choices={choices}>
        <Icon name="mute" />
        {t("Silence")}
      </Menu>
      {fired.length > 0 && <button onClick={() => resolve(fired)}>{t("Resolve")}</button>}
    </div>
  );
}
