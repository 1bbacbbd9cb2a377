// What was seen when an alert fired: who held connections, what was slow. A record of another release may be anything.

import { t } from "../core/i18n";
import { figure } from "../core/units";
import { titled } from "../core/words";
import { Section } from "./layout";
import { Table, type Column } from "./table";
import { Told } from "./text";

type Entry = Record<string, unknown>;

/** What tells one record from another, and helps nobody who looks. */
const INNER = /^(at|connection|backend_pid|task|thread|leaked|fingerprint|pool|failed|state(ment)?_seconds)$/;

const TITLES: Record<string, string> = {
  holders: "Who had connections",
  slow_queries: "Slow statements",
  slow_commands: "Slow Redis commands",
  routes: "The slowest routes",
};

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
  const keys = [...new Set(of.flatMap(Object.keys))].filter((key) => !INNER.test(key) && of.some((one) => plain(one[key]))).slice(0, 9);
  const columns = keys.map(
    (key): Column<Entry> => ({
      title: t(titled(key.replace(/_(seconds|ms)$/, ""))),
      value: (one) => (typeof one[key] === "number" ? one[key] : plain(one[key])),
      cell: (one) => (typeof one[key] === "number" ? figure(one[key], unit(key)) : <Text name={key} value={one[key]} />),
      ...(of.some((one) => typeof one[key] === "number") ? { kind: "num" as const } : {}),
    }),
  );
  return <Table caption={t(TITLES[name] ?? titled(name))} columns={columns} rows={of.slice(0, 50)} id={(one) => String(of.indexOf(one))} />;
}

const unit = (key: string): string => (key.endsWith("_seconds") ? "seconds" : key.endsWith("_ms") ? "ms" : key.endsWith("_bytes") ? "bytes" : "");

/** Records of lines of code, too, as text. */
function plain(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map((one) => plain((one as Entry | null)?.lines ?? one)).join("\n");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function Text({ name, value }: { name: string; value: unknown }) {
  if (value === null || value === undefined || value === "") return <span class="dim">–</span>;
  if (typeof value === "boolean") return <>{value ? t("yes") : t("no")}</>;
  const told = <Told most={1000}>{plain(value)}</Told>;
  return /statement|command|caller|expr|_at$/.test(name) ? <code>{told}</code> : told;
}
