// Within a second: is all well, what is wrong, since when, why, and what one can do.

import { AlertRow, alertLink } from "../components/alert-row";
import { Badge } from "../components/badge";
import { Chart } from "../components/chart";
import { Empty, Fault, Loading, Section } from "../components/layout";
import { Reasons } from "../components/reasons";
import { RangePicker } from "../components/range-picker";
import { Shape, tone } from "../components/shape";
import { Spark } from "../components/spark";
import { Told } from "../components/text";
import { Ago } from "../components/time";
import { get, type Overview, type SparklineData } from "../core/api";
import { seconds, serverNow } from "../core/clock";
import { t, tn, worded } from "../core/i18n";
import { happened, overview, trouble } from "../core/live";
import { link } from "../core/location";
import { useResource } from "../core/resource";
import { headline, isOpen } from "../core/standing";
import { figure, type Unit } from "../core/units";

const MOST_ALERTS = 12;

export default function OverviewPage() {
  const known = overview.value;
  if (!known) return trouble.value ? <Fault error={trouble.value} /> : <Loading />;
  return (
    <>
      <Verdict known={known} />
      <Components known={known} />
      <Firing known={known} />
      <Course known={known} />
      <Changes />
    </>
  );
}

function Verdict({ known }: { known: Overview }) {
  const kind = tone(known.status);
  const things = [
    known.pools.length && tn(known.pools.length, "{n} pool|{n} pools"),
    known.servers.length && tn(known.servers.length, "{n} Redis server|{n} Redis servers"),
    known.components.http?.status && "HTTP",
    t("this host"),
  ].filter(Boolean);
  return (
    <section class={`verdict ${kind}`} aria-label={t("Verdict")}>
      <Shape kind={kind} />
      <div>
        <h1>{headline(known)}</h1>
        <p class="dim">{t("Watching {things}.", { things: things.join(", ") })}</p>
        <Reasons of={known.reasons} />
      </div>
    </section>
  );
}

// -- components ------------------------------------------------------------------------------------------------------

const NAMES: Record<string, string> = { database: "Database", redis: "Redis", http: "HTTP", host: "Host", dozor: "Dozor" };
const PAGE_OF: Record<string, string> = { database: "pools", redis: "redis", http: "http", host: "host", dozor: "settings" };

function Components({ known }: { known: Overview }) {
  return (
    <ul class="components" aria-label={t("Components")}>
      {Object.entries(known.components).map(([name, component]) => {
        const [value, words, line] = keyFigure(known, name);
        const title = t(NAMES[name] ?? name);
        return (
          <li key={name} class={`component card ${tone(component.status)}`}>
            <h2>
              <a href={link(PAGE_OF[name] ?? name)}>{title}</a>
            </h2>
            <Badge of={component.status} />
            {value && (
              <p class="figure">
                <b>{value}</b> <span class="dim">{words}</span>
              </p>
            )}
            {component.status !== "HEALTHY" && component.reasons[0] && (
              <p class="cause dim">
                <Told>{worded(component.reasons[0])}</Told>
              </p>
            )}
            <Spark of={line} />
          </li>
        );
      })}
    </ul>
  );
}

/** What a component's card says, and the course it shows: of several, the one that is worst now. */
function keyFigure(known: Overview, name: string): [string, string, (SparklineData | undefined)?] {
  const lines = (key: string): SparklineData | undefined =>
    [...(known.sparklines[key] ?? [])].sort((a, b) => last(b) - last(a))[0];
  const sum = (targets: object[], metric: string): number | null => {
    const found = targets.map((one) => (one as Record<string, unknown>)[metric]).filter((value) => typeof value === "number");
    return found.length ? found.reduce((all, value) => all + (value as number), 0) : null;
  };
  switch (name) {
    case "database": {
      const used = sum(known.pools, "db_pool_checked_out");
      return used === null ? ["", ""] : [figure(used), t("connections in use"), lines("pool_utilization")];
    }
    case "redis": {
      const operations = sum(known.servers, "redis_operations_per_second");
      return operations === null ? ["", ""] : [figure(operations), t("operations/s"), lines("redis_operations")];
    }
    case "http":
      return known.http.requests_per_second === undefined
        ? ["", ""]
        : [figure(known.http.requests_per_second), t("requests/s"), lines("http_requests")];
    case "host":
      return known.host.host_cpu_utilization === undefined
        ? ["", ""]
        : [figure(known.host.host_cpu_utilization, "percent"), t("CPU"), lines("host_cpu")];
    case "dozor":
      return known.started_at
        ? [figure(serverNow() - seconds(known.started_at), "seconds"), t("on watch"), lines("event_loop_lag")]
        : ["", ""];
    default:
      return ["", ""];
  }
}

const last = (line: SparklineData): number => line.points.findLast(([, value]) => value !== null)?.[1] ?? -1;

// -- alerts ----------------------------------------------------------------------------------------------------------

function Firing({ known }: { known: Overview }) {
  const open = known.alerts.filter(isOpen);
  const quiet = known.alerts.length - open.length;
  const nobody = !known.receivers.some((name) => name !== "log");
  const shown = open.slice(0, MOST_ALERTS);
  return (
    <Section
      title={t("Firing now")}
      aside={quiet > 0 && <a href={link("alerts", { tab: "acknowledged" })}>{tn(quiet, "{n} more is taken care of|{n} more are taken care of")}</a>}
    >
      {shown.length ? (
        <ul class="alerts">
          {shown.map((alert) => (
            <AlertRow key={alert.id} alert={alert} />
          ))}
        </ul>
      ) : (
        <Empty good title={quiet ? t("Nothing fires that nobody has.") : t("Nothing fires.")} />
      )}
      {open.length > MOST_ALERTS && (
        <p>
          <a href={link("alerts")}>{t("All {n} alerts", { n: open.length })}</a>
        </p>
      )}
      {nobody && (
        <p class="hint dim">
          {t("Nobody is told of alerts but the log. Set DOZOR_WEBHOOK_URL, or pass notifiers= to Dozor.")}
        </p>
      )}
    </Section>
  );
}

// -- the course of things --------------------------------------------------------------------------------------------

const CHARTS: { component: string; title: string; query: string; unit: Unit }[] = [
  { component: "database", title: "Connections used, by pool", query: "max by (pool, worker) (db_pool_utilization)", unit: "percent" },
  { component: "http", title: "Requests a second, by route", query: "sum by (method, route) (rate(http_requests_total[1m]))", unit: "" },
  {
    component: "http",
    title: "p95 of requests, by route",
    query: "histogram_quantile(0.95, sum by (method, route, le) (rate(http_request_duration_seconds_bucket[2m])))",
    unit: "seconds",
  },
  { component: "redis", title: "Redis operations a second", query: "redis_operations_per_second", unit: "" },
  { component: "host", title: "CPU of this host", query: "host_cpu_utilization", unit: "percent" },
  { component: "dozor", title: "Event loop lag", query: "max by (worker) (event_loop_lag_seconds)", unit: "seconds" },
];

function Course({ known }: { known: Overview }) {
  const watched = CHARTS.filter((chart) => known.components[chart.component]?.status);
  return (
    <Section title={t("The course of things")} aside={<RangePicker />}>
      <div class="charts">
        {watched.map((chart) => (
          <Chart key={chart.title} title={t(chart.title)} query={chart.query} unit={chart.unit} />
        ))}
      </div>
    </Section>
  );
}

// -- what changed ----------------------------------------------------------------------------------------------------

function Changes() {
  const { data, error } = useResource((signal) => get("dashboard/changes", { signal }), [happened.value], 60);
  const changes = data.value?.changes ?? [];
  return (
    <Section title={t("What changed in the last hour")} aside={<a href={link("alerts", { tab: "history" })}>{t("The whole history")}</a>}>
      <Fault error={error.value} />
      {changes.length ? (
        <ol class="timeline card">
          {changes.slice(0, MOST_CHANGES).map((change) => (
            <li key={change.at + change.kind + change.subject}>
              <Ago at={change.at} />
              <div class="change">
                <Shape kind={shapeOf(change)} />
                <span>
                  {change.kind.startsWith("alert_") ? (
                    <a href={alertLink({ id: change.subject })}>
                      <Told most={400}>{worded(change.text)}</Told>
                    </a>
                  ) : (
                    <Told most={400}>{worded(change.text)}</Told>
                  )}
                  {change.comment && !change.text.includes(change.comment) && (
                    <small class="block">
                      <Told>{change.comment}</Told>
                    </small>
                  )}
                </span>
              </div>
            </li>
          ))}
        </ol>
      ) : (
        data.value && <Empty good title={t("Nothing changed in the last hour.")} />
      )}
      {changes.length > MOST_CHANGES && <p class="dim">{t("and {n} more", { n: data.value!.total - MOST_CHANGES })}</p>}
    </Section>
  );
}

const MOST_CHANGES = 15;

function shapeOf({ kind, severity }: { kind: string; severity: string | null }): string {
  if (/resolved|recovered|up$/.test(kind)) return "healthy";
  return /fired|escalated/.test(kind) ? tone(severity) : "info";
}
