// Dozor itself: who is told and how that goes, what was not delivered, what it keeps, what it costs.

import { Badge, Tag } from "../components/badge";
import { Chart } from "../components/chart";
import { num, text, when } from "../components/columns";
import { Empty, Facts, Fault, Loading, Section, Tabs } from "../components/layout";
import { RangePicker } from "../components/range-picker";
import { Reasons } from "../components/reasons";
import { Table, type Column } from "../components/table";
import { Told } from "../components/text";
import { Ago, Moment } from "../components/time";
import { alertLink } from "../components/alert-row";
import { get, post } from "../core/api";
import { t, tn, worded } from "../core/i18n";
import { overview } from "../core/live";
import { asked, link } from "../core/location";
import { useResource } from "../core/resource";
import { complain, say } from "../core/toasts";
import { figure, type Unit } from "../core/units";
import { capital, titled } from "../core/words";

type Channels = Awaited<ReturnType<typeof channels>>["channels"];
type Letters = Awaited<ReturnType<typeof letters>>["notifications"];

const channels = (signal: AbortSignal) => get("channels", { signal });
const letters = (state: "dead" | "pending" | "sent", signal: AbortSignal) => get("notifications", { query: { state, limit: 200 }, signal });

export default function SettingsPage() {
  const known = overview.value;
  if (!known) return <Loading />;
  const component = known.components.dozor;
  return (
    <>
      <header class="page-head">
        <h1>
          Dozor <Badge of={component?.status} />
        </h1>
        <RangePicker />
      </header>
      <Reasons of={component?.reasons ?? []} most={10} />
      <Facts
        of={[
          [t("Watches"), <Told most={80}>{known.name}</Told>],
          [t("Environment"), known.environment && <Told most={80}>{known.environment}</Told>],
          [t("On watch since"), known.started_at && <><Moment at={known.started_at} /> <span class="dim">(<Ago at={known.started_at} />)</span></>],
          [t("Version"), known.version],
          [t("More"), <span class="line"><a href={link("rules")}>{t("Rules")}</a><a href={link("explore", { query: '{__name__=~"dozor_.+"}' })}>{t("Figures about Dozor")}</a></span>],
        ]}
      />
      <ChannelSection />
      <LetterSection />
      <Kept />
      <Cost />
    </>
  );
}

const TONES: Record<string, string> = { OK: "HEALTHY", FAILING: "WARNING", OPEN: "CRITICAL", UNUSED: "UNKNOWN" };
const STANDINGS: Record<string, string> = { OK: "Works", FAILING: "Fails", OPEN: "Given a rest", UNUSED: "Not used yet" };

function ChannelSection() {
  const { data, error, reload } = useResource(channels, [], 5);
  const columns: Column<Channels[number]>[] = [
    { title: t("Channel"), value: (one) => one.name, cell: (one) => <><Told most={60}>{one.name}</Told>{one.kind !== one.name && <small class="dim">{one.kind}</small>}</> },
    { title: t("State"), value: (one) => one.state, cell: (one) => <span class={`status ${TONES[one.state]!.toLowerCase()}`}>{t(STANDINGS[one.state]!)}</span> },
    { title: t("Leads to"), value: (one) => one.target, cell: (one) => <Told most={100}>{one.target || "–"}</Told>, kind: "wide" },
    num("Sent", "sent"),
    num("Waiting", "waiting"),
    { title: t("Given up"), value: (one) => one.dead, cell: (one) => (one.dead ? <a href={link("settings", { letters: "dead" })}>{figure(one.dead)}</a> : 0), kind: "num" },
    {
      title: t("Last"),
      cell: (one) => (
        <>
          {one.last_success_at ? <Ago at={one.last_success_at} /> : <span class="dim">–</span>}
          {one.last_error && <small class="status warning"><Told most={200}>{worded(one.last_error)}</Told></small>}
        </>
      ),
    },
    { title: "", cell: (one) => <button onClick={() => void trial(one.name, reload)}>{t("Send a test")}</button> },
  ];
  return (
    <Section title={t("Who is told")}>
      <Fault error={error.value} retry={reload} />
      {data.value && <Table caption={t("Who is told")} columns={columns} rows={data.value.channels} id={(one) => one.name} />}
      {data.value?.channels.every((one) => one.kind === "log") && (
        <p class="hint dim">{t("Nobody is told of alerts but the log. Set DOZOR_WEBHOOK_URL, or pass notifiers= to Dozor.")}</p>
      )}
    </Section>
  );
}

async function trial(name: string, done: () => void): Promise<void> {
  say(t("Sending a test to {name} …", { name }));
  try {
    const answer = await post("channels/{name}/test", { path: { name } });
    say(t("{name} took the test, in {time}.", { name, time: figure(answer.seconds, "seconds") }));
  } catch (error) {
    complain(error);
  }
  done();
}

function LetterSection() {
  const state = (asked("letters") || "dead") as "dead" | "pending" | "sent";
  const { data, error, reload } = useResource((signal) => letters(state, signal), [state], 10);
  const found = data.value;
  const again = async (ask: () => Promise<unknown>): Promise<void> => {
    try {
      await ask();
      say(t("It is sent again."));
    } catch (refused) {
      complain(refused);
    }
    reload();
  };
  const columns: Column<Letters[number]>[] = [
    when("Made", "created_at"),
    text("Channel", "channel", { most: 60 }),
    {
      title: t("About"),
      value: (one) => one.group,
      cell: (one) => (
        <>
          {one.alerts[0] ? <a href={alertLink(one.alerts[0])}><Told most={80}>{one.group}</Told></a> : <Told most={80}>{one.group}</Told>}{" "}
          <Tag>{t(capital(one.occasion))}</Tag>
          <small class="dim">{tn(one.alerts.length + one.omitted, "{n} alert|{n} alerts")}</small>
        </>
      ),
      kind: "wide",
    },
    num("Attempts", "attempts"),
    { title: t("What was said"), value: (one) => one.last_error ?? null, cell: (one) => <Told most={300}>{worded(one.last_error ?? "")}</Told> },
    {
      title: "",
      cell: (one) =>
        one.state === "dead" && (
          <button onClick={() => void again(() => post("notifications/{notification_id}/retry", { path: { notification_id: one.id } }))}>
            {t("Send again")}
          </button>
        ),
    },
  ];
  return (
    <Section
      title={t("Messages")}
      aside={
        state === "dead" && found && found.total > 0 && (
          <button onClick={() => void again(() => post("notifications/retry"))}>{t("Send all again")}</button>
        )
      }
    >
      <Tabs
        name="letters"
        label={t("Messages")}
        tabs={[
          { id: "dead", title: t("Given up") },
          { id: "pending", title: t("On their way") },
          { id: "sent", title: t("Delivered") },
        ]}
      />
      <Fault error={error.value} retry={reload} />
      {found?.notifications.length ? (
        <Table caption={t("Messages")} columns={columns} rows={found.notifications} id={(one) => String(one.id)} />
      ) : (
        found && <Empty good title={state === "dead" ? t("Nothing was given up: all that was told arrived.") : state === "pending" ? t("Nothing is on its way.") : t("Nothing was sent yet.")} />
      )}
    </Section>
  );
}

interface Own {
  name: string;
  labels: Record<string, string>;
  value: number;
  unit: Unit;
  help: string;
}

function useOwn(wanted: RegExp): Own[] | null {
  const { data } = useResource((signal) => get("metrics/all", { signal }), [], 15);
  return (
    data.value?.metrics
      .filter((metric) => wanted.test(metric.name) && metric.type !== "histogram")
      .flatMap((metric) => metric.samples.map((sample) => ({ ...sample, name: metric.name, unit: metric.unit, help: metric.help }) as Own)) ?? null
  );
}

function Figures({ title, wanted, note }: { title: string; wanted: RegExp; note: string }) {
  const own = useOwn(wanted);
  const columns: Column<Own>[] = [
    { title: t("What"), value: (one) => one.name, cell: (one) => <><a href={link("explore", { query: one.name })}>{titled(one.name.replace(/^dozor_|_(total|seconds|bytes)$/g, ""))}</a> <span class="dim">{Object.values(one.labels).join(" ")}</span><small class="dim"><Told most={200}>{worded(one.help)}</Told></small></>, kind: "wide" },
    { title: t("Value"), value: (one) => one.value, cell: (one) => <b>{figure(one.value, one.unit)}</b>, kind: "num" },
  ];
  return (
    <Section title={title}>
      <p class="lead dim">{note}</p>
      {own?.length ? <Table caption={title} columns={columns} rows={own} id={(one) => one.name + JSON.stringify(one.labels)} /> : own && <Empty title={t("Nothing is told of this.")} />}
    </Section>
  );
}

const Kept = () => (
  <Figures title={t("What it keeps")} wanted={/^dozor_(store|series|samples|outbox|database|history)/} note={t("Samples stand in memory, the oldest go first; alerts and their history stand in its own database.")} />
);

function Cost() {
  return (
    <>
      <Figures title={t("What it costs")} wanted={/^dozor_(cpu|cost|hot|cycle|detail|budget|memory|contained|errors|evaluation)/} note={t("What watching takes of this process.")} />
      <div class="charts">
        <Chart title={t("CPU of Dozor, in cores")} query="rate(dozor_cpu_seconds_total[1m])" />
        <Chart title={t("How old the readings are")} query="dozor_collector_age_seconds" unit="seconds" />
      </div>
    </>
  );
}
