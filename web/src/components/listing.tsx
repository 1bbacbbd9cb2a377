// What is asked of the API every few seconds and stands in a table, with a word where there is nothing.

import type { ComponentChildren } from "preact";
import { t } from "../core/i18n";
import { useResource } from "../core/resource";
import { Empty, Fault, Section } from "./layout";
import { Table, type Column } from "./table";

interface Props<A, R> {
  title: string;
  ask: (signal: AbortSignal) => Promise<A>;
  rows: (answer: A) => readonly R[];
  columns: (answer: A) => Column<R>[];
  id: (row: R) => string;
  /** What is said where there are no rows; without it, the whole section is left out then. */
  none?: string | undefined;
  more?: ComponentChildren;
  lead?: string;
  aside?: (answer: A) => ComponentChildren;
  depends?: unknown[];
  every?: number;
  file?: string;
}

export function Listing<A, R>({ title, ask, rows, columns, id, none, more, lead, aside, depends = [], every = 5, file }: Props<A, R>) {
  const { data, error, reload } = useResource(ask, depends, every);
  const answer = data.value;
  const found = answer ? rows(answer) : [];
  if (!none && !found.length && !error.value) return null;
  return (
    <Section title={t(title)} aside={answer && aside?.(answer)}>
      {lead && <p class="lead dim">{t(lead)}</p>}
      <Fault error={error.value} retry={reload} />
      {answer && found.length ? (
        <Table caption={t(title)} columns={columns(answer)} rows={found} id={id} {...(file ? { file } : {})} />
      ) : (
        answer && none && (
          <Empty good title={t(none)}>
            {more}
          </Empty>
        )
      )}
    </Section>
  );
}
