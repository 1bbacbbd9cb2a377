// What is shown stands in the address, behind the hash: #/alerts?tab=history&range=1h. It never reaches a server's log.

import { computed, signal } from "@preact/signals";
import { root } from "./env";

/** An address of the page without JavaScript, such as alert/ID, as one of this. */
(function adopt(): void {
  const rest = location.pathname.slice(root.pathname.length);
  const alert = rest.match(/^alert\/([^/]+)$/);
  const hash = location.hash.startsWith("#/") ? location.hash : alert ? `#/alerts/${alert[1]}` : rest === "silence" ? "#/silences" : "";
  if (!rest && !location.search) return;
  // The document's links are relative to where it was.
  for (const one of document.querySelectorAll("link")) one.href = one.href;
  history.replaceState(null, "", root.href + hash);
})();

const hash = signal(location.hash);
addEventListener("hashchange", () => (hash.value = location.hash));
addEventListener("popstate", () => (hash.value = location.hash));

export interface Place {
  /** The parts of the path: ["alerts", ID]. */
  path: string[];
  query: URLSearchParams;
}

export const place = computed<Place>(() => {
  const [path = "", query = ""] = hash.value.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
});

/** What stands in the address under `name`; empty where nothing does. */
export const asked = (name: string): string => place.value.query.get(name) ?? "";

const KEPT = ["range", "from", "to"]; // the time range goes along from page to page

/** The address of a page, to be linked. */
export function link(path: string, query: Record<string, string> = {}): string {
  const wanted = new URLSearchParams();
  for (const name of KEPT) {
    const value = place.value.query.get(name);
    if (value) wanted.set(name, value);
  }
  for (const [name, value] of Object.entries(query)) if (value) wanted.set(name, value);
  const said = wanted.toString();
  return `#/${path}${said ? `?${said}` : ""}`;
}

/** Go to a page. */
export function go(path: string, query: Record<string, string> = {}): void {
  location.hash = link(path, query);
}

/** Change what stands in the address of this page; empty: take it out. `quietly`: without a step for the back button. */
export function ask(changes: Record<string, string | null>, quietly = false): void {
  const query = new URLSearchParams(place.peek().query);
  for (const [name, value] of Object.entries(changes)) value ? query.set(name, value) : query.delete(name);
  const said = query.toString();
  const path = place.peek().path.map(encodeURIComponent).join("/");
  const next = `#/${path}${said ? `?${said}` : ""}`;
  if (next === location.hash) return;
  history[quietly ? "replaceState" : "pushState"](null, "", next);
  hash.value = location.hash;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
