// Redis: whether it answers, how full it is, how often it helps, which commands are slow, what it says of itself.

import { Badge, Tag } from "../components/badge";
import { Chart } from "../components/chart";
import { Empty, Facts, Fault, Loading, Section, Tabs } from "../components/layout";
import { Meter } from "../components/meter";
import { RangePicker } from "../components/range-picker";
import { Reasons } from "../components/reasons";
import { Table, type Column } from "../components/table";
import { Told } from "../components/text";
import { Ago } from "../components/time";
import { get } from "../core/api";
import { t } from "../core/i18n";
import { overview } from "../core/live";
import { asked } from "../core/location";
import { useResource } from "../core/resource";
import { figure, type Unit } from "../core/units";
import { capital, matcher, titled } from "../core/words";

const slowLog = (signal: AbortSignal) => get("redis/slow-log", { query: { limit: 100 }, signal });
const info = (signal: AbortSignal) => get("redis/info", { signal });
type SlowCommand = Awaited<ReturnType<typeof slowLog>>["entries"][number];
type Details = Awaited<ReturnType<typeof info>>["servers"][number];

export default function RedisPage() {
  const known = overview.value;
  if (!known) return <Loading />;
  const names = known.servers.map((server) => server.name);
  if (!names.length)
    return (
      <>
        <h1>Redis</h1>
        <Empty title={t("No Redis is watched yet.")}>
          <p>{t("Hand Dozor a client, or name a server by its URL:")}</p>
          <pre tabIndex={0}>{"dozor = Dozor(redis=client)\n\nDOZOR_REDIS_URL=redis://host:6379"}</pre>
        </Empty>
      </>
    );
  const wanted = asked("redis");
  const keep = (name: string): boolean => !wanted || name === wanted;
  return (
    <>
      <header class="page-head">
        <h1>
          Redis <Badge of={known.components.redis?.status} />
        </h1>
        <RangePicker />
      </header>
      {names.length > 1 && (
        <Tabs name="redis" label={t("Servers")} tabs={[{ id: "", title: t("All") }, ...names.map((name) => ({ id: name, title: name }))]} />
      )}
      {known.servers.filter((server) => keep(server.name)).slice(0, 20).map((server) => <Server key={server.name} of={server} />)}
      <Courses only={wanted ? `{${matcher("redis", wanted)}}` : ""} />
      <SlowLog keep={keep} />
      <Said keep={keep} />
    </>
  );
}

const FIGURES: [string, string, Unit][] = [
  ["Operations a second", "redis_operations_per_second", ""],
  ["Memory in use", "redis_memory_usage", "bytes"],
  ["Most memory in use", "redis_memory_peak", "bytes"],
  ["Fragmentation", "redis_memory_fragmentation_ratio", ""],
  ["Clients", "redis_connected_clients", ""],
  ["Clients that block", "redis_blocked_clients", ""],
  ["Connections refused", "redis_rejected_connections_total", ""],
  ["Keys evicted", "redis_evicted_keys_total", ""],
  ["Keys expired", "redis_expired_keys_total", ""],
  ["Slow commands", "redis_slow_commands_total", ""],
  ["Up for", "redis_uptime_in_seconds", "seconds"],
];

function Server({ of }: { of: { name: string; status: string; reasons: string[] } }) {
  const figures = of as unknown as Record<string, number | null | undefined>;
  const used = figures.redis_memory_usage;
  const limit = figures.redis_memory_limit;
  const hits = figures.redis_hit_rate;
  return (
    <section class="pool" aria-label={of.name}>
      <h2>
        <Told most={80}>{of.name}</Told> <Badge of={of.status} />
      </h2>
      <Reasons of={of.reasons} />
      <div class="pool-figures">
        <div class="meters">
          {used !== undefined && (
            <Meter
              title={t("Memory")}
              value={limit && used !== null ? (100 * used) / limit : null}
              words={limit ? t("{out} of {all}", { out: figure(used, "bytes"), all: figure(limit, "bytes") }) : t("{used}, without a limit", { used: figure(used, "bytes") })}
              marks={[80, 85]}
            />
          )}
          <Meter title={t("Lookups that found a key")} value={hits ?? null} words={hits === undefined ? t("no lookups in 5 minutes") : ""} marks={[101, 101]} />
        </div>
        <Facts of={FIGURES.map(([title, name, unit]) => [t(title), figures[name] === undefined ? null : figure(figures[name], unit)])} />
      </div>
    </section>
  );
}

function Courses({ only }: { only: string }) {
  return (
    <Section title={t("The course of things")}>
      <div class="charts">
        <Chart title={t("Operations a second")} query={`redis_operations_per_second${only}`} />
        <Chart title={t("Memory in use")} query={`redis_memory_usage${only}`} unit="bytes" />
        <Chart title={t("Lookups that found a key")} query={`redis_hit_rate${only}`} unit="percent" />
        <Chart title={t("Clients")} query={`redis_connected_clients${only}`} />
        <Chart title={t("Keys evicted a second")} query={`rate(redis_evicted_keys_total${only}[1m])`} />
        <Chart title={t("Keys expired a second")} query={`rate(redis_expired_keys_total${only}[1m])`} />
      </div>
    </Section>
  );
}

function SlowLog({ keep }: { keep: (name: string) => boolean }) {
  const { data, error, reload } = useResource(slowLog, [], 5);
  const found = (data.value?.entries ?? []).filter((one) => keep(one.redis));
  const columns: Column<SlowCommand>[] = [
    { title: t("When"), value: (one) => one.at, cell: (one) => <Ago at={one.at} /> },
    { title: t("Took"), value: (one) => one.duration_ms, cell: (one) => figure(one.duration_ms, "ms"), kind: "num" },
    { title: t("Command"), value: (one) => one.command, cell: (one) => <code><Told most={240}>{one.command}</Told></code>, kind: "wide" },
    { title: t("Sent by"), value: (one) => one.client ?? null, cell: (one) => <Told most={80}>{one.client ?? "–"}</Told> },
    { title: t("Server"), value: (one) => one.redis, cell: (one) => <Told most={40}>{one.redis}</Told> },
  ];
  return (
    <Section title={t("Slow commands")}>
      <Fault error={error.value} retry={reload} />
      {found.length ? (
        <Table caption={t("Slow commands")} columns={columns} rows={found} id={(one) => `${one.redis}/${one.id}/${one.at}`} file="slow-commands" />
      ) : (
        data.value && (
          <Empty good title={t("No command was slow.")}>
            <p class="dim">{t("What is slow, the server decides: CONFIG SET slowlog-log-slower-than, in microseconds.")}</p>
          </Empty>
        )
      )}
    </Section>
  );
}

function Said({ keep }: { keep: (name: string) => boolean }) {
  const { data, error, reload } = useResource(info, [], 10);
  return (
    <Section title={t("What the server says of itself")}>
      <Fault error={error.value} retry={reload} />
      {(data.value?.servers ?? []).filter((one) => keep(one.name)).map((one) => <ServerInfo key={one.name} of={one} />)}
    </Section>
  );
}

function ServerInfo({ of }: { of: Details }) {
  const refused = Object.entries(of.capabilities).filter(([, allowed]) => !allowed);
  const sections = Object.entries(of.info);
  return (
    <>
      <h3>
        <Told most={80}>{of.name}</Told>{" "}
        {refused.map(([command]) => (
          <Tag key={command} tone="warning">
            {t("may not ask {command}", { command: command.toUpperCase() })}
          </Tag>
        ))}
      </h3>
      {!sections.length && <Empty title={t("It has not answered, or may not be asked.")} />}
      {sections.map(([name, values]) => (
        <details key={name} class="card info">
          <summary>
            {capital(titled(name))} <span class="dim">{Object.keys(values).length}</span>
          </summary>
          <dl class="facts">
            {Object.entries(values).map(([key, value]) => (
              <div key={key}>
                <dt>
                  <Told most={80}>{key}</Told>
                </dt>
                <dd>
                  <Told most={300}>{value}</Told>
                </dd>
              </div>
            ))}
          </dl>
        </details>
      ))}
    </>
  );
}
