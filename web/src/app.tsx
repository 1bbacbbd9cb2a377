// The frame around all pages: their list, how fresh the page is, keys, windows.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Icon } from "./components/icon";
import { Empty } from "./components/layout";
import { KeyList, Preferences } from "./components/preferences";
import { Shape, tone } from "./components/shape";
import { SignIn } from "./components/sign-in";
import { Tag } from "./components/badge";
import { Told } from "./components/text";
import { Toasts } from "./components/toasts";
import { keyWanted } from "./core/api";
import { root } from "./core/env";
import { t } from "./core/i18n";
import { bind, moveRow } from "./core/keys";
import { age, linkState, overview, refresh, trouble } from "./core/live";
import { go, link, place } from "./core/location";
import { PAGES, type PageEntry } from "./core/pages";
import { headline } from "./core/standing";
import { duration } from "./core/units";

const opened = signal<"" | "preferences" | "keys" | "menu">("");

const current = (): PageEntry | undefined => {
  const wanted = place.value.path[0] ?? PAGES[0]!.id;
  return PAGES.find((page) => page.id === wanted);
};

export function App() {
  useEffect(
    () =>
      bind([
        { keys: "?", does: "show the keys", run: () => (opened.value = "keys") },
        ...PAGES.map((page) => ({ keys: `g ${page.key}`, does: page.title, run: () => go(page.id) })),
        { keys: "j", does: "next row", run: () => moveRow(1) },
        { keys: "k", does: "previous row", run: () => moveRow(-1) },
        { keys: ",", does: "preferences", run: () => (opened.value = "preferences") },
        { keys: "/", does: "to the filter", run: () => document.querySelector<HTMLElement>("[data-filter]")?.focus() },
      ]),
    [],
  );
  useHead();
  const page = current();
  useEffect(() => scrollTo(0, 0), [page?.id]);
  if (keyWanted.value) return <SignIn />;
  const close = (): void => void (opened.value = "");
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        {t("To the content")}
      </a>
      <Sidebar current={page} />
      <div class="content">
        <LinkBanner />
        <main id="main" tabIndex={-1}>
          {page ? (
            <page.shows key={page.id} />
          ) : (
            <Empty title={t("There is no such page.")}>
              <p>
                <a href={link("overview")}>{t("To the overview")}</a>
              </p>
            </Empty>
          )}
        </main>
      </div>
      <Toasts />
      {opened.value === "preferences" && <Preferences close={close} />}
      {opened.value === "keys" && <KeyList close={close} />}
    </div>
  );
}

function Sidebar({ current: here }: { current: PageEntry | undefined }) {
  const known = overview.value;
  const open = opened.value === "menu";
  const groups: [PageEntry["group"], string][] = [
    ["now", t("Now")],
    ["watched", t("Watched")],
    ["dozor", "Dozor"],
  ];
  return (
    <header class={`side ${open ? "open" : ""}`}>
      <div class="brand">
        <a href={link("overview")} class="name">
          <Shape kind={tone(known?.status ?? "UNKNOWN")} />
          <span>
            <b>Dozor</b>
            <span class="dim"> {known?.name ? <Told most={40}>{known.name}</Told> : ""}</span>
          </span>
        </a>
        {known?.environment && (
          <Tag>
            <Told most={24}>{known.environment}</Told>
          </Tag>
        )}
        <button class="round unfold" aria-expanded={open} aria-label={t("Pages")} onClick={() => (opened.value = open ? "" : "menu")}>
          <Icon name={open ? "close" : "menu"} />
        </button>
      </div>
      <nav aria-label={t("Pages")}>
        {groups.map(([group, title]) => {
          const pages = PAGES.filter((page) => page.group === group);
          if (!pages.length) return null;
          return (
            <div key={group}>
              {group !== "now" && <p class="group">{title}</p>}
              <ul>
                {pages.map((page) => {
                  const count = page.count?.();
                  return (
                    <li key={page.id}>
                      <a
                        href={link(page.id)}
                        aria-current={page === here ? "page" : undefined}
                        onClick={() => open && (opened.value = "")}
                      >
                        <Icon name={page.icon} />
                        {t(page.title)}
                        {count && count.n > 0 && <span class={`count ${count.tone}`}>{count.n}</span>}
                      </a>
                    </li>
                  );
                })}
              </ul>
            </div>
          );
        })}
      </nav>
      <div class="foot">
        <LinkMark />
        <button class="text" onClick={() => (opened.value = "preferences")}>
          {t("Preferences")}
        </button>
        <button class="text" onClick={() => (opened.value = "keys")}>
          {t("Keys")} <kbd>?</kbd>
        </button>
        {known && <span class="dim version">Dozor {known.version}</span>}
      </div>
    </header>
  );
}

/** How fresh the page is, small and always there. */
function LinkMark() {
  const state = linkState.value;
  const words = {
    live: t("Live"),
    connecting: t("Connecting …"),
    late: t("{span} old", { span: duration(Math.round(age.value)) }),
    lost: t("Disconnected"),
    resting: t("Paused"),
  }[state];
  return (
    <span class={`link-mark ${state}`} role="status">
      <span class="dot" aria-hidden="true" />
      {words}
    </span>
  );
}

/** What is wrong with the connection, large, when something is. */
function LinkBanner() {
  const state = linkState.value;
  if (state !== "lost" && state !== "late") return null;
  const refused = trouble.value && trouble.value.status !== 0;
  return (
    <div class="banner" role="alert">
      <Shape kind="disconnected" />
      <p>
        <b>{refused ? t("Dozor refuses to answer.") : t("Disconnected: Dozor does not answer.")}</b>{" "}
        {refused && <bdi>{trouble.value!.message}</bdi>}{" "}
        {overview.value && t("What you see is {span} old.", { span: duration(Math.round(age.value)) })}
      </p>
      <button onClick={refresh}>{t("Try now")}</button>
    </div>
  );
}

/** The tab's title and icon say how things stand, too. */
function useHead(): void {
  const known = overview.value;
  const page = current();
  const status = known ? tone(known.status) : "unknown";
  const lost = linkState.value === "lost";
  useEffect(() => {
    const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    if (icon) icon.href = new URL(`icon-${lost ? "unknown" : status}.svg`, root).href;
  }, [status, lost]);
  const title = known ? (page?.id === "overview" ? headline(known) : t(page?.title ?? "Dozor")) : "Dozor";
  useEffect(() => {
    document.title = known ? `${lost ? "⚠ " : ""}${title} · ${known.name || "Dozor"}` : "Dozor";
  }, [title, lost, known?.name]);
}
