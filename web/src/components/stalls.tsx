// What blocked the application's event loop: when, for how long, and in which line.

import { get } from "../core/api";
import { t, tn } from "../core/i18n";
import { figure } from "../core/units";
import { Lines } from "./code-lines";
import { num, when } from "./columns";
import { Listing } from "./listing";
import type { Column } from "./table";

const stalls = (signal: AbortSignal) => get("runtime/stalls", { query: { limit: 50 }, signal });
type Stall = Awaited<ReturnType<typeof stalls>>["stalls"][number];

export const Stalls = () => (
  <Listing
    title="What blocked the event loop"
    lead="While one handler computes, or waits without await, no other request is answered."
    none="Nothing has blocked it for long."
    ask={stalls}
    every={3}
    aside={(answer) => answer.total > 0 && <span class="dim">{tn(answer.total, "{n} time, {time} in all|{n} times, {time} in all", { time: figure(answer.seconds_total, "seconds") })}</span>}
    rows={(answer) => answer.stalls}
    id={(one) => one.at}
    file="stalls"
    columns={(): Column<Stall>[] => [
      when("When", "at"),
      num("For", "seconds", "seconds"),
      { title: t("Does"), value: (one) => one.doing, cell: (one) => t(one.doing ?? "its own code") },
      { title: t("Where"), value: (one) => one.place, cell: (one) => <Lines title="" of={[...new Set([one.place ?? "", ...one.stack])].filter(Boolean)} />, kind: "wide" },
    ]}
  />
);
