// Silences: who is not told of what, until when, why; and the form to make or change one, with what it would match.

import { useEffect, useState } from "preact/hooks";
import { By } from "../components/alert-row";
import { Badge, Tag } from "../components/badge";
import { Dialog } from "../components/dialog";
import { Empty, Fault, Loading, Tabs } from "../components/layout";
import { Table, type Column } from "../components/table";
import { Told } from "../components/text";
import { Ago } from "../components/time";
import { SPANS } from "../components/act";
import { alertLink } from "../components/alert-row";
import { ApiError, del, get, post, put, type Silence } from "../core/api";
import { seconds, serverNow } from "../core/clock";
import { t, tn } from "../core/i18n";
import { happened, refresh } from "../core/live";
import { ask, asked } from "../core/location";
import { person, zone } from "../core/preferences";
import { useResource } from "../core/resource";
import { summary } from "../core/standing";
import { complain, say } from "../core/toasts";
import { capital, splitMatchers } from "../core/words";

export default function SilencesPage() {
  const { data, error, reload } = useResource((signal) => get("silences", { query: { limit: 1000 }, signal }), [happened.value], 5);
  const all = data.value?.silences ?? [];
  const expired = asked("tab") === "expired";
  const current = all.filter((one) => one.state !== "EXPIRED");
  const over = all.filter((one) => one.state === "EXPIRED");
  const wanted = asked("new");
  const changed = all.find((one) => one.id === asked("edit"));
  const close = (): void => ask({ new: null, edit: null }, true);
  return (
    <>
      <header class="page-head">
        <h1>{t("Silences")}</h1>
        <button class="first" onClick={() => ask({ new: " " })}>
          {t("New silence")}
        </button>
      </header>
      <p class="lead dim">{t("Nobody is told of what they match. It stays visible, and whoever looks sees why it is quiet.")}</p>
      <Tabs
        name="tab"
        label={t("Lists of silences")}
        tabs={[
          { id: "current", title: t("In force, or still to come"), count: current.length },
          { id: "expired", title: t("Over in the last day"), count: over.length },
        ]}
      />
      <Fault error={error.value} retry={reload} />
      {!data.value ? (
        !error.value && <Loading />
      ) : (expired ? over : current).length ? (
        <Inventory of={expired ? over : current} done={reload} />
      ) : (
        <Empty good title={expired ? t("No silence has ended in the last day.") : t("Nothing is silenced.")}>
          <p class="dim">
            {t("Before a maintenance, silence what it will set off: for a time, by matchers, with a reason for the others to see.")}
          </p>
        </Empty>
      )}
      {(wanted || changed) && (
        <Editor
          key={changed?.id ?? "new"}
          silence={changed}
          matchers={changed ? changed.matchers.join("\n") : splitMatchers(wanted).join("\n")}
          close={close}
          done={reload}
        />
      )}
    </>
  );
}

const TONES = { ACTIVE: "warning", SCHEDULED: "unknown", EXPIRED: "" };

function Inventory({ of, done }: { of: Silence[]; done: () => void }) {
  const columns: Column<Silence>[] = [
    {
      title: t("What"),
      value: (one) => one.matchers.join(", ") || one.alerts[0]?.rule || one.alert_id,
      cell: (one) =>
        one.alert_id ? (
          <a href={alertLink({ id: one.alert_id })}>
            <Told most={120}>{one.alerts[0]?.rule ?? t("an alert")}</Told>
          </a>
        ) : (
          <ul class="labels">
            {one.matchers.map((matcher) => (
              <li key={matcher}>
                <code>
                  <Told most={200}>{matcher}</Told>
                </code>
              </li>
            ))}
          </ul>
        ),
      kind: "wide",
    },
    { title: t("State"), value: (one) => one.state, cell: (one) => <Tag tone={TONES[one.state]}>{t(capital(one.state))}</Tag> },
    {
      title: t("Ends"),
      value: (one) => one.ended_at ?? one.ends_at,
      cell: (one) => (one.ended_at ?? one.ends_at ? <Ago at={one.ended_at ?? one.ends_at} /> : t("when it has resolved")),
    },
    { title: t("Silences now"), value: (one) => one.matched, cell: (one) => one.matched, kind: "num" },
    {
      title: t("Why"),
      value: (one) => one.comment,
      cell: (one) => (
        <>
          <Told most={300}>{one.comment ?? ""}</Told>
          <small class="dim">
            {t("made")} <Ago at={one.created_at} /> <By name={one.by} />
          </small>
        </>
      ),
    },
    {
      title: "",
      cell: (one) =>
        one.state !== "EXPIRED" && (
          <div class="actions small">
            {!one.alert_id && <button onClick={() => ask({ edit: one.id })}>{t("Change")}</button>}
            <button onClick={() => void end(one, done)}>{t("End it")}</button>
          </div>
        ),
    },
  ];
  return <Table caption={t("Silences")} columns={columns} rows={of} id={(one) => one.id} file="silences" />;
}

async function end(silence: Silence, done: () => void): Promise<void> {
  try {
    await del("silences/{silence_id}", { path: { silence_id: silence.id }, query: person.value ? { by: person.value } : {} });
    const again = async (): Promise<void> => {
      const span = silence.ends_at ? { ends_at: silence.ends_at } : { until_resolved: true };
      const starts = silence.state === "SCHEDULED" && silence.starts_at ? { starts_at: silence.starts_at } : {};
      const remark = { ...(silence.by ? { by: silence.by } : {}), ...(silence.comment ? { comment: silence.comment } : {}) };
      if (silence.alert_id)
        await post("alerts/{alert_id}/silence", {
          path: { alert_id: silence.alert_id },
          body: { ...(silence.ends_at ? { until: silence.ends_at } : { until_resolved: true }), ...remark },
        });
      else await post("silences", { body: { matchers: silence.matchers, ...starts, ...span, ...remark } });
      done();
      say(t("Taken back."));
    };
    say(t("Ended: of what still fires, people are told."), { undo: () => void again().catch(complain) });
  } catch (error) {
    complain(error);
  }
  done();
  refresh();
}

// -- the editor ------------------------------------------------------------------------------------------------------

interface EditorProps {
  silence: Silence | undefined;
  matchers: string;
  close: () => void;
  done: () => void;
}

const AS_IT_IS = "as it is";

function Editor({ silence, matchers: first, close, done }: EditorProps) {
  const [text, setText] = useState(first);
  const [settled, setSettled] = useState(first);
  const [span, setSpan] = useState(silence ? AS_IT_IS : "1h");
  const [starts, setStarts] = useState("");
  const [by, setBy] = useState(silence?.by ?? person.value);
  const [comment, setComment] = useState(silence?.comment ?? "");
  const [fault, setFault] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 350);
    return () => clearTimeout(timer);
  }, [text]);
  const begins = starts && new Date(starts + (zone.value === "utc" ? "Z" : "")).toISOString();
  const send = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const kept = silence?.ends_at ? { ends_at: silence.ends_at } : { until_resolved: true };
    const body = {
      matchers: splitMatchers(text),
      ...(span === AS_IT_IS ? kept : span === "until_resolved" ? { until_resolved: true } : { duration: span }),
      ...(begins ? { starts_at: begins } : {}),
      ...(by ? { by } : {}),
      ...(comment ? { comment } : {}),
    };
    try {
      if (silence) await put("silences/{silence_id}", { path: { silence_id: silence.id }, body });
      else {
        const made = await post("silences", { body });
        say(t("Made: nobody is told of what it matches."), {
          undo: () => void del("silences/{silence_id}", { path: { silence_id: made.id } }).then(done, complain),
        });
      }
      if (by && !person.value) person.value = by;
      done();
      refresh();
      close();
    } catch (error) {
      setFault(error instanceof ApiError ? error.message : String(error));
    }
  };
  return (
    <Dialog title={silence ? t("Change a silence") : t("New silence")} close={close}>
      <form class="form" onSubmit={(event) => void send(event)}>
        <label>
          {t("Which alerts: one matcher a line, all must match")}
          <textarea
            class="code"
            rows={3}
            required
            spellcheck={false}
            placeholder={'pool="main"\nseverity=~"info|warning"'}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <Preview text={settled} />
        <div class="pair">
          <label>
            {t("For how long")}
            <select value={span} onChange={(event) => setSpan(event.currentTarget.value)}>
              {silence && <option value={AS_IT_IS}>{t("until the end it has")}</option>}
              {SPANS.map(([value, words]) => (
                <option key={value} value={value}>
                  {t(words)}
                </option>
              ))}
            </select>
          </label>
          <label>
            {t("Begins (empty: now)")} {zone.value === "utc" && "UTC"}
            <input type="datetime-local" value={starts} onInput={(event) => setStarts(event.currentTarget.value)} />
          </label>
        </div>
        <label>
          {t("Why, for the others to see")}
          <input value={comment} maxLength={4000} onInput={(event) => setComment(event.currentTarget.value)} />
        </label>
        <label>
          {t("Your name")}
          <input value={by} maxLength={200} autocomplete="name" onInput={(event) => setBy(event.currentTarget.value)} />
        </label>
        {fault && (
          <p role="alert" class="status critical">
            {fault}
          </p>
        )}
        <div class="actions">
          <button class="first">{silence ? t("Change it") : t("Silence them")}</button>
          {begins && seconds(begins) < serverNow() && <span class="dim">{t("That moment is past: it begins now.")}</span>}
        </div>
      </form>
    </Dialog>
  );
}

/** What the matchers would silence now. */
function Preview({ text }: { text: string }) {
  const matchers = splitMatchers(text);
  const { data, error } = useResource(
    async (signal) => (matchers.length ? post("silences/preview", { body: { matchers }, signal }) : null),
    [matchers.join("\n")],
  );
  if (error.value) return <p class="preview status warning" role="alert"><bdi>{error.value.message}</bdi></p>;
  if (!data.value) return <p class="preview dim">{t("What it would silence is shown here.")}</p>;
  const { alerts, total } = data.value;
  return (
    <div class="preview" role="status">
      <p class="strong">{total ? tn(total, "This matches {n} alert now.|This matches {n} alerts now.") : t("This matches nothing now.")}</p>
      <ul>
        {alerts.slice(0, 6).map((alert) => (
          <li key={alert.id}>
            <Badge of={alert.severity} quiet /> <b><Told most={80}>{alert.rule}</Told></b> <span class="dim"><Told most={120}>{summary(alert)}</Told></span>
          </li>
        ))}
      </ul>
    </div>
  );
}
