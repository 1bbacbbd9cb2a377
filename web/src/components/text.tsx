// Text that somebody else chose (a name, a statement, a note): text only, cut, and with its own direction.

import { cut } from "../core/words";

/** `<bdi>` keeps right-to-left marks inside from turning the rest of the line around. */
export function Told({ children, most = 300 }: { children: unknown; most?: number }) {
  const said = String(children ?? "");
  return <bdi title={said.length > most ? cut(said, 2000) : undefined}>{cut(said, most)}</bdi>;
}

const HIDDEN = new Set(["alertname", "component", "severity"]);

/** The labels that tell one thing from others. */
export function LabelList({ labels, most = 8, all = false }: { labels: Record<string, string>; most?: number; all?: boolean }) {
  const pairs = Object.entries(labels).filter(([name]) => all || !HIDDEN.has(name));
  if (!pairs.length) return null;
  return (
    <ul class="labels">
      {pairs.slice(0, most).map(([name, value]) => (
        <li key={name}>
          <span class="dim">
            <Told most={60}>{name}</Told>=
          </span>
          <Told most={120}>{value}</Told>
        </li>
      ))}
      {pairs.length > most && <li class="dim">+{pairs.length - most}</li>}
    </ul>
  );
}

/** A link that leads only to web pages. */
export function WebLink({ to, children }: { to: string | undefined; children: preact.ComponentChildren }) {
  if (!to || !/^https?:\/\//i.test(to)) return null;
  return (
    <a href={to} rel="noopener noreferrer">
      {children}
    </a>
  );
}
