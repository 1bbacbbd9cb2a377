// The list of pages. A page is one file in pages/, and a line here puts it on the list. All come with the first load: in one file
// they are smaller than in two, and going to one waits for nothing.

import type { ComponentType } from "preact";
import type { IconName } from "../components/icon";
import Alerts from "../pages/alerts";
import Explore from "../pages/explore";
import Host from "../pages/host";
import Http from "../pages/http";
import Overview from "../pages/overview";
import Pools from "../pages/pools";
import Queries from "../pages/queries";
import Redis from "../pages/redis";
import Rules from "../pages/rules";
import Settings from "../pages/settings";
import Silences from "../pages/silences";
import { alertCounts } from "./standing";

export interface PageEntry {
  /** The first part of the address: #/alerts. */
  id: string;
  /** English; the key of its translation. */
  title: string;
  icon: IconName;
  /** `g` and this letter lead there. */
  key: string;
  group: "now" | "watched" | "dozor";
  shows: ComponentType;
  /** A number beside the title, and what it says about the status. */
  count?: () => { n: number; tone: string };
}

export const PAGES: readonly PageEntry[] = [
  { id: "overview", title: "Overview", icon: "overview", key: "o", group: "now", shows: Overview },
  { id: "alerts", title: "Alerts", icon: "alerts", key: "a", group: "now", shows: Alerts, count: () => alertCounts.value },
  { id: "silences", title: "Silences", icon: "silences", key: "s", group: "now", shows: Silences },
  { id: "pools", title: "Connection pools", icon: "pools", key: "p", group: "watched", shows: Pools },
  { id: "queries", title: "Queries", icon: "queries", key: "q", group: "watched", shows: Queries },
  { id: "redis", title: "Redis", icon: "redis", key: "r", group: "watched", shows: Redis },
  { id: "http", title: "HTTP", icon: "http", key: "h", group: "watched", shows: Http },
  { id: "host", title: "Host", icon: "host", key: "m", group: "watched", shows: Host },
  { id: "rules", title: "Rules", icon: "rules", key: "u", group: "dozor", shows: Rules },
  { id: "explore", title: "Explore", icon: "explore", key: "e", group: "dozor", shows: Explore },
  { id: "settings", title: "Status", icon: "settings", key: "d", group: "dozor", shows: Settings },
];
