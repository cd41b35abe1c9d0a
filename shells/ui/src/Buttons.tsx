// Buttons that are used everywhere, and a button that opens a menu.
import { useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { Icon, type IconName } from "./Icon.js";
import { texts } from "./messages.js";
import { toast } from "./toasts.js";

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  className?: string;
  disabled?: boolean;
}

export function IconButton({ icon, label, onClick, className = "", disabled = false }: IconButtonProps) {
  return (
    <button
      type="button"
      className={`icon-button ${className}`}
      aria-label={label}
      title={label}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** Copies text to the clipboard, even if the page has no clipboard API. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "out-of-sight";
    document.body.append(area);
    area.select();
    // Deprecated, but the only way in a web view without a secure address.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Reads a text aloud with the system's voice, without its code; a second press stops it. */
export function ReadButton({ text }: { text: string }) {
  const [reading, setReading] = useState(false);
  useEffect(() => {
    if (!reading) return;
    const words = new SpeechSynthesisUtterance(text.replace(/```[^]*?(```|$)/g, " ").replace(/[*_`#>|]/g, ""));
    words.onend = words.onerror = () => {
      setReading(false);
    };
    speechSynthesis.speak(words);
    return () => {
      speechSynthesis.cancel();
    };
  }, [reading, text]);
  return (
    <button
      type="button"
      className="small-button"
      aria-pressed={reading}
      onClick={() => {
        setReading(!reading);
      }}
    >
      <Icon name="speaker" />
      {reading ? texts.buttons.stopReading : texts.buttons.readAloud}
    </button>
  );
}

/** A button with a word. `blocked`: why it does nothing now; the button says so, and stays reachable. */
export function SmallButton({
  icon,
  label,
  blocked = null,
  onClick,
}: {
  icon: IconName;
  label: string;
  blocked?: string | null;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      className="small-button"
      aria-disabled={blocked !== null}
      title={blocked ?? undefined}
      onClick={() => {
        if (blocked === null) onClick();
        else toast(blocked, { kind: "error" });
      }}
    >
      <Icon name={icon} />
      {label}
    </button>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState<boolean | null>(null);
  useEffect(() => {
    if (done === null) return;
    const timer = setTimeout(() => {
      setDone(null);
    }, 2000);
    return () => {
      clearTimeout(timer);
    };
  }, [done]);
  return (
    <button
      type="button"
      className="small-button"
      aria-label={label}
      onClick={() => {
        void copyText(text).then(setDone);
      }}
    >
      <Icon name={done === true ? "check" : "copy"} />
      <span aria-live="polite">
        {done === null ? texts.buttons.copy : done ? texts.buttons.copied : texts.buttons.copyFailed}
      </span>
    </button>
  );
}

export interface MenuItem {
  label: string;
  icon: IconName;
  onChoose: () => void;
  danger?: boolean;
  /** Why it does nothing now. */
  blocked?: string | null;
}

/** A button with a menu. The arrow keys move in it; Escape closes it and returns the focus. */
export function Menu({ label, items }: { label: string; items: readonly MenuItem[] }) {
  const [open, setOpen] = useState(false);
  /** The menu opens upwards where there is no room below the button. */
  const [above, setAbove] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();

  useLayoutEffect(() => {
    const [box, from] = [list.current?.getBoundingClientRect(), button.current?.getBoundingClientRect()];
    if (!open || !box || !from) return;
    const frame = button.current?.closest(".scroller")?.getBoundingClientRect();
    const [top, bottom] = [frame?.top ?? 0, frame?.bottom ?? window.innerHeight];
    setAbove(from.bottom + box.height > bottom && from.top - box.height >= top);
  }, [open]);

  useEffect(() => {
    if (!open) return;
    list.current?.querySelector("button")?.focus({ preventScroll: true });
    const outside = (event: PointerEvent): void => {
      const target = event.target as Node;
      if (!list.current?.contains(target) && !button.current?.contains(target)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => {
      document.removeEventListener("pointerdown", outside);
    };
  }, [open]);

  function move(event: KeyboardEvent): void {
    const all = [...(list.current?.querySelectorAll("button") ?? [])];
    const place = all.indexOf(document.activeElement as HTMLButtonElement);
    if (event.key === "Escape" || event.key === "Tab") {
      setOpen(false);
      if (event.key === "Escape") button.current?.focus();
      event.stopPropagation();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      all.at((place + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length)?.focus();
    }
  }

  return (
    <div className="menu">
      <button
        ref={button}
        type="button"
        className="icon-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => {
          setOpen(!open);
        }}
      >
        <Icon name="more" />
      </button>
      {open && (
        <div
          ref={list}
          id={id}
          role="menu"
          aria-label={label}
          tabIndex={-1}
          className={above ? "menu-list menu-above" : "menu-list"}
          onKeyDown={move}
        >
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              className={item.danger ? "danger" : undefined}
              aria-disabled={item.blocked != null}
              title={item.blocked ?? undefined}
              onClick={() => {
                setOpen(false);
                button.current?.focus();
                if (item.blocked == null) item.onChoose();
                else toast(item.blocked, { kind: "error" });
              }}
            >
              <Icon name={item.icon} />
              {item.label}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** A note of the kind `error`, `warning` or `info`, with a hint. */
export function Note({
  kind,
  children,
  actions,
}: {
  kind: "error" | "warning" | "info";
  children: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className={`note note-${kind}`}>
      <Icon name={kind === "info" ? "bell" : "warning"} />
      <div className="note-text">{children}</div>
      {actions !== undefined && <div className="note-actions">{actions}</div>}
    </div>
  );
}
