// Connection pools: how full, who has the connections, on which line of code, for how long; who waits; what leaked.

import { Badge, Tag } from "../components/badge";
import { Chart } from "../components/chart";
import { Choose } from "../components/choose";
import { num, text, when } from "../components/columns";
import { HeatMap } from "../components/heat-map";
import { Empty, Facts, Fault, Loading, Section, Tabs } from "../components/layout";
import { Lines } from "../components/code-lines";
import { Listing } from "../components/listing";
import { Meter } from "../components/meter";
import { RangePicker } from "../components/range-picker";
import { Reasons } from "../components/reasons";
import { Table, type Column } from "../components/table";
import { Told } from "../components/text";
import { get } from "../core/api";
import { t, tn, worded } from "../core/i18n";
import { overview } from "../core/live";
import { asked } from "../core/location";
import { useResource } from "../core/resource";
import { duration, figure } from "../core/units";
import { matcher } from "../core/words";

const holders = (signal: AbortSignal) => get("pool/holders", { query: { limit: 200 }, signal });
const leaks = (signal: AbortSignal) => get("pool/leaks", { query: { limit: 100 }, signal });
const statistics = (signal: AbortSignal) => get("pool/statistics", { signal });
type Held = Awaited<ReturnType<typeof holders>>["pools"][number];
type Holder = Held["holders"][number] & { pool: string };
type Waiter = Held["waiters"][number] & { pool: string };
type Leak = Awaited<ReturnType<typeof leaks>>["entries"][number];
type Window = Awaited<ReturnType<typeof statistics>>["pools"][number]["windows"][string];

interface Keep {
  /** Whether a pool of this name is shown. */
  keep: (pool: string) => boolean;
}

export default function PoolsPage() {
  const known = overview.value;
  if (!known) return <Loading />;
  const names = known.pools.map((pool) => pool.name);
  if (!names.length)
    return (
      <>
        <h1>{t("Connection pools")}</h1>
        <Empty title={t("No pool is watched yet.")}>
          <p>{t("Hand Dozor an engine, or name a server that it should watch from outside:")}</p>
          <pre tabIndex={0}>{"dozor = Dozor(engine=engine)\n\nDOZOR_DATABASE_URL=postgresql://user@host/db"}</pre>
        </Empty>
      </>
    );
  const many = names.length > MOST;
  const wanted = asked("pool");
  const shown = known.pools.filter((pool) => !wanted || pool.name === wanted);
  if (shown.length > MOST) shown.sort((a, b) => worse(b) - worse(a));
  const drawn = shown.slice(0, MOST);
  const keep = (pool: string): boolean => !wanted || pool === wanted;
  return (
    <>
      <header class="page-head">
        <h1>
          {t("Connection pools")} <Badge of={known.components.database?.status} />
        </h1>
        <div class="choices-line">
          {many && <Choose name="pool" title={t("Pool")} standard="" choices={[["", "All"], ...names.map((name): [string, string] => [name, name])]} />}
          <RangePicker />
        </div>
      </header>
      {names.length > 1 && !many && (
        <Tabs
          name="pool"
          label={t("Pools")}
          tabs={[{ id: "", title: t("All") }, ...names.map((name) => ({ id: name, title: name }))]}
        />
      )}
      {drawn.map((pool) => <Pool key={`${pool.name}/${pool.worker ?? ""}`} of={pool} />)}
      {shown.length > MOST && <p class="dim">{t("The worst {most} of {all}.", { most: MOST, all: shown.length })}</p>}
      <Holders keep={keep} />
      <Courses pool={wanted} />
      <Leaks keep={keep} />
      <Advice keep={(name) => drawn.some((pool) => pool.name === name)} />
      <HowLong keep={keep} />
    </>
  );
}

/** So many pools are drawn at once. */
const MOST = 20;
const STATUSES = ["HEALTHY", "UNKNOWN", "WARNING", "CRITICAL"];

const worse = (pool: { status: string; db_pool_utilization?: number | null }): number =>
  STATUSES.indexOf(pool.status) * 1000 + (pool.db_pool_utilization ?? 0);

function Pool({ of }: { of: { name: string; status: string; reasons: string[]; worker?: string | null } }) {
  const figures = of as unknown as Record<string, number | null | undefined>;
  const out = figures.db_pool_checked_out;
  const capacity = figures.db_pool_capacity;
  const facts: [string, string, "seconds" | ""][] = [
    [t("Waiting"), "db_pool_waiting", ""],
    [t("Idle"), "db_pool_idle", ""],
    [t("Beyond the size"), "db_pool_overflow", ""],
    [t("Held too long"), "db_pool_leaked", ""],
    [t("Gave up waiting"), "db_pool_timeouts_total", ""],
    [t("Handed out"), "db_pool_checkouts_total", ""],
    [t("Opened"), "db_pool_connects_total", ""],
    [t("Slow statements"), "db_pool_slow_queries_total", ""],
  ];
  return (
    <section class="pool" aria-label={of.name}>
      <h2>
        <Told most={80}>{of.name}</Told> {of.worker && <Tag>{t("worker {n}", { n: of.worker })}</Tag>} <Badge of={of.status} />
      </h2>
      <Reasons of={of.reasons} />
      <div class="pool-figures">
        <Meter
          title={t("In use")}
          value={figures.db_pool_utilization}
          words={capacity === undefined || capacity === null ? `${figure(out)} ${t("in use, without a limit")}` : t("{out} of {all}", { out: figure(out), all: figure(capacity) })}
          marks={[79, 90]}
        />
        <Facts of={facts.map(([title, name, unit]) => [title, figures[name] === undefined ? null : figure(figures[name], unit)])} />
      </div>
    </section>
  );
}

// -- who has connections ---------------------------------------------------------------------------------------------

function Holders({ keep }: Keep) {
  const { data, error, reload } = useResource(holders, [], 2);
  const pools = (data.value?.pools ?? []).filter((pool) => keep(pool.name));
  const held: Holder[] = pools.flatMap((pool) => pool.holders.map((one) => ({ ...one, pool: pool.name })));
  const waiting: Waiter[] = pools.flatMap((pool) => pool.waiters.map((one) => ({ ...one, pool: pool.name })));
  const total = pools.reduce((all, pool) => all + pool.holders_total, 0);
  return (
    <>
      <Section title={t("Who has connections")} aside={data.value && <span class="dim">{tn(total, "{n} connection is out|{n} connections are out")}</span>}>
        <Fault error={error.value} retry={reload} />
        {held.length ? (
          <Table caption={t("Who has connections")} columns={holderColumns(pools.length > 1)} rows={held} id={(one) => `${one.pool}/${one.connection ?? one.who}`} file="holders" />
        ) : (
          data.value && <Empty good title={t("Nobody has a connection at this moment.")} />
        )}
      </Section>
      {waiting.length > 0 && (
        <Section title={t("Who waits for one")}>
          <Table caption={t("Who waits for one")} columns={waiterColumns} rows={waiting} id={(one) => `${one.pool}/${one.who}`} />
        </Section>
      )}
    </>
  );
}

const who = (one: { endpoint: string | null; task: string | null; thread: string | null; who: string }) => (
  <>
    <b>
      <Told most={100}>{one.endpoint ?? one.who}</Told>
    </b>
    {one.endpoint && (
      <small class="dim">
        <Told most={80}>{one.task ?? one.thread ?? ""}</Told>
      </small>
    )}
  </>
);

/** Where it was taken, or where its endpoint usually takes them, as such. */
const taken = (one: Pick<Holder, "taken_at" | "usually_taken_at">, title: string) => (
  <>
    <Lines title={title} of={one.taken_at} />
    {one.usually_taken_at.map((place) => (
      <Lines key={place.lines[0]} title={t("usually")} of={place.lines} />
    ))}
  </>
);

const holderColumns = (several: boolean): Column<Holder>[] => [
  { title: t("Who"), value: (one) => one.endpoint ?? one.who, cell: who },
  ...(several ? [{ title: t("Pool"), value: (one: Holder) => one.pool, cell: (one: Holder) => <Told most={40}>{one.pool}</Told> }] : []),
  {
    title: t("Held for"),
    value: (one) => one.held_seconds,
    cell: (one) => (
      <>
        {duration(one.held_seconds)} {one.leaked && <Tag tone="warning">{t("too long")}</Tag>}
      </>
    ),
    kind: "num",
  },
  {
    title: t("Does"),
    value: (one) => one.state ?? null,
    cell: (one) => (one.state ? <>{t(one.state)} {one.state_seconds !== null && <span class="dim">{duration(one.state_seconds)}</span>}</> : <span class="dim">–</span>),
  },
  {
    title: t("Where"),
    value: (one) => one.taken_at[0] ?? one.now_at[0] ?? null,
    cell: (one) => (
      <>
        {taken(one, t("taken"))}
        <Lines title={t("now")} of={one.now_at} />
      </>
    ),
    kind: "wide",
  },
  {
    title: t("Last statement"),
    value: (one) => one.statement ?? null,
    cell: (one) => (one.statement ? <code><Told most={240}>{one.statement}</Told></code> : <span class="dim">–</span>),
    kind: "wide",
  },
];

const waiterColumns: Column<Waiter>[] = [
  { title: t("Who"), value: (one) => one.endpoint ?? one.who, cell: who },
  { title: t("Waits for"), value: (one) => one.waited_seconds, cell: (one) => duration(one.waited_seconds), kind: "num" },
  { title: t("Where"), value: (one) => one.now_at[0] ?? null, cell: (one) => <Lines title={t("now")} of={one.now_at} />, kind: "wide" },
];

// -- how long, how often ---------------------------------------------------------------------------------------------

function Courses({ pool }: { pool: string }) {
  const only = pool ? `{${matcher("pool", pool)}}` : "";
  return (
    <Section title={t("The course of things")}>
      <div class="charts">
        <Chart title={t("Connections used")} query={`db_pool_utilization${only}`} unit="percent" />
        <Chart title={t("Callers that wait")} query={`db_pool_waiting${only}`} />
        <HeatMap title={t("How long callers wait for a connection")} metric="db_pool_wait_seconds" only={only} />
        <HeatMap title={t("How long connections are held")} metric="db_pool_use_seconds" only={only} />
        <Chart title={t("Handed out a second")} query={`rate(db_pool_checkouts_total${only}[1m])`} />
        <Chart title={t("Gave up waiting, a minute")} query={`60 * rate(db_pool_timeouts_total${only}[1m])`} />
        <Chart title={t("Opened a minute")} query={`60 * rate(db_pool_connects_total${only}[1m])`} />
        <Chart title={t("Held too long")} query={`db_pool_leaked${only}`} />
      </div>
    </Section>
  );
}

const Leaks = ({ keep }: Keep) => (
  <Listing
    title="Connections that were not given back in time"
    none="None since Dozor is on watch."
    ask={leaks}
    every={10}
    rows={(answer) => answer.entries.filter((one) => keep(one.pool))}
    id={(one) => one.at + one.holder.who + (one.holder.connection ?? "")}
    file="leaks"
    columns={(): Column<Leak>[] => [
      when("When", "at"),
      { title: t("Who"), value: (one) => one.holder.endpoint ?? one.holder.who, cell: (one) => who(one.holder) },
      { title: t("What became of it"), value: (one) => one.outcome, cell: (one) => <Tag tone={one.outcome === "returned" ? "" : "warning"}>{t(one.outcome)}</Tag> },
      { title: t("Held for"), value: (one) => one.holder.held_seconds, cell: (one) => duration(one.holder.held_seconds), kind: "num" },
      { title: t("Taken at"), value: (one) => one.holder.taken_at[0] ?? null, cell: (one) => taken(one.holder, ""), kind: "wide" },
      { title: t("Last statement"), value: (one) => one.holder.statement, cell: (one) => <code><Told most={200}>{one.holder.statement ?? "–"}</Told></code>, kind: "wide" },
    ]}
  />
);

// -- how large it should be ------------------------------------------------------------------------------------------

function Advice({ keep }: Keep) {
  const { data } = useResource((signal) => get("pool/advice", { signal }), [], 5);
  const pools = (data.value?.pools ?? []).filter((pool) => keep(pool.name));
  const budgets = data.value?.budget ?? [];
  if (!pools.length && !budgets.length) return null;
  return (
    <>
      <Section title={t("How large it has to be")}>
        {pools.map((pool) => (
          <div key={pool.name} class="card note-box">
            <p class="strong">
              <Told most={60}>{pool.name}</Told>:{" "}
              {pool.pool_size === null ? t("not enough was seen yet") : t("pool_size {size}, max_overflow {overflow}", { size: pool.pool_size, overflow: pool.max_overflow ?? 0 })}
            </p>
            <Reasons of={pool.working} most={10} />
          </div>
        ))}
        {budgets.map((one) => (
          <div key={one.server} class={`card note-box ${one.exceeded ? "warning" : ""}`}>
            <p class="strong">
              <Told most={80}>{one.server}</Told>: {t("{planned} of {available} connections may be wanted", { planned: one.planned, available: one.available })}{" "}
              {one.exceeded && <Badge of="WARNING" />}
            </p>
            <p class="dim">
              <Told most={600}>{worded(one.working)}</Told>
            </p>
          </div>
        ))}
      </Section>
      <Section title={t("Who uses it")}>
        <Table caption={t("Who uses it")} columns={endpointColumns()} rows={pools.flatMap((pool) => pool.endpoints)} id={(one) => one.endpoint} file="pool-endpoints" />
      </Section>
    </>
  );
}

type Use = Awaited<ReturnType<typeof advice>>["pools"][number]["endpoints"][number];
const advice = (signal: AbortSignal) => get("pool/advice", { signal });

const endpointColumns = (): Column<Use>[] => [
  text("Request", "endpoint"),
  num("Held in all", "held_seconds", "seconds"),
  num("Times waited", "waits"),
  num("Waited in all", "wait_seconds", "seconds"),
  num("Longest wait", "longest_wait_seconds", "seconds"),
  num("Gave up", "timeouts"),
];

// -- in figures ------------------------------------------------------------------------------------------------------

const WINDOWS: [string, string][] = [
  ["5m", "5 minutes"],
  ["1h", "1 hour"],
  ["since_start", "since the start"],
];

type Row = Window & { name: string; worker: string | null; window: string; wait50: number | null; wait99: number | null; use50: number | null; use99: number | null; longest: number | null };

const HowLong = ({ keep }: Keep) => (
  <Listing
    title="In figures"
    none="Nothing has been read yet."
    ask={statistics}
    every={10}
    rows={(answer) =>
      answer.pools.filter((pool) => keep(pool.name)).flatMap((pool) =>
        WINDOWS.flatMap(([window, title]): Row[] => {
          const of = pool.windows[window];
          if (!of) return [];
          const { wait_seconds: wait, use_seconds: use } = of;
          return [{ ...of, name: pool.name, worker: pool.worker, window: t(title), wait50: wait?.p50 ?? null, wait99: wait?.p99 ?? null, use50: use.p50, use99: use.p99, longest: use.max }];
        }),
      )
    }
    id={(row) => row.name + (row.worker ?? "") + row.window}
    file="pools"
    columns={(): Column<Row>[] => [
      text("Pool", "name"),
      text("In the last", "window"),
      num("Handed out", "checkouts"),
      num("Gave up", "timeouts"),
      num("Errors", "errors"),
      num("Opened", "connects"),
      num("Most at once", "peak_checked_out"),
      num("Wait p50", "wait50", "seconds"),
      num("Wait p99", "wait99", "seconds"),
      num("Held p50", "use50", "seconds"),
      num("Held p99", "use99", "seconds"),
      num("Longest held", "longest", "seconds"),
    ]}
  />
);
