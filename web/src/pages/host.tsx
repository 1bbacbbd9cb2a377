// The machine, or the container, and the process: what is used of what there is.

import { Badge } from "../components/badge";
import { Chart } from "../components/chart";
import { Empty, Facts, Loading, Section } from "../components/layout";
import { Meter } from "../components/meter";
import { Reasons } from "../components/reasons";
import { RangePicker } from "../components/range-picker";
import { t } from "../core/i18n";
import { overview } from "../core/live";
import { figure, type Unit } from "../core/units";
import { Stalls } from "../components/stalls";

const CHARTS: [string, string, Unit][] = [
  ["CPU", "host_cpu_utilization", "percent"],
  ["Memory", "host_memory_utilization", "percent"],
  ["Disks", "host_disk_utilization", "percent"],
  ["CPU of this process, in cores", "rate(process_cpu_seconds_total[1m])", ""],
  ["Memory of this process", "process_resident_memory_bytes", "bytes"],
  ["Event loop lag", "event_loop_lag_seconds", "seconds"],
  ["Threads", "python_threads", ""],
  ["Open file descriptors", "process_open_fds", ""],
  ["Garbage collections a minute, by generation", "60 * rate(python_gc_collections_total[2m])", ""],
];

export default function HostPage() {
  const known = overview.value;
  if (!known) return <Loading />;
  const { host } = known;
  const component = known.components.host;
  const disks = Object.entries(host).filter(([name]) => name.startsWith("host_disk_utilization"));
  return (
    <>
      <header class="page-head">
        <h1>
          {t("Host")} <Badge of={component?.status} />
        </h1>
        <RangePicker />
      </header>
      <Reasons of={component?.reasons ?? []} />
      {Object.keys(host).length === 0 && <Empty title={t("Nothing has been read yet.")} />}
      <div class="meters">
        <Meter title={t("CPU")} value={host.host_cpu_utilization} />
        <Meter title={t("Memory")} value={host.host_memory_utilization} />
        {disks.map(([name, value]) => (
          <Meter key={name} title={t("Disk {mountpoint}", { mountpoint: name.match(/mountpoint="(.*)"/)?.[1] ?? "" })} value={value} />
        ))}
      </div>
      <p class="hint dim">{t("In a container, this is of what the container may use.")}</p>
      <Stalls />
      <Section title={t("The course of things")}>
        <div class="charts">
          {CHARTS.map(([title, query, unit]) => (
            <Chart key={query} title={t(title)} query={query} unit={unit} />
          ))}
        </div>
      </Section>
      <Section title={t("This process")}>
        <Facts
          of={[
            [t("Memory"), figure(host.process_resident_memory_bytes, "bytes")],
            [t("CPU time"), figure(host.process_cpu_seconds_total, "seconds")],
            [t("Threads"), figure(host.python_threads)],
            [t("Open file descriptors"), `${figure(host.process_open_fds)} / ${figure(host.process_max_fds)}`],
            [t("Event loop lag"), host.event_loop_lag_seconds === undefined ? t("no loop is watched") : figure(host.event_loop_lag_seconds, "seconds")],
          ]}
        />
      </Section>
    </>
  );
}
