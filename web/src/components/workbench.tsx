// A rule that is not in force yet: looked over while it is written, and tried on what has been.

import { useEffect, useState } from "preact/hooks";
import { ApiError, post } from "../core/api";
import { t, tn, worded } from "../core/i18n";
import { useResource } from "../core/resource";
import { duration, figure } from "../core/units";
import { Badge } from "./badge";
import { num, text as textColumn } from "./columns";
import { Section } from "./layout";
import { Table } from "./table";
import { LabelList, Told } from "./text";
import { Moment } from "./time";

const FIRST = `groups:
- name: mine
  rules:
  - alert: PoolHalfFull
    expr: db_pool_utilization > 50
    for: 1m
    labels: {severity: warning}
    annotations: {summary: "Pool {{ $labels.pool }} is half full"}
`;
const SPANS = ["15m", "1h", "6h", "1d"];

const play = (text: string, since: string) => post("alerts/rules/backtest", { body: { text, since } });
type Played = Awaited<ReturnType<typeof play>>;

export function Workbench({ close }: { close: () => void }) {
  const [text, setText] = useState(FIRST);
  const [settled, setSettled] = useState(FIRST);
  const [since, setSince] = useState("1h");
  const [played, setPlayed] = useState<Played | null>(null);
  const [fault, setFault] = useState("");
  useEffect(() => {
    setPlayed(null); // what was said of another text
    setFault("");
    const timer = setTimeout(() => setSettled(text), 500);
    return () => clearTimeout(timer);
  }, [text]);
  const { data } = useResource(async (signal) => (settled ? post("alerts/rules/check", { body: { text: settled }, signal }) : null), [settled]);
  const run = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    try {
      setPlayed(await play(text, since));
      setFault("");
    } catch (error) {
      setPlayed(null);
      setFault(error instanceof ApiError ? error.message : String(error));
    }
  };
  return (
    <Section title={t("Try a rule")} aside={<button onClick={close}>{t("Close")}</button>}>
      <p class="lead dim">{t("Nothing is put in force here: what is good goes into a rule file.")}</p>
      <form class="form" onSubmit={(event) => void run(event)}>
        <label>
          {t("A rule file, as Prometheus has it")}
          <textarea class="code" rows={10} spellcheck={false} value={text} required maxLength={60000} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <ul class="plain" role="status">
          {data.value?.findings.slice(0, 20).map((one) => (
            <li key={`${one.line} ${one.message}`}>
              <Badge of={one.level === "error" ? "CRITICAL" : "WARNING"} /> {one.line !== null && <span class="dim">{t("line {n}", { n: one.line })}</span>}{" "}
              <Told most={500}>{worded(one.message)}</Told>
            </li>
          ))}
          {data.value?.findings.length === 0 && <li>{tn(data.value.rules, "{n} rule, nothing to complain of|{n} rules, nothing to complain of")}</li>}
        </ul>
        <div class="actions">
          <button class="first">{t("What would it have done?")}</button>
          <label class="choose">
            {t("In the last")}{" "}
            <select value={since} onChange={(event) => setSince(event.currentTarget.value)}>
              {SPANS.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        </div>
        {fault && (
          <p role="alert" class="status critical">
            <bdi>{fault}</bdi>
          </p>
        )}
      </form>
      {played && <Outcome of={played} />}
    </Section>
  );
}

const Outcome = ({ of }: { of: Played }) => (
  <div role="status">
    <Table
      caption={t("What would it have done?")}
      rows={of.rules}
      id={(one) => one.rule + one.expr}
      columns={[
        textColumn("Rule", "rule"),
        num("Would have fired", "fired"),
        num("For", "firing_seconds", "seconds"),
        num("False starts", "false_starts"),
        num("Messages", "messages"),
        {
          title: t("When"),
          cell: (one) => (
            <ul class="plain">
              {one.alerts.slice(-5).map((alert) => (
                <li key={alert.fired_at}>
                  <Moment at={alert.fired_at} />{" "}
                  {alert.resolved_at ? duration((Date.parse(alert.resolved_at) - Date.parse(alert.fired_at)) / 1000) : t("still")} <b>{figure(alert.value)}</b>
                  <LabelList labels={alert.labels} most={4} />
                </li>
              ))}
            </ul>
          ),
          kind: "wide",
        },
      ]}
    />
  </div>
);
