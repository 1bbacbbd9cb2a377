// A table that can be sorted, becomes cards on a phone, and can be taken away as CSV.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { t } from "../core/i18n";
import { csv, save, type Cell } from "../core/take-away";
import { Icon } from "./icon";

export interface Column<R> {
  title: string;
  /** What stands in the cell. */
  cell: (row: R) => ComponentChildren;
  /** What is sorted and exported; without it the column is neither. */
  value?: (row: R) => Cell;
  kind?: "num" | "wide" | "narrow";
}

interface Props<R> {
  caption: string;
  columns: Column<R>[];
  rows: readonly R[];
  id: (row: R) => string;
  /** How many rows are drawn before somebody wants them all. */
  most?: number;
  /** The name of the file of CSV; without it there is none. */
  file?: string;
}

export function Table<R>({ caption, columns, rows, id, most = 50, file }: Props<R>) {
  const [whole, setWhole] = useState(false);
  const [order, setOrder] = useState<{ at: number; down: boolean } | null>(null);
  const by = order && columns[order.at]?.value;
  const sorted = by ? [...rows].sort((a, b) => compare(by(a), by(b)) * (order.down ? -1 : 1)) : rows;
  const turn = (at: number): void => setOrder(order?.at === at ? (order.down ? { at, down: false } : null) : { at, down: true });
  const take = (): void => {
    const told = columns.filter((column) => column.value);
    save(`${file}.csv`, csv([told.map((one) => one.title), ...sorted.map((row) => told.map((one) => one.value!(row)))]));
  };
  return (
    <div class="table-box">
      <div class="scroll" role="group" aria-label={caption} tabIndex={0}>
        <table>
          <caption class="hidden">{caption}</caption>
          <thead>
            <tr>
              {columns.map((column, at) => (
                <th
                  key={at}
                  scope="col"
                  class={column.kind}
                  aria-sort={order?.at === at ? (order.down ? "descending" : "ascending") : undefined}
                >
                  {column.value ? (
                    <button class="sort" onClick={() => turn(at)}>
                      {column.title}
                      <span aria-hidden="true">{order?.at === at ? (order.down ? " ↓" : " ↑") : ""}</span>
                    </button>
                  ) : (
                    column.title || <span class="hidden">{t("Do")}</span>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {(whole ? sorted : sorted.slice(0, most)).map((row) => (
              <tr key={id(row)} data-row={id(row)} tabIndex={-1}>
                {columns.map((column, at) =>
                  at === 0 ? (
                    <th key={at} scope="row" class={column.kind}>
                      {column.cell(row)}
                    </th>
                  ) : (
                    <td key={at} class={column.kind} data-label={column.title}>
                      {column.cell(row)}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {(file || sorted.length > most) && (
        <p class="table-foot dim">
          {sorted.length > most && !whole && (
            <>
              <span>{t("The first {most} of {all}.", { most, all: sorted.length })}</span>
              <button class="text" onClick={() => setWhole(true)}>
                {t("Show all")}
              </button>
            </>
          )}
          {file && sorted.length > 0 && (
            <button class="text" onClick={take}>
              <Icon name="down" /> CSV
            </button>
          )}
        </p>
      )}
    </div>
  );
}

function compare(a: Cell, b: Cell): number {
  const [noA, noB] = [a === null || a === undefined, b === null || b === undefined];
  if (noA || noB) return Number(noB) - Number(noA); // the unknown last, where the greatest is first
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}
