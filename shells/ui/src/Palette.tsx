// Finds everything by name: commands and conversations, chosen with the keyboard.
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { usePicture } from "./engine.js";
import { Icon, type IconName } from "./Icon.js";
import { texts } from "./messages.js";
import { visible, visibleText } from "./Plain.js";
import { findHref, go, newHref, sessionHref } from "./route.js";
import { archive, pin, remove } from "./sessions.js";
import { setTheme } from "./theme.js";
import { folded } from "./words.js";

interface Command {
  key: string;
  icon: IconName;
  words: string;
  kind: string;
  act: () => void;
}

const MOST = 60;

export default function Palette({
  session_id,
  onClose,
  onShortcuts,
}: {
  session_id: string | null;
  onClose: () => void;
  onShortcuts: () => void;
}) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const sessions = usePicture((state) => state.sessions);
  const order = usePicture((state) => state.order);
  const agents = usePicture((state) => state.agents);
  const id = useId();

  useEffect(() => {
    dialog.current?.showModal();
  }, []);

  const to = (href: string) => (): void => go(href);
  const current = session_id === null ? undefined : sessions[session_id];
  const commands: Command[] = [
    { key: "new", icon: "plus", words: texts.shared.newConversation, kind: "", act: to(newHref()) },
    ...agents
      .filter((agent) => agent.state !== "failed" && agents.length > 1)
      .map((agent): Command => ({
        key: `new:${agent.id}`,
        icon: "plus",
        words: texts.palette.newWith(visibleText(agent.name)),
        kind: "",
        act: to(newHref(agent.id)),
      })),
    { key: "inbox", icon: "inbox", words: texts.pages.inbox, kind: texts.palette.page, act: to("#/inbox") },
    { key: "agents", icon: "agents", words: texts.pages.agents, kind: texts.palette.page, act: to("#/agents") },
    { key: "archive", icon: "archive", words: texts.pages.archive, kind: texts.palette.page, act: to("#/archive") },
    {
      key: "models",
      icon: "settings",
      words: texts.palette.models,
      kind: texts.palette.page,
      act: to("#/settings/models"),
    },
    {
      key: "permissions",
      icon: "settings",
      words: texts.palette.permissions,
      kind: texts.palette.page,
      act: to("#/settings/permissions"),
    },
    { key: "mcp", icon: "settings", words: texts.palette.mcp, kind: texts.palette.page, act: to("#/settings/mcp") },
    {
      key: "config",
      icon: "settings",
      words: texts.palette.config,
      kind: texts.palette.page,
      act: to("#/settings/config"),
    },
    {
      key: "about",
      icon: "settings",
      words: texts.palette.about,
      kind: texts.palette.page,
      act: to("#/settings/about"),
    },
    { key: "welcome", icon: "aster", words: texts.welcome.label, kind: texts.palette.page, act: to("#/welcome") },
    { key: "light", icon: "settings", words: texts.palette.light, kind: "", act: () => setTheme("light") },
    { key: "dark", icon: "settings", words: texts.palette.dark, kind: "", act: () => setTheme("dark") },
    { key: "system", icon: "settings", words: texts.palette.system, kind: "", act: () => setTheme("system") },
    { key: "keys", icon: "keyboard", words: texts.shortcuts.title, kind: "", act: onShortcuts },
    ...(current
      ? ([
          {
            key: "find-this",
            icon: "search",
            words: texts.shared.findHere,
            kind: "",
            act: to(findHref(current.session_id)),
          },
          {
            key: "pin-this",
            icon: "pin",
            words: current.pinned ? texts.palette.unpin : texts.palette.pin,
            kind: "",
            act: () => void pin(current.session_id, !current.pinned),
          },
          {
            key: "archive-this",
            icon: "archive",
            words: current.archived ? texts.palette.unarchive : texts.palette.archive,
            kind: "",
            act: () => void archive(current.session_id, !current.archived),
          },
          {
            key: "delete-this",
            icon: "trash",
            words: texts.palette.delete,
            kind: "",
            act: () => void remove(current.session_id),
          },
        ] satisfies Command[])
      : []),
    ...order
      .map((one) => sessions[one])
      .filter((session) => session !== undefined)
      .map((session): Command => ({
        key: session.session_id,
        icon: "edit",
        words: session.title,
        kind: texts.palette.conversation,
        act: to(sessionHref(session.session_id)),
      })),
  ];
  const words = folded(text).split(/\s+/).filter(Boolean);
  const shown = commands
    .filter((command) => words.every((word) => folded(`${command.words} ${command.kind}`).includes(word)))
    .slice(0, MOST);
  const chosen = Math.min(at, shown.length - 1);

  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [chosen]);

  function run(command: Command | undefined): void {
    if (!command) return;
    onClose();
    command.act();
  }

  function pressed(event: KeyboardEvent): void {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setAt(Math.max(0, Math.min(shown.length - 1, chosen + step)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(shown[chosen]);
    }
  }

  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label={texts.palette.label}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={shown[chosen] ? `${id}-${chosen}` : undefined}
        aria-label={texts.palette.search}
        placeholder={texts.palette.search}
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={pressed}
      />
      <ul
        ref={list}
        id={`${id}-list`}
        role="listbox"
        aria-label={texts.palette.list}
        className="palette-list"
        tabIndex={-1}
      >
        {shown.map((command, place) => (
          <li
            key={command.key}
            id={`${id}-${place}`}
            role="option"
            aria-selected={place === chosen}
            onPointerMove={() => setAt(place)}
            onClick={() => run(command)}
          >
            <Icon name={command.icon} />
            <span className="palette-words">{visible(command.words)}</span>
            {command.kind !== "" && <span className="quiet">{command.kind}</span>}
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p className="empty">{texts.shared.noMatches}</p>}
    </dialog>
  );
}
