// The icons, as strokes on a 20 × 20 grid.
const PATHS = {
  aster: "M10 2.5v5M10 12.5v5M2.5 10h5M12.5 10h5M4.7 4.7l3.5 3.5M11.8 11.8l3.5 3.5M15.3 4.7l-3.5 3.5M8.2 11.8l-3.5 3.5",
  plus: "M10 4v12M4 10h12",
  search: "M9 4a5 5 0 1 0 0 10a5 5 0 0 0 0-10M13 13l4 4",
  inbox: "M3 11l2.5-7h9L17 11v5H3v-5h4l1 2.5h4L13 11h4",
  agents: "M10 3v3M5 6h10v8H5zM8 10h.01M12 10h.01M3 9v3M17 9v3M8 17h4",
  settings: "M3 6h7M14 6h3M12 4v4M3 14h3M10 14h7M8 12v4",
  archive: "M3 4h14v4H3zM4.5 8v8h11V8M8 11.5h4",
  menu: "M3 5.5h14M3 10h14M3 14.5h14",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  send: "M10 16V4M5 9l5-5l5 5",
  stop: "M6 6h8v8H6z",
  check: "M4 10.5l4 4l8-9",
  cross: "M5 5l10 10M15 5L5 15",
  copy: "M7 7h9v9H7zM4 13V4h9",
  retry: "M15.5 8A6 6 0 1 0 16 11M16 4v4h-4",
  undo: "M4 8h8a4 4 0 0 1 0 8H8M7 5L4 8l3 3",
  fork: "M6 3v14M6 12c0-4 8-1 8-6M14 6V3M4.5 3h3M12.5 3h3",
  edit: "M4 16l1-4l8.5-8.5l3 3L8 15z",
  down: "M10 4v12M5 11l5 5l5-5",
  up: "M10 16V4M5 9l5-5l5 5",
  pin: "M7 3h6l-1 6l3 3H5l3-3zM10 12v5",
  chevron: "M7 5l5 5l-5 5",
  warning: "M10 3l8 14H2zM10 8v4M10 14.5h.01",
  question: "M7.5 7.5a2.5 2.5 0 1 1 3.5 2.3c-.8.4-1 .9-1 2.2M10 15h.01",
  trash: "M4 6h12M8 6V4h4v2M5.5 6l1 11h7l1-11",
  bell: "M5 14V9a5 5 0 0 1 10 0v5l1.5 1h-13zM8.5 17.5h3",
  speaker: "M3 8v4h3l4 3.5v-11L6 8zM13 7.5a3.5 3.5 0 0 1 0 5M15 5a7 7 0 0 1 0 10",
  clip: "M14.5 9.5l-4.8 4.8a2.9 2.9 0 0 1-4.1-4.1l5.8-5.8a1.9 1.9 0 0 1 2.7 2.7l-5.6 5.6a.9.9 0 0 1-1.3-1.3l4.6-4.6",
  file: "M5.5 3h6l3.5 3.5V17h-9.5zM11 3v4h4",
  save: "M10 3v9.5M6 9l4 4l4-4M4 16.5h12",
  keyboard: "M2.5 5.5h15v9h-15zM6 9h.01M10 9h.01M14 9h.01M7 12h6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
