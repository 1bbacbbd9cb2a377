// What was seen when an alert fired: who held connections, what was slow. A record of another release may be anything.

import { t } from "../core/i18n";
import { figure } from "../core/units";
import { titled } from "../core/words";
import { Lines } from "./code-lines";
import { Section } from "./layout";
import { Table, type Column } from "./table";
import { Told } from "./text";
import { Moment } from "./time";

type Entry = Record<string, unknown>;

const TITLES: Record<string, string> = {
  holders: "Who had connections",
  slow_queries: "Slow statements",
  slow_commands: "Slow Redis commands",
  routes: "The slowest routes",
  stalls: "What blocked the event loop",
};

const WORDS: Record<string, string> = {
  held: "Held for",
  duration: "Took",
  seconds: "For",
  at: "When",
  began_at: "When",
  endpoint: "Request",
  caller: "Called from",
  place: "Where",
  stack: "Called from",
};

/** What only a program asks for, or another column says. */
const LEFT_OUT = /^(id|connection|backend_pid|task|thread|leaked|pool|operation|fingerprint|failed|arguments|(state|statement)_seconds)$/;

export function Evidence({ of }: { of: Record<string, unknown> }) {
  const kinds = Object.entries(of).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  if (!kinds.length) return null;
  return (
    <Section title={t("Seen when it fired")}>
      {kinds.map(([name, value]) => (
        <div key={name} class="evidence">
          <h3>
            <Told most={80}>{t(TITLES[name] ?? titled(name))}</Told>
          </h3>
          {isTable(value) ? <Records name={name} of={value} /> : <pre tabIndex={0}>{JSON.stringify(value, null, 2).slice(0, 20000)}</pre>}
        </div>
      ))}
    </Section>
  );
}

const isTable = (value: unknown): value is Entry[] =>
  Array.isArray(value) && value.every((one) => typeof one === "object" && one !== null && !Array.isArray(one));

function Records({ name, of }: { name: string; of: Entry[] }) {
  const said = (key: string): boolean =>
    !LEFT_OUT.test(key) && !(key === "endpoint" && of.every((one) => one.who === one.endpoint)) && of.some((one) => plain(one[key]) !== "");
  const keys = [...new Set(of.flatMap(Object.keys))].filter(said).slice(0, 9);
  const columns = keys.map((key): Column<Entry> => {
    const word = key.replace(/_(seconds|ms)$/, "");
    const number = !isMoment(key) && of.some((one) => typeof one[key] === "number");
    return {
      title: t(WORDS[word] ?? titled(word)),
      value: (one) => (typeof one[key] === "number" ? one[key] : plain(one[key])),
      cell: (one) => <Shown name={key} value={one[key]} />,
      ...(number ? { kind: "num" as const } : {}),
    };
  });
  return <Table caption={t(TITLES[name] ?? titled(name))} columns={columns} rows={of.slice(0, 50)} id={(one) => String(of.indexOf(one))} />;
}

const isMoment = (key: string): boolean => /(^|_)at$/.test(key);

const unit = (key: string): string => key.match(/(?:^|_)(seconds|ms|bytes)$/)?.[1] ?? "";

/** Records of lines of code, too, as text. */
function plain(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map((one) => plain((one as Entry | null)?.lines ?? one)).join("\n");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The lines of code that a value names: of one place, or of several. */
const lines = (value: unknown): string[] =>
  Array.isArray(value) ? value.flatMap((one) => (typeof one === "string" ? [one] : lines((one as Entry | null)?.lines))) : [];

function Shown({ name, value }: { name: string; value: unknown }) {
  if (plain(value) === "") return <span class="dim">–</span>;
  if (typeof value === "number")
    return isMoment(name) && value < 1e11 ? <Moment at={new Date(value * 1000).toISOString()} /> : <>{figure(value, unit(name))}</>;
  if (typeof value === "boolean") return <>{value ? t("yes") : t("no")}</>;
  const of = lines(value);
  if (of.length) return <Lines title="" of={of} />;
  const told = <Told most={1000}>{plain(value)}</Told>;
  return /statement|command|caller|expr|place|shape/.test(name) ? <code>{told}</code> : told;
}
