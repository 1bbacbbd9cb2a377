// HTTP: what each route costs and where its time goes, what is being answered now, what was answered late.

import { Badge, Tag } from "../components/badge";
import { Chart } from "../components/chart";
import { Empty, Fault, Loading, Section } from "../components/layout";
import { HeatMap } from "../components/heat-map";
import { RangePicker } from "../components/range-picker";
import { Reasons } from "../components/reasons";
import { Table, type Column } from "../components/table";
import { Told } from "../components/text";
import { Ago } from "../components/time";
import { get } from "../core/api";
import { t, tn } from "../core/i18n";
import { overview } from "../core/live";
import { ask, asked } from "../core/location";
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

const number = <R,>(title: string, of: (row: R) => number | null | undefined, unit = ""): Column<R> => ({
  title,
  value: (row) => of(row) ?? null,
  cell: (row) => figure(of(row), unit),
  kind: "num",
});

function Routes() {
  const window = WINDOWS.includes(asked("window")) ? asked("window") : "5m";
  const { data, error, reload } = useResource((signal) => routes(window, signal), [window], 5);
  const columns: Column<Route>[] = [
    { title: t("Route"), value: (one) => `${one.method} ${one.route}`, cell: named, kind: "wide" },
    number(t("Requests/s"), (one) => one.requests_per_second),
    {
      title: t("Errors/s"),
      value: (one) => one.errors_per_second,
      cell: (one) => (one.errors_per_second > 0 ? <b class="status critical">{figure(one.errors_per_second)}</b> : 0),
      kind: "num",
    },
    number(t("p50"), (one) => one.p50_seconds, "seconds"),
    number(t("p95"), (one) => one.p95_seconds, "seconds"),
    number(t("p99"), (one) => one.p99_seconds, "seconds"),
    { title: t("Where the time goes"), cell: (one) => <Parts of={one.shares} />, kind: "wide" },
    number(t("Statements each"), (one) => one.statements_per_request),
    number(t("At once"), (one) => one.busy),
  ];
  return (
    <Section
      title={t("Routes")}
      aside={
        <label class="choose">
          {t("In the last")}{" "}
          <select value={window} onChange={(event) => ask({ window: event.currentTarget.value === "5m" ? null : event.currentTarget.value })}>
            {WINDOWS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
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

function Now() {
  const { data, error, reload } = useResource(inFlight, [], 2);
  const found = data.value;
  const columns: Column<Request>[] = [
    { title: t("Request"), value: (one) => one.route, cell: named },
    number(t("For"), (one) => one.age_seconds, "seconds"),
    { title: t("Does"), value: (one) => one.doing, cell: (one) => (one.status ? t("sends its answer, or works on after it") : t(one.doing ?? "its own code")) },
    { title: t("Where"), value: (one) => one.place, cell: (one) => (one.place ? <code><Told most={160}>{one.place}</Told></code> : <span class="dim">–</span>), kind: "wide" },
    number(t("Statements"), (one) => one.spent.statements),
  ];
  return (
    <Section title={t("Being answered now")} aside={found && <span class="dim">{tn(found.total, "{n} request|{n} requests")}</span>}>
      <Fault error={error.value} retry={reload} />
      {found?.requests.length ? (
        <Table caption={t("Being answered now")} columns={columns} rows={found.requests} id={(one) => `${one.method}${one.route}${found.requests.indexOf(one)}`} />
      ) : (
        found && <Empty good title={t("No request is under way at this moment.")} />
      )}
    </Section>
  );
}

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

function LateOnes() {
  const { data, error, reload } = useResource(late, [], 5);
  const found = data.value;
  const columns: Column<Late>[] = [
    { title: t("When"), value: (one) => one.at, cell: (one) => <Ago at={one.at} /> },
    { title: t("Request"), value: (one) => one.route, cell: named },
    { title: t("Status"), value: (one) => one.status, cell: (one) => <Tag tone={one.status >= 500 ? "warning" : ""}>{one.status}</Tag> },
    number(t("Took"), (one) => one.duration_ms, "ms"),
    { title: t("Where the time went"), cell: (one) => <Parts of={one.shares} />, kind: "wide" },
    number(t("Statements"), (one) => one.spent.statements),
  ];
  return (
    <Section title={found ? t("Answered later than {time}", { time: figure(found.threshold_ms, "ms") }) : t("Answered late")}>
      <Fault error={error.value} retry={reload} />
      {found?.entries.length ? (
        <Table caption={t("Answered late")} columns={columns} rows={found.entries} id={(one) => one.at + one.route + one.duration_ms} file="slow-requests" />
      ) : (
        found && <Empty good title={t("All requests were answered in time.")} />
      )}
    </Section>
  );
}
