// Alerts: who has them, what keeps them quiet, what is to come, what was. One alert is a page of its own.

import { useEffect, useState } from "preact/hooks";
import { AlertRow, alertLink } from "../components/alert-row";
import { Actions } from "../components/act";
import { Empty, Fault, Loading, Tabs, type Tab } from "../components/layout";
import { acknowledge, resolve, silence } from "../core/actions";
import { get, type Alert } from "../core/api";
import { t, tn } from "../core/i18n";
import { bind, focusedRow } from "../core/keys";
import { happened } from "../core/live";
import { ask, asked, place } from "../core/location";
import { useResource } from "../core/resource";
import { isOpen, worstSeverity } from "../core/standing";
import { csv, save } from "../core/take-away";
import { matcher, splitMatchers } from "../core/words";
import { Badge } from "../components/badge";
import { Icon } from "../components/icon";
import { Told } from "../components/text";
import AlertPage from "./alert";

export default function AlertsPage() {
  const id = place.value.path[1];
  return id ? <AlertPage key={id} id={id} /> : <AlertLists />;
}

const LISTS: { id: string; title: string; of: (alert: Alert) => boolean; empty: string; why: string }[] = [
  {
    id: "active",
    title: "Active",
    of: isOpen,
    empty: "Nothing fires that nobody has.",
    why: "What fires stands here until somebody acknowledges it, a silence matches it, or it ends.",
  },
  {
    id: "acknowledged",
    title: "Acknowledged",
    of: (alert) => alert.state === "ACKNOWLEDGED",
    empty: "Nobody has acknowledged anything that still fires.",
    why: "To acknowledge is to say: I have it. Reminders stop, and it stays said until the alert ends.",
  },
  {
    id: "silenced",
    title: "Silenced",
    of: (alert) => alert.state === "SILENCED",
    empty: "Nothing is silenced.",
    why: "Of what is silenced nobody is told, for a time that somebody chose. It stays visible here.",
  },
  {
    id: "inhibited",
    title: "Inhibited",
    of: (alert) => alert.state === "FIRING" && alert.inhibited_by.length > 0,
    empty: "Nothing is inhibited.",
    why: "Where one alert says it all, those that would only repeat it are kept quiet by it.",
  },
  {
    id: "pending",
    title: "Pending",
    of: (alert) => alert.state === "PENDING",
    empty: "Nothing is about to fire.",
    why: "Conditions that hold, but not for as long as their rule wants.",
  },
];

const HISTORY = "history";

function AlertLists() {
  const filter = asked("filter");
  const matchers = splitMatchers(filter);
  const tab = asked("tab") || "active";
  const { data, error, reload } = useResource(
    (signal) => get("alerts/active", { query: { pending: true, limit: 1000, filter: matchers }, signal }),
    [filter, happened.value],
    5,
  );
  const all = data.value?.alerts ?? [];
  const tabs: Tab[] = LISTS.map((list) => {
    const found = all.filter(list.of);
    return { id: list.id, title: t(list.title), count: found.length, tone: list.id === "active" ? worstSeverity(found).toLowerCase() : "" };
  });
  tabs.push({ id: HISTORY, title: t("History") });
  const list = LISTS.find((one) => one.id === tab) ?? LISTS[0]!;
  return (
    <>
      <h1>{t("Alerts")}</h1>
      <Filter value={filter} fault={error.value?.status === 422 ? error.value.message : null} />
      <Tabs name="tab" tabs={tabs} label={t("Lists of alerts")} />
      {tab === HISTORY ? (
        <History filter={filter} matchers={matchers} />
      ) : (
        <>
          {error.value?.status !== 422 && <Fault error={error.value} retry={reload} />}
          {data.value ? <Chosen key={list.id} alerts={all.filter(list.of)} empty={list} filtered={matchers.length > 0} done={reload} /> : !error.value && <Loading />}
        </>
      )}
    </>
  );
}

/** Matchers in Alertmanager's notation; the address has them. */
export function Filter({ value, fault }: { value: string; fault: string | null }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <form
      class="filter"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        ask({ filter: text.trim() || null });
      }}
    >
      <label class="hidden" for="filter">
        {t("Filter by matchers")}
      </label>
      <input
        id="filter"
        data-filter
        value={text}
        spellcheck={false}
        autocomplete="off"
        placeholder='severity=~"critical|warning", pool="main"'
        aria-invalid={fault !== null}
        aria-describedby={fault ? "filter-fault" : undefined}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button>{t("Filter")}</button>
      {value && (
        <button type="button" class="quiet" onClick={() => ask({ filter: null })}>
          {t("Show all")}
        </button>
      )}
      {fault && (
        <p id="filter-fault" class="status warning" role="alert">
          {fault}
        </p>
      )}
    </form>
  );
}

interface ChosenProps {
  alerts: Alert[];
  empty: { empty: string; why: string };
  filtered: boolean;
  done: () => void;
}

const MOST = 100;

/** A list of which some can be chosen, and acted upon at once. */
function Chosen({ alerts, empty, filtered, done }: ChosenProps) {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const chosen = alerts.filter((alert) => ids.has(alert.id));
  const turn = (id: string): void => {
    const next = new Set(ids);
    next.delete(id) || next.add(id);
    setIds(next);
  };
  useEffect(() => {
    const these = (): Alert[] => (chosen.length ? chosen : alerts.filter((alert) => alert.id === focusedRow()));
    const act = (what: (alerts: Alert[]) => void) => () => {
      if (these().length) what(these());
      setTimeout(done, 300);
    };
    return bind([
      { keys: "x", does: "choose the row", run: () => focusedRow() && turn(focusedRow()!) },
      { keys: "a", does: "acknowledge", run: act((those) => void acknowledge(those)) },
      { keys: "s", does: "silence for 1 hour", run: act((those) => void silence(those, "1h")) },
      { keys: "r", does: "resolve", run: act((those) => resolve(those)) },
      { keys: "Enter", does: "open the row", run: () => focusedRow() && (location.hash = alertLink({ id: focusedRow()! })) },
    ]);
  });
  if (!alerts.length)
    return (
      <Empty good title={filtered ? t("No alert here matches the filter.") : t(empty.empty)}>
        <p class="dim">{t(empty.why)}</p>
      </Empty>
    );
  return (
    <>
      <div class="bulk">
        <label class="tick">
          <input
            type="checkbox"
            checked={chosen.length === alerts.length}
            ref={(box) => void (box && (box.indeterminate = chosen.length > 0 && chosen.length < alerts.length))}
            onChange={() => setIds(chosen.length === alerts.length ? new Set() : new Set(alerts.map((alert) => alert.id)))}
          />
          {chosen.length ? tn(chosen.length, "{n} chosen|{n} chosen") : t("Choose all")}
        </label>
        {chosen.length > 0 && <Actions of={chosen} small />}
        <span class="grow" />
        <button class="text" onClick={() => save("alerts.csv", csv(table(alerts)))}>
          <Icon name="down" /> CSV
        </button>
      </div>
      <ul class="alerts">
        {alerts.slice(0, MOST).map((alert) => (
          <AlertRow key={alert.id} alert={alert} chosen={ids.has(alert.id)} choose={() => turn(alert.id)} />
        ))}
      </ul>
      {alerts.length > MOST && <p class="dim">{t("The first {most} of {all}.", { most: MOST, all: alerts.length })} {t("A filter brings the others forward.")}</p>}
    </>
  );
}

interface Filtered {
  filter: string;
  /** The same, one by one. */
  matchers: string[];
}

/** What ever fired, a page at a time. */
function History({ filter, matchers }: Filtered) {
  const [known, setKnown] = useState<{ of: string; alerts: Alert[]; cursor: string | null } | null>(null);
  const read = (signal: AbortSignal | undefined, at: string | null) =>
    get("alerts/history", {
      query: { limit: 50, filter: matchers, ...(at ? { cursor: at } : {}) },
      ...(signal ? { signal } : {}),
    });
  const { data, error, reload } = useResource(async (signal) => {
    const page = await read(signal, null);
    // What was read of it before stays below what is new.
    setKnown((before) =>
      before?.of === filter
        ? { ...before, alerts: [...page.alerts, ...before.alerts.filter((old) => !page.alerts.some((one) => one.id === old.id))] }
        : { of: filter, alerts: page.alerts, cursor: page.next_cursor },
    );
    return page;
  }, [filter, happened.value]);
  const { alerts, cursor } = known ?? { alerts: [], cursor: null };
  const more = async (): Promise<void> => {
    const page = await read(undefined, cursor);
    setKnown({ of: filter, alerts: [...alerts, ...page.alerts], cursor: page.next_cursor });
  };
  if (error.value) return error.value.status === 422 ? null : <Fault error={error.value} retry={reload} />;
  if (!data.value) return <Loading />;
  if (!alerts.length)
    return (
      <Empty good title={filter ? t("Nothing that ever fired matches the filter.") : t("Nothing has ever fired.")}>
        <p class="dim">{t("Every alert that fires is kept here, with what was done about it.")}</p>
      </Empty>
    );
  return (
    <>
      <Facets filter={filter} matchers={matchers} />
      <div class="bulk">
        <span class="dim">{tn(data.value.total, "{n} alert|{n} alerts")}</span>
        <span class="grow" />
        <button class="text" onClick={() => save("history.csv", csv(table(alerts)))}>
          <Icon name="down" /> CSV
        </button>
      </div>
      <ul class="alerts">
        {alerts.map((alert) => (
          <AlertRow key={alert.id} alert={alert} actions={false} />
        ))}
      </ul>
      {cursor && <button onClick={() => void more()}>{t("Earlier ones")}</button>}
    </>
  );
}

const FACETS: Record<string, string> = { alertname: "Rule", severity: "Severity", component: "Component" };

/** What those that are found have in common. A click asks for those that share it, another takes that back. */
function Facets({ filter, matchers }: Filtered) {
  const { data } = useResource(
    (signal) => get("alerts/history/facets", { query: { filter: matchers, values: 6 }, signal }),
    [filter],
  );
  const facets = (data.value?.facets ?? []).map(({ label, values, others }) => ({
    label,
    others,
    values: values.map(({ value, count }) => ({ value, count, matcher: matcher(label, value) })),
  }));
  const telling = facets.filter(({ values }) => values.length > 1 || matchers.includes(values[0]!.matcher)).slice(0, 6);
  if (!telling.length) return null;
  return (
    <dl class="facets card">
      {telling.map(({ label, values, others }) => (
        <div key={label}>
          <dt>{FACETS[label] ? t(FACETS[label]) : <Told most={40}>{label}</Told>}</dt>
          <dd>
            {values.map(({ value, count, matcher }) => {
              const on = matchers.includes(matcher);
              const next = on ? matchers.filter((one) => one !== matcher) : [...matchers, matcher];
              return (
                <button key={value} aria-pressed={on} onClick={() => ask({ filter: next.join(", ") })}>
                  {label === "severity" ? <Badge of={value} /> : <Told most={40}>{value}</Told>} <span class="count">{count}</span>
                </button>
              );
            })}
            {others > 0 && <span class="dim">{t("and {n} more", { n: others })}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function table(alerts: Alert[]): (string | number | null | undefined)[][] {
  const row = (alert: Alert) => [
    alert.rule,
    alert.severity,
    alert.state,
    alert.value,
    alert.fired_at,
    alert.resolved_at,
    alert.annotations.summary,
    Object.entries(alert.labels).map(([name, value]) => `${name}=${value}`).join(" "),
    alert.id,
  ];
  return [["rule", "severity", "state", "value", "fired_at", "resolved_at", "summary", "labels", "id"], ...alerts.map(row)];
}
