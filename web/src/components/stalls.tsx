// What blocked the application's event loop: when, for how long, and in which line.

import { get } from "../core/api";
import { t, tn } from "../core/i18n";
import { useResource } from "../core/resource";
import { duration, figure } from "../core/units";
import { Tag } from "./badge";
import { Lines } from "./code-lines";
import { Empty, Fault, Section } from "./layout";
import { Table, type Column } from "./table";
import { Told } from "./text";
import { Ago } from "./time";

const stalls = (signal: AbortSignal) => get("runtime/stalls", { query: { limit: 50 }, signal });
type Stall = Awaited<ReturnType<typeof stalls>>["stalls"][number];

const COLUMNS = (): Column<Stall>[] => [
  { title: t("When"), value: (one) => one.at, cell: (one) => <Ago at={one.at} /> },
  {
    title: t("For"),
    value: (one) => one.seconds,
    cell: (one) => (
      <>
        {duration(one.seconds)} {!one.ended && <Tag tone="warning">{t("still")}</Tag>}
      </>
    ),
    kind: "num",
  },
  { title: t("Does"), value: (one) => one.doing, cell: (one) => <Told most={80}>{one.doing ?? ""}</Told> },
  { title: t("Where"), value: (one) => one.place, cell: (one) => <Lines title="" of={one.place ? [one.place, ...one.stack.filter((line) => line !== one.place)] : one.stack} />, kind: "wide" },
];

export function Stalls() {
  const { data, error, reload } = useResource(stalls, [], 3);
  const found = data.value;
  return (
    <Section
      title={t("What blocked the event loop")}
      aside={found && found.total > 0 && <span class="dim">{tn(found.total, "{n} time, {time} in all|{n} times, {time} in all", { time: figure(found.seconds_total, "seconds") })}</span>}
    >
      <Fault error={error.value} retry={reload} />
      {found?.stalls.length ? (
        <Table caption={t("What blocked the event loop")} columns={COLUMNS()} rows={found.stalls} id={(one) => one.at} file="stalls" />
      ) : (
        found && (
          <Empty good title={t("Nothing has blocked it for longer than {time}.", { time: figure(found.threshold_ms, "ms") })}>
            <p class="dim">{t("While one handler computes, or waits without await, no other request is answered.")}</p>
          </Empty>
        )
      )}
    </Section>
  );
}
