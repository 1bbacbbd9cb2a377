// Statements: which cost most, which are new or slower than before, who sends them, which a request repeats.

import { Tag } from "../components/badge";
import { Icon } from "../components/icon";
import { Empty, Facts, Fault, Loading, Section, Tabs } from "../components/layout";
import { Plan } from "../components/plan";
import { Table, type Column } from "../components/table";
import { Told } from "../components/text";
import { Ago, Moment } from "../components/time";
import { get } from "../core/api";
import { t, tn } from "../core/i18n";
import { ask, asked, link, place } from "../core/location";
import { useResource } from "../core/resource";
import { copy, curl } from "../core/take-away";
import { figure } from "../core/units";

type Window = "1m" | "5m" | "15m" | "1h" | "since_start";
type Order = "total" | "calls" | "mean" | "p95" | "errors";
type Top = Awaited<ReturnType<typeof top>>;
type Row = Top["queries"][number];
type Detail = Awaited<ReturnType<typeof one>>["pools"][number];
type Repeated = Awaited<ReturnType<typeof repeated>>["queries"][number];
type Slow = Awaited<ReturnType<typeof slow>>["entries"][number];
type Fetch = Awaited<ReturnType<typeof fetches>>["entries"][number];

const top = (window: Window, order: Order, signal: AbortSignal) => get("queries/top", { query: { window, order, limit: 100 }, signal });
const one = (fingerprint: string, signal: AbortSignal) => get("queries/{fingerprint}", { path: { fingerprint }, signal });
const repeated = (signal: AbortSignal) => get("queries/n-plus-one", { query: { limit: 100 }, signal });
const slow = (signal: AbortSignal) => get("pool/slow-queries", { query: { limit: 100 }, signal });
const fetches = (signal: AbortSignal) => get("queries/slow-fetches", { query: { limit: 100 }, signal });

const WINDOWS: [Window, string][] = [
  ["1m", "the last minute"],
  ["5m", "the last 5 minutes"],
  ["15m", "the last 15 minutes"],
  ["1h", "the last hour"],
  ["since_start", "since the start"],
];
const ORDERS: [Order, string][] = [
  ["total", "time in all"],
  ["calls", "calls"],
  ["mean", "mean time"],
  ["p95", "p95"],
  ["errors", "errors"],
];

export default function QueriesPage() {
  const fingerprint = place.value.path[1];
  return fingerprint ? <One key={fingerprint} fingerprint={fingerprint} /> : <All />;
}

function All() {
  const tab = asked("tab") || "top";
  return (
    <>
      <header class="page-head">
        <h1>{t("Queries")}</h1>
      </header>
      <Tabs
        name="tab"
        label={t("Lists of statements")}
        tabs={[
          { id: "top", title: t("What costs most") },
          { id: "repeated", title: t("Repeated in one request (N+1)") },
          { id: "slow", title: t("Slow") },
          { id: "fetch", title: t("Slow to be read") },
        ]}
      />
      {tab === "top" ? <TopList /> : tab === "repeated" ? <RepeatedList /> : tab === "slow" ? <SlowList /> : <FetchList />}
    </>
  );
}

const statement = (row: { statement: string; fingerprint: string }) => (
  <a class="statement" href={link(`queries/${encodeURIComponent(row.fingerprint)}`)}>
    <code>
      <Told most={260}>{row.statement}</Told>
    </code>
  </a>
);

const statementColumn = <R extends { statement: string; fingerprint: string }>(): Column<R> => ({
  title: t("Statement"),
  value: (row) => row.statement,
  cell: statement,
  kind: "wide",
});

const CHANGES: Record<string, [string, string]> = { new: ["new", "warning"], slower: ["slower", "warning"], faster: ["faster", ""], gone: ["gone", ""] };

const changed = (row: { change: string | null }) => {
  const said = row.change && CHANGES[row.change];
  return said ? <Tag tone={said[1]}>{t(said[0])}</Tag> : null;
};

const number = <R,>(title: string, of: (row: R) => number | null | undefined, unit = ""): Column<R> => ({
  title,
  value: (row) => of(row) ?? null,
  cell: (row) => figure(of(row), unit),
  kind: "num",
});

function Choose<V extends string>({ name, title, choices, standard }: { name: string; title: string; choices: [V, string][]; standard: V }) {
  return (
    <label class="choose">
      {title}{" "}
      <select value={asked(name) || standard} onChange={(event) => ask({ [name]: event.currentTarget.value === standard ? null : event.currentTarget.value })}>
        {choices.map(([value, words]) => (
          <option key={value} value={value}>
            {t(words)}
          </option>
        ))}
      </select>
    </label>
  );
}

function TopList() {
  const window = (asked("window") || "5m") as Window;
  const order = (asked("order") || "total") as Order;
  const { data, error, reload } = useResource((signal) => top(window, order, signal), [window, order], 5);
  const found = data.value;
  const columns: Column<Row>[] = [
    statementColumn<Row>(),
    { title: t("Since before"), value: (row) => row.change, cell: changed },
    { title: t("Share"), value: (row) => row.share, cell: (row) => <Share of={row.share} />, kind: "num" },
    number(t("Calls/s"), (row) => row.calls_per_second),
    number(t("Mean"), (row) => row.mean_seconds, "seconds"),
    number(t("p95"), (row) => row.p95_seconds, "seconds"),
    number(t("In all"), (row) => row.total_seconds, "seconds"),
    { title: t("Errors"), value: (row) => row.errors, cell: (row) => (row.errors ? <b class="status critical">{figure(row.errors)}</b> : 0), kind: "num" },
    number(t("Rows/call"), (row) => row.rows_per_call),
    { title: t("Sent by"), value: (row) => row.endpoints[0]?.name ?? row.callers[0]?.name ?? null, cell: (row) => <SentBy of={row} />, kind: "wide" },
  ];
  return (
    <>
      <div class="choices-line">
        <Choose name="window" title={t("In")} choices={WINDOWS} standard="5m" />
        <Choose name="order" title={t("by")} choices={ORDERS} standard="total" />
        {found && (
          <span class="dim">
            {t("{n} statements, {calls} calls a second, {time} in all", {
              n: found.total,
              calls: figure(found.everything.calls_per_second),
              time: figure(found.everything.total_seconds, "seconds"),
            })}
          </span>
        )}
      </div>
      <Fault error={error.value} retry={reload} />
      {!found ? (
        !error.value && <Loading />
      ) : found.queries.length ? (
        <Table caption={t("Statements")} columns={columns} rows={found.queries} id={(row) => `${row.pool}/${row.fingerprint}`} file="queries" />
      ) : (
        <Empty title={t("No statement was sent in this time.")}>
          <p class="dim">{t("Dozor counts what goes through the engines that it was given.")}</p>
        </Empty>
      )}
      {found && found.gone.length > 0 && (
        <Section title={t("Gone: sent before, and not in this time")}>
          <Table caption={t("Gone")} columns={[statementColumn<Row>(), { title: t("Last seen"), value: (row) => row.last_seen, cell: (row) => <Ago at={row.last_seen} /> }]} rows={found.gone} id={(row) => `${row.pool}/${row.fingerprint}`} />
        </Section>
      )}
    </>
  );
}

const Share = ({ of }: { of: number }) => (
  <span class="share">
    {figure(100 * of, "percent")}
    <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect width={Math.min(100 * of, 100)} height="4" />
    </svg>
  </span>
);

function SentBy({ of }: { of: { endpoints: { name: string }[]; callers: { name: string }[] } }) {
  const endpoint = of.endpoints[0]?.name;
  const caller = of.callers[0]?.name;
  if (!endpoint && !caller) return <span class="dim">–</span>;
  return (
    <>
      {endpoint && <Told most={80}>{endpoint}</Told>}
      {of.endpoints.length > 1 && <span class="dim"> +{of.endpoints.length - 1}</span>}
      {caller && (
        <small>
          <code>
            <Told most={120}>{caller}</Told>
          </code>
        </small>
      )}
    </>
  );
}

function RepeatedList() {
  const { data, error, reload } = useResource(repeated, [], 5);
  const columns: Column<Repeated>[] = [
    { title: t("Request"), value: (row) => row.endpoint, cell: (row) => <b><Told most={100}>{row.endpoint}</Told></b> },
    statementColumn<Repeated>(),
    { title: t("Line of code"), value: (row) => row.caller ?? null, cell: (row) => <code><Told most={160}>{row.caller ?? "–"}</Told></code>, kind: "wide" },
    number(t("Times a request"), (row) => row.times_per_request),
    number(t("Most"), (row) => row.most_times),
    number(t("Requests"), (row) => row.requests),
    number(t("Time lost"), (row) => row.lost_seconds, "seconds"),
    { title: t("Last"), value: (row) => row.last_at, cell: (row) => <Ago at={row.last_at} /> },
  ];
  return (
    <>
      <p class="lead dim">{t("The same statement many times in one request: usually a loop that could be one query with a join or an IN.")}</p>
      <Fault error={error.value} retry={reload} />
      {data.value?.queries.length ? (
        <Table caption={t("Repeated in one request (N+1)")} columns={columns} rows={data.value.queries} id={(row) => row.endpoint + row.fingerprint + row.pool + (row.caller ?? "")} file="n-plus-one" />
      ) : (
        data.value && <Empty good title={t("No request repeats a statement.")} />
      )}
    </>
  );
}

function SlowList() {
  const { data, error, reload } = useResource(slow, [], 5);
  const columns: Column<Slow>[] = [
    { title: t("When"), value: (row) => row.at, cell: (row) => <Ago at={row.at} /> },
    { title: t("Took"), value: (row) => row.duration_ms, cell: (row) => <>{figure(row.duration_ms, "ms")} {row.failed && <Tag tone="warning">{row.error ?? t("failed")}</Tag>}</>, kind: "num" },
    statementColumn<Slow>(),
    { title: t("Sent by"), value: (row) => row.endpoint ?? row.caller ?? null, cell: (row) => <SentBy of={{ endpoints: row.endpoint ? [{ name: row.endpoint }] : [], callers: row.caller ? [{ name: row.caller }] : [] }} /> },
  ];
  return (
    <>
      <Fault error={error.value} retry={reload} />
      {data.value?.entries.length ? (
        <Table caption={t("Slow")} columns={columns} rows={data.value.entries} id={(row) => row.at + row.fingerprint + row.duration_ms} file="slow-queries" />
      ) : (
        data.value && <Empty good title={t("No statement was slow.")} />
      )}
    </>
  );
}

function FetchList() {
  const { data, error, reload } = useResource(fetches, [], 5);
  const columns: Column<Fetch>[] = [
    { title: t("When"), value: (row) => row.at, cell: (row) => <Ago at={row.at} /> },
    number(t("Reading took"), (row) => row.fetch_ms, "ms"),
    number(t("Open for"), (row) => row.open_ms, "ms"),
    number(t("Rows"), (row) => row.rows),
    statementColumn<Fetch>(),
    { title: t("Sent by"), value: (row) => row.endpoint ?? row.caller ?? null, cell: (row) => <SentBy of={{ endpoints: row.endpoint ? [{ name: row.endpoint }] : [], callers: row.caller ? [{ name: row.caller }] : [] }} /> },
  ];
  return (
    <>
      <p class="lead dim">{t("The statement itself was quick; to read its rows was not. Fewer rows, or fewer columns, help.")}</p>
      <Fault error={error.value} retry={reload} />
      {data.value?.entries.length ? (
        <Table caption={t("Slow to be read")} columns={columns} rows={data.value.entries} id={(row) => row.at + row.fingerprint} file="slow-fetches" />
      ) : (
        data.value && <Empty good title={t("Nothing was slow to be read.")} />
      )}
    </>
  );
}

// -- one statement ---------------------------------------------------------------------------------------------------

function One({ fingerprint }: { fingerprint: string }) {
  const { data, error, reload } = useResource((signal) => one(fingerprint, signal), [fingerprint], 5);
  return (
    <>
      <p class="back">
        <a href={link("queries")}>
          <Icon name="left" /> {t("Queries")}
        </a>
      </p>
      {error.value?.status === 404 ? <Empty title={t("This statement is not known, or no longer.")} /> : <Fault error={error.value} retry={reload} />}
      {!data.value && !error.value && <Loading />}
      {data.value?.pools.map((pool) => <Known key={pool.pool} of={pool} />)}
    </>
  );
}

interface WindowRow {
  name: string;
  of: Detail["windows"][string];
  before: Detail["windows"][string] | null | undefined;
  change: string | null | undefined;
}

function Known({ of }: { of: Detail }) {
  const rows: WindowRow[] = WINDOWS.flatMap(([name, words]) =>
    of.windows[name] ? [{ name: t(words), of: of.windows[name], before: of.before[name], change: of.change[name] }] : [],
  );
  return (
    <>
      <pre class="statement-text card" tabIndex={0}>
        <Told most={4000}>{of.statement}</Told>
      </pre>
      <Facts
        of={[
          [t("Pool"), <Told most={60}>{of.pool}</Told>],
          [t("First seen"), <Moment at={of.first_seen} />],
          [t("Last seen"), <Ago at={of.last_seen} />],
          [t("Sent by"), of.endpoints.length > 0 && <Times of={of.endpoints} />],
          [t("Lines of code"), of.callers.length > 0 && <Times of={of.callers} code />],
          [t("Fingerprint"), <span class="line"><code>{of.fingerprint}</code><button class="text" onClick={() => void copy(curl(`queries/${of.fingerprint}`), "curl")}>{t("Copy as curl")}</button></span>],
        ]}
      />
      <Section title={t("In figures")}>
        <Table
          caption={t("In figures")}
          columns={[
            { title: t("In"), cell: (row) => <>{row.name} {changed({ change: row.change ?? null })}</> },
            number<WindowRow>(t("Calls"), (row) => row.of.calls),
            number<WindowRow>(t("Errors"), (row) => row.of.errors),
            number<WindowRow>(t("Mean"), (row) => row.of.mean_seconds, "seconds"),
            number<WindowRow>(t("Mean before"), (row) => row.before?.mean_seconds, "seconds"),
            number<WindowRow>(t("p50"), (row) => row.of.p50_seconds, "seconds"),
            number<WindowRow>(t("p95"), (row) => row.of.p95_seconds, "seconds"),
            number<WindowRow>(t("p99"), (row) => row.of.p99_seconds, "seconds"),
            number<WindowRow>(t("Longest"), (row) => row.of.max_seconds, "seconds"),
            number<WindowRow>(t("In all"), (row) => row.of.total_seconds, "seconds"),
            number<WindowRow>(t("Rows/call"), (row) => row.of.rows_per_call),
          ]}
          rows={rows}
          id={(row) => row.name}
        />
      </Section>
      <Plan fingerprint={of.fingerprint} pool={of.pool} />
    </>
  );
}

function Times({ of, code }: { of: { name: string; times: number }[]; code?: boolean }) {
  return (
    <ul class="plain">
      {of.map((each) => (
        <li key={each.name}>
          {code ? <code><Told most={200}>{each.name}</Told></code> : <Told most={120}>{each.name}</Told>}{" "}
          <span class="dim">{tn(each.times, "{n} time|{n} times")}</span>
        </li>
      ))}
    </ul>
  );
}
