// HTTP: what each route costs and where its time goes, what is being answered now, what was answered late.

import { Badge, Tag } from "../components/badge";
import { Chart } from "../components/chart";
import { Choose } from "../components/choose";
import { num, text, when } from "../components/columns";
import { Empty, Fault, Loading, Section } from "../components/layout";
import { HeatMap } from "../components/heat-map";
import { Listing } from "../components/listing";
import { RangePicker } from "../components/range-picker";
import { Reasons } from "../components/reasons";
import { Table, type Column } from "../components/table";
import { Told } from "../components/text";
import { get } from "../core/api";
import { t, tn } from "../core/i18n";
import { overview } from "../core/live";
import { asked } from "../core/location";
import { useResource } from "../core/resource";
import { figure } from "../core/units";

const routes = (window: string, signal: AbortSignal) => get("http/routes", { query: { window, limit: 200 }, signal });
const inFlight = (signal: AbortSignal) => get("http/in-flight", { query: { limit: 50 }, signal });
const late = (signal: AbortSignal) => get("http/slow-requests", { query: { limit: 50 }, signal });
type Route = Awaited<ReturnType<typeof routes>>["routes"][number];
type Request = Awaited<ReturnType<typeof inFlight>>["requests"][number];
type Late = Awaited<ReturnType<typeof late>>["entries"][number];

const WINDOWS = ["1m", "5m", "15m", "1h"];

export default function HttpPage() {
  const known = overview.value;
  if (!known) return <Loading />;
  const component = known.components.http;
  if (!component?.status)
    return (
      <>
        <h1>HTTP</h1>
        <Empty title={t("No application is watched from inside.")}>
          <p>{t("Requests are counted where Dozor lives in the application:")}</p>
          <pre tabIndex={0}>dozor.install(app)</pre>
        </Empty>
      </>
    );
  return (
    <>
      <header class="page-head">
        <h1>
          HTTP <Badge of={component.status} />
        </h1>
        <RangePicker />
      </header>
      <Reasons of={component.reasons} />
      <Routes />
      <Now />
      <Courses />
      <LateOnes />
    </>
  );
}

const PARTS: [string, string][] = [
  ["database", "database"],
  ["pool_wait", "waiting for a connection"],
  ["redis", "Redis"],
];

/** Where the time went, as a bar and in words. */
function Parts({ of }: { of: Record<string, number> }) {
  const known = PARTS.filter(([name]) => (of[name] ?? 0) > 0);
  if (!known.length) return <span class="dim">{t("its own code")}</span>;
  const whole = Math.max(100, known.reduce((sum, [name]) => sum + of[name]!, 0));
  let from = 0;
  return (
    <div class="parts">
      <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        {known.map(([name]) => {
          const width = (100 * of[name]!) / whole;
          const rect = <rect key={name} class={name} x={from} width={width} height="4" />;
          from += width;
          return rect;
        })}
      </svg>
      <small class="dim">{known.map(([name, words]) => `${t(words)} ${figure(Math.round(of[name]!), "percent")}`).join(", ")}</small>
    </div>
  );
}

const named = (one: { method: string; route: string }) => (
  <>
    <span class="dim">{one.method}</span>{" "}
    <b>
      <Told most={120}>{one.route}</Told>
    </b>
  </>
);

function Routes() {
  const window = WINDOWS.includes(asked("window")) ? asked("window") : "5m";
  const { data, error, reload } = useResource((signal) => routes(window, signal), [window], 5);
  const columns: Column<Route>[] = [
    { title: t("Route"), value: (one) => `${one.method} ${one.route}`, cell: named, kind: "wide" },
    num("Requests/s", "requests_per_second"),
    {
      title: t("Errors/s"),
      value: (one) => one.errors_per_second,
      cell: (one) => (one.errors_per_second > 0 ? <b class="status critical">{figure(one.errors_per_second)}</b> : 0),
      kind: "num",
    },
    num("p50", "p50_seconds", "seconds"),
    num("p95", "p95_seconds", "seconds"),
    num("p99", "p99_seconds", "seconds"),
    { title: t("Where the time goes"), cell: (one) => <Parts of={one.shares} />, kind: "wide" },
    num("Statements each", "statements_per_request"),
    num("At once", "busy"),
  ];
  return (
    <Section
      title={t("Routes")}
      aside={
        <Choose name="window" title={t("In the last")} choices={WINDOWS.map((one) => [one, one])} standard="5m" />
      }
    >
      <Fault error={error.value} retry={reload} />
      {data.value?.routes.length ? (
        <Table caption={t("Routes")} columns={columns} rows={data.value.routes} id={(one) => `${one.method} ${one.route}`} file="routes" />
      ) : (
        data.value && <Empty title={t("No request came in this time.")} />
      )}
    </Section>
  );
}

const statements = <R extends { spent: { statements: number } }>(): Column<R> => ({
  title: t("Statements"),
  value: (one) => one.spent.statements,
  cell: (one) => figure(one.spent.statements),
  kind: "num",
});

const Now = () => (
  <Listing
    title="Being answered now"
    none="No request is under way at this moment."
    ask={inFlight}
    every={2}
    aside={(answer) => <span class="dim">{tn(answer.total, "{n} request|{n} requests")}</span>}
    rows={(answer) => answer.requests.map((one, at) => ({ ...one, at }))}
    id={(one) => String(one.at)}
    columns={(): Column<Request & { at: number }>[] => [
      { title: t("Request"), value: (one) => one.route, cell: named },
      num("For", "age_seconds", "seconds"),
      { title: t("Does"), value: (one) => one.doing, cell: (one) => (one.status ? t("sends its answer, or works on after it") : t(one.doing ?? "its own code")) },
      text("Where", "place", { code: true }),
      statements(),
    ]}
  />
);

function Courses() {
  return (
    <Section title={t("The course of things")}>
      <div class="charts">
        <Chart title={t("Requests a second, by route")} query="sum by (method, route) (rate(http_requests_total[1m]))" />
        <Chart title={t("p95 of requests, by route")} query="histogram_quantile(0.95, sum by (method, route, le) (rate(http_request_duration_seconds_bucket[2m])))" unit="seconds" />
        <Chart title={t("Errors a second, by route")} query={'sum by (method, route) (rate(http_requests_total{status=~"5.."}[1m]))'} />
        <Chart title={t("Being answered")} query="http_requests_in_progress" />
        <HeatMap title={t("How long requests take")} metric="http_request_duration_seconds" only="" />
        <Chart title={t("Answers a second, by status")} query="sum by (status) (rate(http_requests_total[1m]))" />
      </div>
    </Section>
  );
}

const LateOnes = () => (
  <Listing
    title="Answered late"
    none="All requests were answered in time."
    ask={late}
    aside={(answer) => <span class="dim">{t("later than {time}", { time: figure(answer.threshold_ms, "ms") })}</span>}
    rows={(answer) => answer.entries}
    id={(one) => one.at + one.route + one.duration_ms}
    file="slow-requests"
    columns={(): Column<Late>[] => [
      when("When", "at"),
      { title: t("Request"), value: (one) => one.route, cell: named },
      { title: t("Status"), value: (one) => one.status, cell: (one) => <Tag tone={one.status >= 500 ? "warning" : ""}>{one.status}</Tag> },
      num("Took", "duration_ms", "ms"),
      { title: t("Where the time went"), cell: (one) => <Parts of={one.shares} />, kind: "wide" },
      statements(),
    ]}
  />
);
