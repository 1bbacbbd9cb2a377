// Rules: how each stands, when it was last evaluated, and why it fires or does not.

import { alertLink } from "../components/alert-row";
import { Badge, Tag } from "../components/badge";
import { Chart } from "../components/chart";
import { num, when } from "../components/columns";
import { Icon } from "../components/icon";
import { Empty, Facts, Fault, Loading, Section, Tabs } from "../components/layout";
import { RangePicker } from "../components/range-picker";
import { Table, type Column } from "../components/table";
import { LabelList, Told, WebLink } from "../components/text";
import { Ago } from "../components/time";
import { Workbench } from "../components/workbench";
import { get, post, type Rule, type RuleExplanation } from "../core/api";
import { t, tn, worded } from "../core/i18n";
import { ask, asked, link, place } from "../core/location";
import { useResource } from "../core/resource";
import { charted } from "../core/rule";
import { complain, say } from "../core/toasts";
import { duration, figure, unitOf } from "../core/units";
import { capital } from "../core/words";

type Series = RuleExplanation["series"][number];

export default function RulesPage() {
  const name = place.value.path[1];
  return name ? <One name={name} /> : <All />;
}

function All() {
  const { data, error, reload } = useResource((signal) => get("alerts/rules", { query: { limit: 1000 }, signal }), [], 5);
  const rules = data.value?.rules ?? [];
  const tab = asked("tab") || "all";
  const wanted = asked("find").toLowerCase();
  const busy = (rule: Rule): boolean => rule.alerts.length > 0;
  const broken = (rule: Rule): boolean => rule.health !== "ok" && rule.health !== "unknown";
  const shown = rules
    .filter((rule) => tab === "all" || (tab === "busy" ? busy(rule) : broken(rule)))
    .filter((rule) => !wanted || `${rule.rule} ${rule.group} ${rule.expr}`.toLowerCase().includes(wanted));
  return (
    <>
      <header class="page-head">
        <h1>{t("Rules")}</h1>
        <div class="actions">
          <button onClick={() => void reread(reload)}>{t("Read the files again")}</button>
          <button class="first" onClick={() => ask({ try: "1" })}>
            {t("Try a rule")}
          </button>
        </div>
      </header>
      {asked("try") && <Workbench close={() => ask({ try: null })} />}
      <Tabs
        name="tab"
        label={t("Lists of rules")}
        tabs={[
          { id: "all", title: t("All"), count: rules.length },
          { id: "busy", title: t("With alerts"), count: rules.filter(busy).length, tone: "warning" },
          { id: "broken", title: t("Not evaluated"), count: rules.filter(broken).length, tone: "critical" },
        ]}
      />
      <input
        type="search"
        class="filter"
        aria-label={t("Find a rule")}
        placeholder={t("Find by name, group or expression")}
        value={asked("find")}
        onInput={(event) => ask({ find: event.currentTarget.value || null }, true)}
      />
      <Fault error={error.value} retry={reload} />
      {!data.value ? (
        !error.value && <Loading />
      ) : shown.length ? (
        <List of={shown} />
      ) : (
        <Empty good={tab !== "all" && !wanted} title={wanted ? t("No rule is like that.") : t("None.")} />
      )}
    </>
  );
}

async function reread(done: () => void): Promise<void> {
  try {
    const changed = await post("alerts/rules/reload");
    const count = changed.added.length + changed.changed.length + changed.removed.length;
    say(count ? tn(count, "{n} rule is another now.|{n} rules are others now.") : t("The rules are what they were."));
    done();
  } catch (error) {
    complain(error);
  }
}

function List({ of }: { of: Rule[] }) {
  const columns: Column<Rule>[] = [
    {
      title: t("Rule"),
      value: (rule) => rule.rule,
      cell: (rule) => (
        <>
          <a href={link(`rules/${encodeURIComponent(rule.rule)}`)}>
            <Told most={80}>{rule.rule}</Told>
          </a>
          <small class="dim">
            <Told most={80}>{rule.group}</Told>
          </small>
        </>
      ),
    },
    { title: t("State"), value: (rule) => rule.state, cell: (rule) => <Standing of={rule} /> },
    { title: t("Severity"), value: (rule) => rule.severity, cell: (rule) => <Badge of={rule.severity} quiet /> },
    {
      title: t("Fires when"),
      value: (rule) => rule.expr,
      cell: (rule) => (
        <code class="expr">
          <Told most={160}>{rule.expr}</Told>
        </code>
      ),
      kind: "wide",
    },
    {
      title: t("For"),
      value: (rule) => rule.for_seconds,
      cell: (rule) => (rule.for_seconds ? duration(rule.for_seconds) : t("at once")),
      kind: "num",
    },
    when("Evaluated", "last_evaluation"),
    num("Took", "evaluation_seconds", "seconds"),
  ];
  return <Table caption={t("Rules")} columns={columns} rows={of} id={(rule) => `${rule.group}/${rule.rule}/${rule.expr}`} file="rules" most={1000} />;
}

function Standing({ of }: { of: Rule }) {
  if (of.health !== "ok" && of.health !== "unknown")
    return (
      <>
        <Badge of="WARNING" />
        <small>
          <Told most={160}>{of.last_error ?? of.health}</Told>
        </small>
      </>
    );
  const count = of.alerts.length;
  return count ? (
    <a href={link("alerts", { match: `alertname="${of.rule}"`, tab: of.state === "pending" ? "pending" : "" })}>
      <Tag tone="warning">
        {t(capital(of.state))} · {count}
      </Tag>
    </a>
  ) : (
    <span class="dim">{t(capital(of.state))}</span>
  );
}

// -- one rule --------------------------------------------------------------------------------------------------------

function One({ name }: { name: string }) {
  const { data, error, reload } = useResource(
    (signal) => get("alerts/rules/{rule}/explain", { path: { rule: name }, signal }),
    [name],
    5,
  );
  return (
    <>
      <p class="back">
        <a href={link("rules")}>
          <Icon name="left" /> {t("Rules")}
        </a>
      </p>
      <header class="page-head">
        <h1>
          <Told most={200}>{name}</Told>
        </h1>
        <RangePicker />
      </header>
      {error.value?.status === 404 ? (
        <Empty title={t("There is no rule of this name.")} />
      ) : (
        <Fault error={error.value} retry={reload} />
      )}
      {!data.value && !error.value && <Loading />}
      {data.value?.rules.map((rule) => <Explained key={rule.group + rule.expr} rule={rule} />)}
    </>
  );
}

function Explained({ rule }: { rule: RuleExplanation }) {
  const { query, threshold } = charted(rule);
  const { summary, description, runbook_url: runbook } = rule.annotations;
  return (
    <Section title={t("Why it is as it is")}>
      <p class="why">
        <Told most={1000}>{worded(rule.why)}</Told>
      </p>
      {rule.missing.length > 0 && (
        <p class="hint">
          {t("There is no series of:")} <code>{rule.missing.join(", ")}</code>
        </p>
      )}
      <Chart title={rule.threshold ? `${t("What the rule compares")} ${rule.threshold}` : t("What the rule asks")} query={query} unit={unitOf(query)} threshold={threshold} height={220} />
      {rule.series.length > 0 && <SeriesTable rule={rule} />}
      <Facts
        of={[
          [t("Fires when"), <code class="expr">{rule.expr}</code>],
          [t("For"), rule.for_seconds ? duration(rule.for_seconds) : t("at once")],
          [t("Ends when"), rule.resolve ? <code>{rule.resolve}</code> : t("the condition no longer holds")],
          [t("Severity"), <Badge of={rule.severity} quiet />],
          [t("Labels"), Object.keys(rule.labels).length > 0 && <LabelList labels={rule.labels} all />],
          [t("Says"), summary && <Told most={600}>{worded(summary, "rule")}</Told>],
          [t("What to do"), description && <Told most={2000}>{worded(description, "rule")}</Told>],
          [t("Runbook"), runbook && <WebLink to={runbook}>{runbook}</WebLink>],
          [t("Evaluated"), <><Ago at={rule.last_evaluation} /> <span class="dim">{t("took {time}", { time: figure(rule.evaluation_seconds, "seconds") })}</span></>],
          [t("Error"), rule.last_error && <Told most={1000}>{rule.last_error}</Told>],
          [t("File"), rule.file && <code>{rule.file}</code>],
        ]}
      />
    </Section>
  );
}

function SeriesTable({ rule }: { rule: RuleExplanation }) {
  const unit = unitOf(rule.expr);
  const columns: Column<Series>[] = [
    { title: t("Series"), value: (one) => JSON.stringify(one.labels), cell: (one) => LabelList({ labels: one.labels }) ?? t("all together") },
    { title: t("State"), value: (one) => one.state, cell: (one) => (one.alert_id ? <a href={alertLink({ id: one.alert_id })}>{t(capital(one.state))}</a> : t(capital(one.state))) },
    { title: t("Value"), value: (one) => one.value ?? null, cell: (one) => figure(one.value, unit), kind: "num" },
    { title: t("Why"), value: (one) => one.why, cell: (one) => <Told most={400}>{worded(one.why)}</Told>, kind: "wide" },
  ];
  return (
    <>
      <Table caption={t("Series")} columns={columns} rows={rule.series} id={(one) => JSON.stringify(one.labels)} file={rule.rule} />
      {rule.series_total > rule.series.length && (
        <p class="dim hint">{t("The first {most} of {all}.", { most: rule.series.length, all: rule.series_total })}</p>
      )}
    </>
  );
}
