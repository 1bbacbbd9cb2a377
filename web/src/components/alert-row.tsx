// An alert in a list: what it is, since when, what was done about it, what one can do.

import type { Alert } from "../core/api";
import { seconds } from "../core/clock";
import { ago, now } from "../core/clock";
import { t, tn, worded } from "../core/i18n";
import { link } from "../core/location";
import { isOpen, summary } from "../core/standing";
import { duration } from "../core/units";
import { Actions } from "./act";
import { Badge } from "./badge";
import { tone } from "./shape";
import { LabelList, Told } from "./text";

/** The address of one alert. */
export const alertLink = (alert: { id: string }): string => link(`alerts/${encodeURIComponent(alert.id)}`);

interface Props {
  alert: Alert;
  /** With a box to choose it by. */
  chosen?: boolean;
  choose?: () => void;
  actions?: boolean;
}

export function AlertRow({ alert, chosen, choose, actions = true }: Props) {
  const over = alert.state === "RESOLVED";
  return (
    <li
      class={`alert card ${over ? "over" : tone(alert.severity)} ${isOpen(alert) ? "" : "quiet"} ${chosen ? "chosen" : ""}`}
      data-row={alert.id}
      tabIndex={-1}
    >
      {choose && (
        <input type="checkbox" checked={chosen ?? false} onChange={choose} aria-label={t("Choose {name}", { name: alert.rule })} />
      )}
      <div class="alert-main">
        <p class="line">
          <Badge of={alert.severity} quiet={over} />
          <a class="rule" href={alertLink(alert)}>
            <Told most={200}>{alert.rule}</Told>
          </a>
          <span class="dim">{lasting(alert)}</span>
        </p>
        <p class="summary">
          <Told most={400}>{summary(alert)}</Told>
        </p>
        <Notes of={alert} />
        <LabelList labels={alert.labels} />
      </div>
      {actions && !over && <Actions of={[alert]} small />}
    </li>
  );
}

/** For how long, in words. */
export function lasting(alert: Alert): string {
  const span = (from: string, to: number): string => duration(Math.max(1, Math.floor(to - seconds(from))));
  if (alert.state === "RESOLVED")
    return `${t("fired for {span}", { span: span(alert.fired_at ?? alert.active_at, seconds(alert.resolved_at!)) })}, ${t("ended {ago}", { ago: ago(seconds(alert.resolved_at!)) })}`;
  if (alert.state === "PENDING" || !alert.fired_at) return t("holds for {span}", { span: span(alert.active_at, now.value) });
  return t("firing for {span}", { span: span(alert.fired_at, now.value) });
}

/** What was done about it, and what keeps it quiet. */
export function Notes({ of: alert }: { of: Alert }) {
  const said: preact.ComponentChild[] = [];
  if (alert.acknowledged)
    said.push(
      <>
        {t("Acknowledged")} <By name={alert.acknowledged.by} /> {ago(seconds(alert.acknowledged.at))}
        <Comment text={alert.acknowledged.comment} />
      </>,
    );
  if (alert.silenced)
    said.push(
      <>
        {alert.silenced.until
          ? t("Silenced for another {span}", { span: duration(seconds(alert.silenced.until) - now.value) })
          : t("Silenced until it resolves")}{" "}
        <By name={alert.silenced.by} />
        <Comment text={alert.silenced.comment} />
      </>,
    );
  if (alert.silenced_by.length)
    said.push(<a href={link("silences")}>{tn(alert.silenced_by.length, "{n} silence matches it|{n} silences match it")}</a>);
  if (alert.inhibited_by.length)
    said.push(t("Kept quiet by {rules}, which says the same.", { rules: alert.inhibited_by.join(", ") }));
  if (alert.flapping) said.push(t("Flapping: it fired {n} times lately, so people hear less often of it.", { n: alert.flaps }));
  if (alert.no_data) said.push(t("No data now: the series is gone while what it is about is still watched."));
  if (alert.resolve_reason) said.push(<Told>{worded(alert.resolve_reason)}</Told>);
  if (!said.length) return null;
  return (
    <ul class="notes">
      {said.map((one, at) => (
        <li key={at}>{one}</li>
      ))}
    </ul>
  );
}

export function By({ name }: { name: string | null | undefined }) {
  if (!name) return null;
  return (
    <>
      {t("by")} <Told most={100}>{name}</Told>
    </>
  );
}

function Comment({ text }: { text: string | null | undefined }) {
  if (!text) return null;
  return (
    <>
      : <Told most={500}>{text}</Told>
    </>
  );
}
