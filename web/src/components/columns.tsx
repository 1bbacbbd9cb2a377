// Columns of the usual kinds, by the name of what they show.

import { t } from "../core/i18n";
import { figure, type Unit } from "../core/units";
import type { Column } from "./table";
import { Told } from "./text";
import { Ago } from "./time";

type Of<R, V> = { [K in keyof R]-?: R[K] extends V | null | undefined ? K : never }[keyof R];

/** A figure. */
export const num = <R,>(title: string, key: Of<R, number>, unit: Unit = ""): Column<R> => ({
  title: t(title),
  value: (row) => row[key] as number | null,
  cell: (row) => figure(row[key] as number | null, unit),
  kind: "num",
});

/** Text; `code`: of a program. */
export const text = <R,>(title: string, key: Of<R, string>, { code, most = 160 }: { code?: boolean; most?: number } = {}): Column<R> => ({
  title: t(title),
  value: (row) => row[key] as string | null,
  cell: (row) => {
    const told = row[key] ? <Told most={most}>{row[key]}</Told> : "–";
    return code ? <code>{told}</code> : told;
  },
  ...(code ? { kind: "wide" as const } : {}),
});

/** How long ago. */
export const when = <R,>(title: string, key: Of<R, string>): Column<R> => ({
  title: t(title),
  value: (row) => row[key] as string | null,
  cell: (row) => <Ago at={row[key] as string | null} />,
});
