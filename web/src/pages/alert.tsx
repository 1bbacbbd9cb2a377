// One alert: what is known, its course, why it fires, what was seen, what happened, and what to do.

import { useState } from "preact/hooks";
import { Actions } from "../components/act";
import { By, lasting, Notes } from "../components/alert-row";
import { Badge, Tag } from "../components/badge";
import { Chart } from "../components/chart";
import { Evidence } from "../components/evidence";
import { Icon } from "../components/icon";
import { Empty, Facts, Fault, Loading, Section } from "../components/layout";
import { RangePicker } from "../components/range-picker";
import { tone } from "../components/shape";
import { LabelList, Told, WebLink } from "../components/text";
import { Ago, Moment } from "../components/time";
import { note } from "../core/actions";
import { get, type AlertDetail, type Labels, type RuleExplanation } from "../core/api";
import { seconds, serverNow } from "../core/clock";
import { t, worded } from "../core/i18n";
import { happened } from "../core/live";
import { link } from "../core/location";
import { range, setRange } from "../core/range";
import { useResource } from "../core/resource";
import { charted } from "../core/rule";
import { summary } from "../core/standing";
import { complain, say } from "../core/toasts";
import { copy, curl } from "../core/take-away";
import { duration, figure, unitOf } from "../core/units";
import { capital } from "../core/words";

export default function AlertPage({ id }: { id: string }) {
  const { data, error, reload } = useResource((signal) => get("alerts/{alert_id}", { path: { alert_id: id }, signal }), [id, happened.value], 5);
  const name = data.value?.rule;
  const explained = useResource(
    async (signal) => (name ? get("alerts/rules/{rule}/explain", { path: { rule: name }, signal }) : null),
    [name],
    10,
  );
  const alert = data.value;
  const rule = explained.data.value?.rules[0];
  if (!alert)
    return error.value ? (
      error.value.status === 404 ? (
        <Empty title={t("There is no alert of this id.")}>
          <p class="dim">{t("It may be older than the history that is kept.")}</p>
          <a href={link("alerts")}>{t("All alerts")}</a>
        </Empty>
      ) : (
        <Fault error={error.value} retry={reload} />
      )
    ) : (
      <Loading />
    );
  return (
    <>
      <p class="back">
        <a href={link("alerts")}>
          <Icon name="left" /> {t("Alerts")}
        </a>
      </p>
      <Head alert={alert} rule={rule} />
      {rule && <Why alert={alert} rule={rule} />}
      <Evidence of={alert.evidence} />
      <Timeline alert={alert} written={reload} />
    </>
  );
}

function Head({ alert, rule }: { alert: AlertDetail; rule: RuleExplanation | undefined }) {
  const over = alert.state === "RESOLVED";
  const { description, runbook_url: runbook } = alert.annotations;
  return (
    <>
      <section class={`alert-head card ${over ? "over" : tone(alert.severity)}`} aria-label={alert.rule}>
        <p class="line">
          <Badge of={alert.severity} />
          <Tag>{t(capital(alert.state))}</Tag>
          <span class="dim">{lasting(alert)}</span>
        </p>
        <h1>
          <Told most={200}>{alert.rule}</Told>
        </h1>
        <p class="summary">
          <Told most={12000}>{summary(alert)}</Told>
        </p>
        {description && alert.annotations.summary && (
          <p class="description">
            <Told most={12000}>{worded(description, "rule")}</Told>
          </p>
        )}
        <Notes of={alert} />
        <p class="line">
          <WebLink to={runbook}>{t("What to do (runbook)")}</WebLink>
        </p>
        <Actions of={[alert]} />
      </section>
      <Facts
        of={[
          [t("Value"), <>{figure(alert.value, unitOf(rule ? charted(rule).query : ""))} {alert.threshold && <span class="dim">{t("fires when {threshold}", { threshold: alert.threshold })}</span>}</>],
          [t("Holds since"), <><Moment at={alert.active_at} /> <span class="dim">(<Ago at={alert.active_at} />)</span></>],
          [t("Fired"), alert.fired_at ? <><Moment at={alert.fired_at} /> <span class="dim">(<Ago at={alert.fired_at} />)</span></> : t("not yet")],
          [t("Ended"), alert.resolved_at && <Moment at={alert.resolved_at} />],
          [t("Labels"), <LabelList labels={alert.labels} most={100} all />],
          [t("Id"), <span class="line"><code>{alert.id}</code><button class="text" onClick={() => void copy(curl(`alerts/${alert.id}`), "curl")}>{t("Copy as curl")}</button></span>],
        ]}
      />
    </>
  );
}

// -- why -------------------------------------------------------------------------------------------------------------

function Why({ alert, rule }: { alert: AlertDetail; rule: RuleExplanation }) {
  const mine = rule.series.find((series) => series.alert_id === alert.id);
  const { query, threshold } = charted(rule);
  const span = { from: seconds(alert.fired_at ?? alert.active_at), to: alert.resolved_at ? seconds(alert.resolved_at) : Infinity, text: alert.rule, tone: alert.severity.toLowerCase() };
  const shown = range.value;
  const hidden = alert.fired_at && (span.from < shown.from || span.from > shown.to);
  const show = (): void => {
    const end = Math.min(span.to, serverNow());
    const around = Math.max((end - span.from) / 4, 60);
    setRange(span.from - around, end + around);
  };
  return (
    <Section title={t("Why")} aside={<div class="choices-line">{hidden && <button class="text" onClick={show}>{t("When it fired")}</button>}<RangePicker /></div>}>
      <p class="why">
        <Told most={600}>{worded(mine?.why ?? rule.why)}</Told>
      </p>
      <Chart
        title={threshold === null ? t("What the rule asks") : `${t("What the rule compares")} ${rule.threshold ?? ""}`}
        query={query}
        unit={unitOf(query)}
        threshold={threshold}
        keep={(labels) => sameThing(labels, alert.labels)}
        spans={alert.fired_at ? [span] : []}
        height={230}
      />
      <Facts
        of={[
          [t("Rule"), <code class="expr">{rule.expr}</code>],
          [t("Fires after"), rule.for_seconds ? duration(rule.for_seconds) : t("at once")],
          [t("Ends when"), rule.resolve ? <code>{rule.resolve}</code> : t("the condition no longer holds")],
          [t("Health"), rule.health === "ok" ? t("evaluated, no error") : <Told>{rule.last_error ?? rule.health}</Told>],
        ]}
      />
    </Section>
  );
}

/** Whether a line is about the same thing: where both have a label, it is the same. */
function sameThing(line: Labels, labels: Labels): boolean {
  return Object.entries(line).every(([name, value]) => name === "__name__" || labels[name] === undefined || labels[name] === value);
}

// -- what happened ---------------------------------------------------------------------------------------------------

function Timeline({ alert, written }: { alert: AlertDetail; written: () => void }) {
  return (
    <Section title={t("What happened")}>
      {alert.timeline ? (
        <ol class="timeline card">
          {[...alert.timeline].reverse().slice(0, 200).map((event, at) => (
            <li key={at}>
              <Ago at={event.at} />
              {event.event === "note" ? (
                <div class="note">
                  <p class="description">
                    <Told most={4000}>{event.comment ?? ""}</Told>
                  </p>
                  <p class="dim small">
                    {t("noted")} <By name={event.by} />
                  </p>
                </div>
              ) : (
                <div>
                  {worded(event.event.charAt(0).toUpperCase() + event.event.slice(1))} <By name={event.by} />
                  {event.comment && (
                    <>
                      : <Told most={500}>{event.by ? event.comment : worded(event.comment)}</Told>
                    </>
                  )}
                </div>
              )}
            </li>
          ))}
        </ol>
      ) : (
        <Empty title={t("Dozor's store does not answer now, and it alone knows.")} />
      )}
      <NoteForm id={alert.id} written={written} />
    </Section>
  );
}

function NoteForm({ id, written }: { id: string; written: () => void }) {
  const [text, setText] = useState("");
  const write = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    try {
      await note(id, text);
      setText("");
      say(t("Written down."));
      written();
    } catch (error) {
      complain(error);
    }
  };
  return (
    <form class="note-form" onSubmit={(event) => void write(event)}>
      <label>
        {t("A note for those who look at this later: what was found, tried, decided.")}
        <textarea value={text} rows={2} maxLength={4000} required onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <button>{t("Write it down")}</button>
    </form>
  );
}
