// Small drawings for buttons and for the list of pages; each is one path in a square of 20.

const PATHS = {
  overview: "M3 10.5 10 4l7 6.5M5 9v7.5h10V9M8.5 16.5V12h3v4.5",
  alerts: "M10 3a4.5 4.5 0 0 0-4.5 4.5c0 5-2 6-2 6h13s-2-1-2-6A4.5 4.5 0 0 0 10 3zM8.3 16.5a2 2 0 0 0 3.4 0",
  silences: "M5.6 5.5A4.6 4.6 0 0 0 5.5 7.5c0 5-2 6-2 6h10M8 3.5a4.5 4.5 0 0 1 6.5 4c0 2 .3 3.3.7 4.2M8.3 16.5a2 2 0 0 0 3.4 0M3 3l14 14",
  pools: "M4 5.5c0-3.3 12-3.3 12 0s-12 3.3-12 0zM4 5.5v9c0 3.3 12 3.3 12 0v-9M4 10c0 3.3 12 3.3 12 0",
  queries: "M4 5h12M4 9h8M4 13h5M13 15.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM15 15l2 2",
  redis: "M10 3 17 6.5 10 10 3 6.5zM3 10l7 3.5 7-3.5M3 13.5 10 17l7-3.5",
  http: "M3 10a7 7 0 1 0 14 0 7 7 0 1 0-14 0M3 10h14M10 3c4.5 4.5 4.5 9.5 0 14M10 3c-4.5 4.5-4.5 9.5 0 14",
  host: "M4 4h12v5H4zM4 11h12v5H4zM6.5 6.5h.1M6.5 13.5h.1",
  rules: "M4 5h2M9 5h7M4 10h2M9 10h7M4 15h2M9 15h7",
  explore: "M3 16.5h14M4.5 13l4-5 3 3 4.5-6.5",
  settings: "M4 6h7M15 6h1M4 14h1M9 14h7M13 4v4M7 12v4",
  menu: "M3 6h14M3 10h14M3 14h14",
  close: "M5 5l10 10M15 5 5 15",
  more: "M5 10h.1M10 10h.1M15 10h.1",
  check: "M4 10.5 8 14.5 16 5.5",
  mute: "M4 8v4h3l4 3V5L7 8zM14 8l3 4M17 8l-3 4",
  left: "M12 4l-6 6 6 6",
  table: "M3 5h14v11H3zM3 9h14M8 5v11",
  copy: "M7 7h9v9H7zM4 13V4h9",
  down: "M10 4v9M6 9.5 10 13.5 14 9.5M4 16.5h12",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
