// What pages are made of: sections, cards, facts, empty states, tabs.

import type { ComponentChildren } from "preact";
import type { ApiError } from "../core/api";
import { t } from "../core/i18n";
import { linkState } from "../core/live";
import { ask, asked } from "../core/location";
import { Shape } from "./shape";

export function Section(props: { title: string; children: ComponentChildren; aside?: ComponentChildren; id?: string }) {
  return (
    <section id={props.id} class="section" aria-label={props.title}>
      <header class="section-head">
        <h2>{props.title}</h2>
        {props.aside && <div class="aside">{props.aside}</div>}
      </header>
      {props.children}
    </section>
  );
}

export function Facts({ of }: { of: [string, ComponentChildren][] }) {
  return (
    <dl class="facts card">
      {of
        .filter(([, value]) => value !== null && value !== undefined && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** Says why there is nothing, and what would bring something. `good`: that is good news. */
export function Empty({ title, children, good }: { title: string; children?: ComponentChildren; good?: boolean }) {
  return (
    <div class={`empty ${good ? "good" : ""}`}>
      <Shape kind={good ? "healthy" : "none"} />
      <div>
        <p class="strong">{title}</p>
        {children}
      </div>
    </div>
  );
}

/** Why something could not be shown. */
export function Fault({ error, retry }: { error: ApiError | null; retry?: () => void }) {
  // That Dozor does not answer is said once, by the banner.
  if (!error || (error.status === 0 && linkState.value === "lost")) return null;
  return (
    <div class="fault" role="alert">
      <Shape kind="warning" />
      <p>{error.status === 0 ? t("Dozor does not answer. It is asked again every few seconds.") : error.message}</p>
      {retry && (error.status < 400 || error.status >= 500) && <button onClick={retry}>{t("Try again")}</button>}
    </div>
  );
}

export function Loading() {
  return (
    <p class="loading dim" role="status">
      {t("Asking Dozor …")}
    </p>
  );
}

export interface Tab {
  id: string;
  title: string;
  count?: number | undefined;
  tone?: string;
}

/** Tabs whose choice stands in the address under `name`; the first is the standard one. */
export function Tabs({ name, tabs, label }: { name: string; tabs: Tab[]; label: string }) {
  const chosen = asked(name) || tabs[0]!.id;
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((tab, at) => (
        <button
          key={tab.id}
          aria-current={tab.id === chosen ? "page" : undefined}
          onClick={() => ask({ [name]: at === 0 ? null : tab.id })}
        >
          {tab.title}
          {tab.count !== undefined && <span class={`count ${tab.count ? (tab.tone ?? "") : "zero"}`}>{tab.count}</span>}
        </button>
      ))}
    </nav>
  );
}
