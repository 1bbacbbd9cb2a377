// Statements: which cost most, which are new or slower than before, who sends them, which a request repeats.

import { Tag } from "../components/badge";
import { Choose } from "../components/choose";
import { num, text, when } from "../components/columns";
import { Icon } from "../components/icon";
import { Empty, Facts, Fault, Loading, Section, Tabs } from "../components/layout";
import { Listing } from "../components/listing";
import { Plan } from "../components/plan";
import { SentBy } from "../components/sent-by";
import { Table, type Column } from "../components/table";
import { Told } from "../components/text";
import { Ago, Moment } from "../components/time";
import { get } from "../core/api";
import { t, tn, worded } from "../core/i18n";
import { asked, link, place } from "../core/location";
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
type Transaction = Awaited<ReturnType<typeof activity>>["servers"][number]["transactions"][number];
type Fetch = Awaited<ReturnType<typeof fetches>>["entries"][number];

const top = (window: Window, order: Order, signal: AbortSignal) => get("queries/top", { query: { window, order, limit: 100 }, signal });
const one = (fingerprint: string, signal: AbortSignal) => get("queries/{fingerprint}", { path: { fingerprint }, signal });
const repeated = (signal: AbortSignal) => get("queries/n-plus-one", { query: { limit: 100 }, signal });
const slow = (signal: AbortSignal) => get("pool/slow-queries", { query: { limit: 100 }, signal });
const activity = (signal: AbortSignal) => get("queries/activity", { query: { limit: 100 }, signal });
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
          { id: "open", title: t("Open transactions") },
        ]}
      />
      {tab === "top" ? <TopList /> : tab === "repeated" ? <RepeatedList /> : tab === "slow" ? <SlowList /> : tab === "open" ? <ActivityList /> : <FetchList />}
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

function TopList() {
  const window = (asked("window") || "5m") as Window;
  const order = (asked("order") || "total") as Order;
  const { data, error, reload } = useResource((signal) => top(window, order, signal), [window, order], 5);
  const found = data.value;
  const columns: Column<Row>[] = [
    statementColumn<Row>(),
    { title: t("Since before"), value: (row) => row.change, cell: changed },
    { title: t("Share"), value: (row) => row.share, cell: (row) => <Share of={row.share} />, kind: "num" },
    num("Calls/s", "calls_per_second"),
    num("Mean", "mean_seconds", "seconds"),
    num("p95", "p95_seconds", "seconds"),
    num("In all", "total_seconds", "seconds"),
    { title: t("Errors"), value: (row) => row.errors, cell: (row) => (row.errors ? <b class="status critical">{figure(row.errors)}</b> : figure(row.errors)), kind: "num" },
    num("Rows/call", "rows_per_call"),
    { title: t("Sent by"), value: (row) => row.endpoints[0]?.name ?? row.callers[0]?.name ?? null, cell: (row) => <SentBy endpoints={row.endpoints.map((one) => one.name)} caller={row.source === "server" ? "pg_stat_\u200bstatements" : row.callers[0]?.name} />, kind: "wide" },
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
        <Empty title={t("No statement was sent in this time.")} />
      )}
      {found?.sources.map((one) => [one.missing, ...one.limits].map((said) => said && <p class="dim"><Told most={400}>{`${one.pool}: ${worded(said)}`}</Told></p>))}
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

const RepeatedList = () => (
  <Listing
    title="Repeated in one request (N+1)"
    lead="The same statement many times in one request: usually a loop that could be one query with a join or an IN."
    none="No request repeats a statement."
    ask={repeated}
    rows={(answer) => answer.queries}
    id={(row) => row.endpoint + row.fingerprint + row.pool + (row.caller ?? "")}
    file="n-plus-one"
    columns={(): Column<Repeated>[] => [
      text("Request", "endpoint"),
      statementColumn<Repeated>(),
      text("Line of code", "caller", { code: true }),
      num("Times a request", "times_per_request"),
      num("Most", "most_times"),
      num("Requests", "requests"),
      num("Time lost", "lost_seconds", "seconds"),
      when("Last", "last_at"),
    ]}
  />
);

const sentBy = <R extends { endpoint: string | null; caller: string | null }>(): Column<R> => ({
  title: t("Sent by"),
  value: (row) => row.endpoint ?? row.caller,
  cell: (row) => <SentBy endpoints={row.endpoint ? [row.endpoint] : []} caller={row.caller} />,
  kind: "wide",
});

const SlowList = () => (
  <Listing
    title="Slow"
    none="No statement was slow."
    ask={slow}
    rows={(answer) => answer.entries}
    id={(row) => row.at + row.fingerprint + row.duration_ms}
    file="slow-queries"
    columns={(): Column<Slow>[] => [
      when("When", "at"),
      num("Took", "duration_ms", "ms"),
      text("Error", "error"),
      statementColumn<Slow>(),
      sentBy(),
    ]}
  />
);

const FetchList = () => (
  <Listing
    title="Slow to be read"
    lead="The statement itself was quick; to read its rows was not. Fewer rows, or fewer columns, help."
    none="Nothing was slow to be read."
    ask={fetches}
    rows={(answer) => answer.entries}
    id={(row) => row.at + row.fingerprint}
    file="slow-fetches"
    columns={(): Column<Fetch>[] => [
      when("When", "at"),
      num("Reading took", "fetch_ms", "ms"),
      num("Open for", "open_ms", "ms"),
      num("Rows", "rows"),
      statementColumn<Fetch>(),
      sentBy(),
    ]}
  />
);

const ActivityList = () => (
  <Listing
    title="Open transactions"
    lead="What the server says of open transactions, the longest first: who has them, and who waits for whom."
    none="No transaction is open."
    ask={activity}
    every={3}
    rows={(answer) => answer.servers.flatMap((server) => server.transactions)}
    id={(row) => String(row.pid)}
    file="transactions"
    columns={(): Column<Transaction>[] => [
      { title: t("Process"), value: (row) => row.pid, cell: (row) => row.pid },
      num("Open for", "transaction_seconds", "seconds"),
      text("Does", "state"),
      { title: t("Waits for"), value: (row) => row.blocked_by.join(" "), cell: (row) => (row.blocked_by.length ? <Tag tone="warning">{row.blocked_by.join(", ")}</Tag> : (row.waits_for ?? "–")) },
      { title: t("Holds up"), value: (row) => row.blocking.length, cell: (row) => row.blocking.join(", ") || "–" },
      text("Who", "endpoint"),
      text("Line of code", "taken_at", { code: true }),
      text("Statement", "statement", { code: true, most: 260 }),
    ]}
  />
);

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
      <h1>{t("Statement")}</h1>
      {error.value?.status === 404 ? <Empty title={t("This statement is not known, or no longer.")} /> : <Fault error={error.value} retry={reload} />}
      {!data.value && !error.value && <Loading />}
      {data.value?.pools.map((pool) => <Known key={pool.pool} of={pool} />)}
    </>
  );
}

type WindowRow = Detail["windows"][string] & { name: string; mean_before: number | null; change: string | null };

function Known({ of }: { of: Detail }) {
  const rows: WindowRow[] = WINDOWS.flatMap(([name, words]) =>
    of.windows[name] ? [{ ...of.windows[name], name: t(words), mean_before: of.before[name]?.mean_seconds ?? null, change: of.change[name] ?? null }] : [],
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
          [t("Errors"), of.raised.length > 0 && <Times of={of.raised} code />],
          [t("Fingerprint"), <span class="line"><code>{of.fingerprint}</code><button class="text" onClick={() => void copy(curl(`queries/${of.fingerprint}`), "curl")}>{t("Copy as curl")}</button></span>],
        ]}
      />
      <Section title={t("In figures")}>
        <Table
          caption={t("In figures")}
          columns={[
            { title: t("In"), cell: (row) => <>{row.name} {changed(row)}</> },
            num("Calls", "calls"),
            num("Errors", "errors"),
            num("Mean", "mean_seconds", "seconds"),
            num("Mean before", "mean_before", "seconds"),
            num("p50", "p50_seconds", "seconds"),
            num("p95", "p95_seconds", "seconds"),
            num("p99", "p99_seconds", "seconds"),
            num("Longest", "max_seconds", "seconds"),
            num("In all", "total_seconds", "seconds"),
            num("Rows/call", "rows_per_call"),
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
