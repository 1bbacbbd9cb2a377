// The list of pages. A page is one file in pages/, and a line here puts it on the list. Those that are opened in a hurry come
// with the first load; all others when somebody goes there.

import type { ComponentType } from "preact";
import type { IconName } from "../components/icon";
import Alerts from "../pages/alerts";
import Overview from "../pages/overview";
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
  /** Its component is the default of what is loaded. */
  load: () => Promise<{ default: ComponentType }> | { default: ComponentType };
  /** A number beside the title, and what it says about the status. */
  count?: () => { n: number; tone: string };
}

/** Whether there is such a page, to be linked to. */
export const hasPage = (id: string): boolean => PAGES.some((page) => page.id === id);

type Loaded = typeof import("../pages/more");

const more = (name: keyof Loaded) => async () => ({ default: (await import("../pages/more"))[name] });

export const PAGES: readonly PageEntry[] = [
  { id: "overview", title: "Overview", icon: "overview", key: "o", group: "now", load: () => ({ default: Overview }) },
  {
    id: "alerts",
    title: "Alerts",
    icon: "alerts",
    key: "a",
    group: "now",
    load: () => ({ default: Alerts }),
    count: () => alertCounts.value,
  },
  { id: "silences", title: "Silences", icon: "silences", key: "s", group: "now", load: () => ({ default: Silences }) },
  { id: "pools", title: "Connection pools", icon: "pools", key: "p", group: "watched", load: more("pools") },
  { id: "queries", title: "Queries", icon: "queries", key: "q", group: "watched", load: more("queries") },
  { id: "redis", title: "Redis", icon: "redis", key: "r", group: "watched", load: more("redis") },
  { id: "http", title: "HTTP", icon: "http", key: "h", group: "watched", load: more("http") },
  { id: "host", title: "Host", icon: "host", key: "m", group: "watched", load: more("host") },
  { id: "rules", title: "Rules", icon: "rules", key: "u", group: "dozor", load: more("rules") },
  { id: "explore", title: "Explore", icon: "explore", key: "e", group: "dozor", load: more("explore") },
  { id: "settings", title: "Status", icon: "settings", key: "d", group: "dozor", load: more("settings") },
];
