// `desktop-state.json`: what the app remembers about its windows and the person. Each change is written atomically.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export const SCHEMA_VERSION = 1;

export interface WindowState {
  x: number | null;
  y: number | null;
  width: number;
  height: number;
  maximized: boolean;
  full_screen: boolean;
}

export interface DesktopState {
  schema_version: number;
  window: WindowState | null;
  /** Where the person was in the page: the part of the address after #. */
  last_place: string | null;
  /** The data directory that the person chose; null: the default. */
  runtime_root: string | null;
  notifications: boolean;
  start_on_login: boolean;
}

const EMPTY: DesktopState = {
  schema_version: SCHEMA_VERSION,
  window: null,
  last_place: null,
  runtime_root: null,
  notifications: true,
  start_on_login: false,
};
const LONGEST_PLACE = 300;
/** While a window is moved, its position changes many times a second, so writing waits so many ms. */
const SETTLE_MS = 300;

/** The file is from a newer version of the app, and stays unchanged. */
export class StateTooNew extends Error {
  override name = "StateTooNew";
}

export class StateFile {
  readonly path: string;
  /** What to tell the person about a file that could not be read, or null. */
  readonly notice: string | null;
  /** All fields of the file, also those that only other versions know. */
  readonly #unknown: Record<string, unknown>;
  #state: DesktopState;
  readonly #onProblem: (cause: unknown) => void;
  #timer: NodeJS.Timeout | null = null;

  /** `onProblem` is called if the file can't be written. An invalid file is renamed and kept. Raises: StateTooNew. */
  constructor(path: string, onProblem: (cause: unknown) => void = () => undefined) {
    this.path = path;
    this.#onProblem = onProblem;
    const { found, notice } = read(path);
    this.notice = notice;
    this.#unknown = found;
    this.#state = checked(found);
  }

  get current(): Readonly<DesktopState> {
    return this.#state;
  }

  /** Remembers a change, and writes it soon. */
  set(changed: Partial<Omit<DesktopState, "schema_version">>): void {
    const next = { ...this.#state, ...changed };
    if (JSON.stringify(next) === JSON.stringify(this.#state)) return;
    this.#state = next;
    this.#timer ??= setTimeout(() => {
      this.flush();
    }, SETTLE_MS);
  }

  /** Writes changes that are not written yet. An error does not stop the app. */
  flush(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    try {
      this.#write();
    } catch (cause) {
      this.#onProblem(cause);
    }
  }

  #write(): void {
    const text = JSON.stringify({ ...this.#unknown, ...this.#state }, null, 2) + "\n";
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const file = openSync(`${this.path}.new`, "w", 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${this.path}.new`, this.path);
  }
}

function read(path: string): { found: Record<string, unknown>; notice: string | null } {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return { found: {}, notice: null };
    throw cause;
  }
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    found = null;
  }
  if (typeof found !== "object" || found === null || Array.isArray(found)) {
    const aside = `${path}.corrupt-${new Date().toISOString().replace(/[:.]/g, "-")}`;
    renameSync(path, aside);
    return {
      found: {},
      notice: `What the app remembered could not be read. It starts afresh; the old file is ${aside}.`,
    };
  }
  const { schema_version } = found as Record<string, unknown>;
  if (typeof schema_version === "number" && schema_version > SCHEMA_VERSION)
    throw new StateTooNew(`${path} was written by a newer version of this app`);
  return { found: found as Record<string, unknown>, notice: null };
}

/** Checks each field; an invalid one counts as missing. */
function checked(found: Record<string, unknown>): DesktopState {
  const { window, last_place, runtime_root, notifications, start_on_login } = found;
  return {
    ...EMPTY,
    window: windowState(window),
    last_place:
      typeof last_place === "string" && last_place.startsWith("#/") && last_place.length <= LONGEST_PLACE
        ? last_place
        : null,
    runtime_root: typeof runtime_root === "string" && runtime_root !== "" ? runtime_root : null,
    notifications: notifications !== false,
    start_on_login: start_on_login === true,
  };
}

function windowState(found: unknown): WindowState | null {
  if (typeof found !== "object" || found === null) return null;
  const { x, y, width, height, maximized, full_screen } = found as Record<string, unknown>;
  if (!Number.isInteger(width) || !Number.isInteger(height)) return null;
  return {
    x: Number.isInteger(x) ? (x as number) : null,
    y: Number.isInteger(y) ? (y as number) : null,
    width: width as number,
    height: height as number,
    maximized: maximized === true,
    full_screen: full_screen === true,
  };
}

interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The position for a window with a remembered one: only on a screen that still exists, and not larger than it. */
export function placed(window: WindowState | null, screens: readonly Rectangle[]): Partial<Rectangle> {
  if (window === null) return {};
  const { x, y } = window;
  const most = screens[0];
  const width = Math.max(360, Math.min(window.width, most?.width ?? window.width));
  const height = Math.max(400, Math.min(window.height, most?.height ?? window.height));
  const seen =
    x !== null &&
    y !== null &&
    screens.some(
      (screen) =>
        x < screen.x + screen.width - 40 &&
        x + width > screen.x + 40 &&
        y >= screen.y &&
        y < screen.y + screen.height - 40,
    );
  return seen ? { x, y, width, height } : { width, height };
}
