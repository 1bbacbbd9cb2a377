// Redis: whether it answers, how full it is, how often it helps, which commands are slow, what it says of itself.

import { Badge, Tag } from "../components/badge";
import { Chart } from "../components/chart";
import { num, text, when } from "../components/columns";
import { Empty, Facts, Fault, Loading, Section, Tabs } from "../components/layout";
import { Listing } from "../components/listing";
import { Meter } from "../components/meter";
import { RangePicker } from "../components/range-picker";
import { Reasons } from "../components/reasons";
import { SentBy } from "../components/sent-by";
import type { Column } from "../components/table";
import { Told } from "../components/text";
import { get } from "../core/api";
import { t, worded } from "../core/i18n";
import { overview } from "../core/live";
import { asked } from "../core/location";
import { useResource } from "../core/resource";
import { figure, type Unit } from "../core/units";
import { capital, matcher, titled } from "../core/words";

const slow = (signal: AbortSignal) => get("redis/slow-commands", { query: { limit: 100 }, signal });
const commands = (signal: AbortSignal) => get("redis/commands", { query: { window: "5m" }, signal });
const info = (signal: AbortSignal) => get("redis/info", { signal });
type SlowGroup = Awaited<ReturnType<typeof slow>>["commands"][number];
type Cost = Awaited<ReturnType<typeof commands>>["servers"][number]["commands"][number] & { redis: string };

interface Keep {
  /** Whether a server of this name is shown. */
  keep: (name: string) => boolean;
}
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
  // A cluster is shown with its nodes: NAME/HOST:PORT.
  const whole = `${wanted}/`;
  const keep = (name: string): boolean => !wanted || name === wanted || name.startsWith(whole);
  const only = names.some((name) => name.startsWith(whole)) ? `redis=~${JSON.stringify(`${wanted}/.*`)}` : matcher("redis", wanted);
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
      <Courses only={wanted ? `{${only}}` : ""} />
      <SlowGroups keep={keep} />
      <Costs keep={keep} />
      <Memory keep={keep} />
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
  ["Nodes", "redis_cluster_known_nodes", ""],
  ["Slots served", "redis_cluster_slots_ok", ""],
];

function Server({ of }: { of: { name: string; status: string; reasons: string[]; role?: string | null } }) {
  const figures = of as unknown as Record<string, number | null | undefined>;
  const used = figures.redis_memory_usage;
  const limit = figures.redis_memory_limit;
  const hits = figures.redis_hit_rate;
  return (
    <section class="pool" aria-label={of.name}>
      <h2>
        <Told most={80}>{of.name}</Told> {of.role && <Tag>{t(capital(of.role))}</Tag>} <Badge of={of.status} />
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
          {(hits ?? used) !== undefined && <Meter title={t("Lookups that found a key")} value={hits ?? null} words={hits === undefined ? t("no lookups in 5 minutes") : ""} marks={[101, 101]} />}
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

const Costs = ({ keep }: Keep) => (
  <Listing
    title="What commands cost"
    ask={commands}
    rows={(answer) => answer.servers.filter((server) => keep(server.name)).flatMap((server) => server.commands.map((one) => ({ ...one, redis: server.name })))}
    id={(one) => one.redis + one.command}
    file="commands"
    columns={(): Column<Cost>[] => [
      text("Command", "command"),
      num("Calls/s", "calls_per_second"),
      { title: t("Share"), value: (one) => one.share, cell: (one) => figure(one.share === null ? null : 100 * one.share, "percent"), kind: "num" },
      num("Mean", "mean_seconds", "seconds"),
      num("p50", "p50_seconds", "seconds"),
      num("p99", "p99_seconds", "seconds"),
      num("Errors", "errors"),
      text("Server", "redis"),
    ]}
  />
);

const SlowGroups = ({ keep }: Keep) => (
  <Listing
    title="Slow commands"
    none="No command was slow."
    more={<p class="dim">{t("What is slow, the server decides: CONFIG SET slowlog-log-slower-than, in microseconds.")}</p>}
    ask={slow}
    rows={(answer) => answer.commands.filter((one) => keep(one.redis))}
    id={(one) => one.redis + one.fingerprint + (one.client ?? "")}
    file="slow-commands"
    columns={(): Column<SlowGroup>[] => [
      text("Command", "shape", { code: true }),
      num("Calls", "calls"),
      num("Mean", "mean_ms", "ms"),
      num("Longest", "max_ms", "ms"),
      when("Last", "last_at"),
      text("Client", "client"),
      {
        title: t("Sent by"),
        value: (one) => one.callers[0]?.endpoint ?? one.callers[0]?.caller ?? null,
        cell: (one) => <SentBy endpoints={one.callers[0]?.endpoint ? [one.callers[0].endpoint] : []} caller={one.callers[0]?.caller} />,
        kind: "wide",
      },
      text("Server", "redis"),
    ]}
  />
);

function Memory({ keep }: Keep) {
  const { data } = useResource((signal) => get("redis/memory", { signal }), [], 10);
  const servers = (data.value?.servers ?? []).filter((server) => keep(server.name) && server.parts.length);
  if (!servers.length) return null;
  return (
    <Section title={t("Where the memory goes")}>
      {servers.map((server) => (
        <div key={server.name} class="card note-box">
          <p class="strong">
            <Told most={60}>{server.name}</Told>: {figure(server.used_bytes, "bytes")}
          </p>
          <ul class="plain">
            {server.parts.map((part) => (
              <li key={part.part}>
                <b>{figure(part.bytes, "bytes")}</b> <Told most={200}>{worded(part.text)}</Told> <span class="dim">{figure(Math.round(1000 * part.share) / 10, "percent")}</span>
              </li>
            ))}
          </ul>
          <Reasons of={server.advice.map((one) => Object.values(one).filter((said) => typeof said === "string").join(" "))} most={10} />
        </div>
      ))}
    </Section>
  );
}

function Said({ keep }: Keep) {
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
