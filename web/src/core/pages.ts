// The list of pages. A page is one file in pages/, and a line here puts it on the list. Those that are opened in a hurry come
// with the first load; all others when somebody goes there.

import type { ComponentType } from "preact";
import type { IconName } from "../components/icon";
import * as alerts from "../pages/alerts";
import * as overview from "../pages/overview";
import * as silences from "../pages/silences";
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
  /** Its component is the default of what is loaded: `() => import("../pages/redis")`. */
  load: () => Promise<{ default: ComponentType }> | { default: ComponentType };
  /** A number beside the title, and what it says about the status. */
  count?: () => { n: number; tone: string };
}

/** Whether there is such a page, to be linked to. */
export const hasPage = (id: string): boolean => PAGES.some((page) => page.id === id);

export const PAGES: readonly PageEntry[] = [
  { id: "overview", title: "Overview", icon: "overview", key: "o", group: "now", load: () => overview },
  {
    id: "alerts",
    title: "Alerts",
    icon: "alerts",
    key: "a",
    group: "now",
    load: () => alerts,
    count: () => alertCounts.value,
  },
  { id: "silences", title: "Silences", icon: "silences", key: "s", group: "now", load: () => silences },
];
