// Any question in PromQL: with the names of what there is, the lines, and the figures as they stand.

import { useEffect, useState } from "preact/hooks";
import { Chart } from "../components/chart";
import { Empty, Fault, Section } from "../components/layout";
import { PromqlInput } from "../components/promql-input";
import { RangePicker } from "../components/range-picker";
import { Table, type Column } from "../components/table";
import { LabelList } from "../components/text";
import { query, type Instant } from "../core/promql";
import { t, tn } from "../core/i18n";
import { ask, asked } from "../core/location";
import { useResource } from "../core/resource";
import { copy, curl } from "../core/take-away";
import { figure, unitOf } from "../core/units";

const IDEAS: [string, string][] = [
  ["How full are the pools?", "db_pool_utilization"],
  ["Which route is slow?", "histogram_quantile(0.95, sum by (route, le) (rate(http_request_duration_seconds_bucket[5m])))"],
  ["Which requests fail?", 'sum by (route, status) (rate(http_requests_total{status=~"5.."}[5m]))'],
  ["What waits for a connection?", "db_pool_waiting"],
  ["How often does the cache help?", "redis_hit_rate"],
  ["What fires?", "ALERTS"],
];

export default function ExplorePage() {
  const said = asked("query");
  const [text, setText] = useState(said);
  useEffect(() => setText(said), [said]);
  const run = (wanted: string): void => ask({ query: wanted.trim() || null });
  return (
    <>
      <header class="page-head">
        <h1>{t("Explore")}</h1>
        <RangePicker />
      </header>
      <form
        class="explore"
        onSubmit={(event) => {
          event.preventDefault();
          run(text);
        }}
      >
        <PromqlInput value={text} change={setText} run={run} />
        <button class="first">{t("Ask")}</button>
      </form>
      {said ? (
        <Answer key={said} of={said} />
      ) : (
        <Empty title={t("Ask anything of the figures that Dozor keeps, in PromQL.")}>
          <ul class="ideas">
            {IDEAS.map(([words, expression]) => (
              <li key={expression}>
                <button class="text" onClick={() => run(expression)}>
                  {t(words)}
                </button>{" "}
                <code class="dim">{expression}</code>
              </li>
            ))}
          </ul>
        </Empty>
      )}
    </>
  );
}

function Answer({ of }: { of: string }) {
  const { data, error, reload } = useResource((signal) => query(of, signal), [of], 5);
  const unit = unitOf(of);
  const columns: Column<Instant>[] = [
    {
      title: t("Series"),
      value: (one) => JSON.stringify(one.metric),
      cell: (one) => (
        <>
          {one.metric.__name__ && <code>{one.metric.__name__}</code>}
          <LabelList labels={Object.fromEntries(Object.entries(one.metric).filter(([name]) => name !== "__name__"))} most={12} all />
        </>
      ),
      kind: "wide",
    },
    { title: t("Value"), value: (one) => one.value, cell: (one) => <b>{figure(one.value, unit)}</b>, kind: "num" },
  ];
  if (error.value) return <Fault error={error.value} retry={reload} />;
  const found = data.value;
  return (
    <>
      {found?.warnings.map((warning) => (
        <p key={warning} class="status warning" role="status">
          <bdi>{warning}</bdi>
        </p>
      ))}
      <Section title={t("The course of things")}>
        <Chart title={of} query={of} unit={unit} height={280} most={20} />
      </Section>
      {found && (
        <Section
          title={found.text === null ? tn(found.series.length, "Now: {n} series|Now: {n} series") : t("Now")}
          aside={
            <button class="text" onClick={() => void copy(curl("prometheus/api/v1/query", { query: of }), "curl")}>
              {t("Copy as curl")}
            </button>
          }
        >
          {found.text !== null ? (
            <p>
              <code>{found.text}</code>
            </p>
          ) : found.series.length ? (
            <Table caption={t("Series")} columns={columns} rows={found.series} id={(one) => JSON.stringify(one.metric)} file="query" />
          ) : (
            <Empty title={t("The answer is empty: no series is like that now.")} />
          )}
        </Section>
      )}
    </>
  );
}
