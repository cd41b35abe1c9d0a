// What one conversation works with: its agent, folder, model, effort and mode. Each change applies at once.
import type { ModelInfo, Session, SessionCreate, SessionSetting } from "@aster-sidecar/client";
import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { IconButton } from "./Buttons.js";
import { contextWords } from "./ContextMeter.js";
import { useEndpoint } from "./endpoint.js";
import { client, host, usePicture } from "./engine.js";
import { FolderBrowser } from "./FolderBrowser.js";
import { texts } from "./messages.js";
import { visible, visibleText } from "./Plain.js";
import { said } from "./problems.js";
import { ProjectTrust } from "./ProjectTrust.js";
import { toast } from "./toasts.js";
import { Problem } from "./settings/Problem.js";

/** What the conversation chose for itself; null or absent: it takes what its agent and the settings say. */
export type Choices = Pick<SessionCreate, "work_dir" | "model" | "effort" | "permission_mode" | "mcp_off">;

export const EFFORTS = ["none", "minimal", "low", "medium", "high"] as const;
export const MODES = ["always_ask", "smart_approve", "auto_approve"] as const;

/** The choices of a conversation, from its settings. */
export function choicesOf({ settings }: Pick<Session, "settings">): Choices {
  const own = (one: SessionSetting | undefined): string | null => (one?.source === "session" ? one.value : null);
  return {
    work_dir: own(settings?.work_dir),
    model: own(settings?.model),
    effort: own(settings?.effort) as Choices["effort"] & string,
    permission_mode: own(settings?.permission_mode) as Choices["permission_mode"] & string,
    mcp_off: settings && settings.mcp_off.length > 0 ? [...settings.mcp_off] : null,
  };
}

/** The last part of a path, for a person. */
export function folderName(path: string): string {
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
}

type Mode = (typeof MODES)[number];

const isMode = (mode: string): mode is Mode => (MODES as readonly string[]).includes(mode);

export const modeName = (mode: string): string => (isMode(mode) ? texts.settings.modes.each[mode].name : mode);

interface PanelProps {
  choices: Choices;
  /** Applies a change. Rejects if it was refused. */
  onChange: (change: Choices) => Promise<unknown>;
  onClose: () => void;
  /** Why the folder can't change now. */
  fixed?: string | null;
  children?: ReactNode;
}

export function SettingsPanel({ choices, onChange, onClose, fixed = null, children }: PanelProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const models = useEndpoint<ModelInfo[]>("/api/models", ["config_changed", "secrets_changed"]);
  const folder = usePicture((state) => state.daemon?.work_dir ?? "");
  const [browsing, setBrowsing] = useState(false);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);

  function change(next: Choices): void {
    setProblem(null);
    onChange(next).catch((error: unknown) => {
      const { message, hint } = said(error);
      if (dialog.current?.open === true) setProblem(said(error));
      else toast(hint ? texts.shared.withHint(message, hint) : message, { kind: "error" });
    });
  }

  return (
    <dialog
      ref={dialog}
      className="panel"
      aria-labelledby={`${id}-title`}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current.close();
      }}
    >
      <div className="panel-head">
        <h2 id={`${id}-title`}>{texts.panel.title}</h2>
        <IconButton icon="cross" label={texts.shared.close} onClick={() => dialog.current?.close()} />
      </div>
      <div className="panel-body">
        <Problem problem={problem} />
        {children}
        <TextChoice
          label={texts.panel.folder}
          value={choices.work_dir ?? ""}
          placeholder={folder}
          words={fixed ?? texts.panel.folderWords}
          disabled={fixed !== null}
          onDone={(work_dir) => {
            change({ work_dir });
          }}
        >
          {fixed === null && (
            <button
              type="button"
              aria-expanded={host ? undefined : browsing}
              onClick={() => {
                if (!host) setBrowsing(!browsing);
                else
                  void host.pickFolder().then((path) => {
                    if (path !== null) change({ work_dir: path });
                  });
              }}
            >
              {host ? texts.shared.choose : texts.folders.browse}
            </button>
          )}
        </TextChoice>
        {browsing && fixed === null && (
          <FolderBrowser
            begin={choices.work_dir ?? ""}
            onChoose={(work_dir) => {
              setBrowsing(false);
              change({ work_dir });
            }}
          />
        )}
        <ProjectTrust key={choices.work_dir ?? folder} folder={choices.work_dir ?? folder} />
        <TextChoice
          label={texts.shared.model}
          value={choices.model ?? ""}
          placeholder={texts.panel.inherit}
          words={texts.panel.modelWords}
          list={(models.data ?? []).map(({ name }) => name)}
          onDone={(model) => {
            change({ model });
          }}
        />
        <Choice
          label={texts.panel.effort}
          value={choices.effort ?? ""}
          options={EFFORTS.map((effort) => [effort, texts.panel.efforts[effort]])}
          onChoose={(value) => {
            change({ effort: (value || null) as NonNullable<Choices["effort"]> | null });
          }}
        />
        <Choice
          label={texts.settings.modes.title}
          value={choices.permission_mode ?? ""}
          options={MODES.map((mode) => [mode, modeName(mode)])}
          onChoose={(value) => {
            change({ permission_mode: (value || null) as NonNullable<Choices["permission_mode"]> | null });
          }}
        />
        <ServersChoice
          off={choices.mcp_off ?? []}
          onChoose={(mcp_off) => {
            change({ mcp_off: mcp_off.length > 0 ? mcp_off : null });
          }}
        />
      </div>
    </dialog>
  );
}

interface ServersChoiceProps {
  /** The servers whose tools the conversation does without. */
  off: readonly string[];
  onChoose: (off: string[]) => void;
}

/** The MCP servers that are on, with a tick for each whose tools the conversation has. */
function ServersChoice({ off, onChoose }: ServersChoiceProps) {
  const servers = usePicture((state) => state.mcp);
  /** What was chosen here and is not saved yet. */
  const [wanted, setWanted] = useState<readonly string[] | null>(null);
  const [before, setBefore] = useState(off.join(" "));
  const id = useId();
  if (before !== off.join(" ")) {
    setBefore(off.join(" "));
    setWanted(null);
  }
  const shown = wanted ?? off;
  const enabled = servers.filter((server) => server.enabled);
  if (enabled.length === 0) return null;
  return (
    <fieldset className="panel-field panel-servers" aria-describedby={`${id}-words`}>
      <legend>{texts.settings.sections.mcp}</legend>
      <div>
        {enabled.map(({ name }) => (
          <label key={name} className="check-label">
            <input
              type="checkbox"
              checked={!shown.includes(name)}
              onChange={(event) => {
                const others = shown.filter((one) => one !== name);
                const next = event.target.checked ? others : [...others, name];
                setWanted(next);
                onChoose(next);
              }}
            />
            {visible(name)}
          </label>
        ))}
      </div>
      <p id={`${id}-words`} className="quiet">
        {texts.panel.serversWords}
      </p>
    </fieldset>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChoose: (value: string) => void;
}

function Choice({ label, value, options, onChoose }: ChoiceProps) {
  return (
    <label className="panel-field">
      <span>{label}</span>
      <select
        value={value}
        onChange={(event) => {
          onChoose(event.target.value);
        }}
      >
        <option value="">{texts.panel.inherit}</option>
        {options.map(([one, words]) => (
          <option key={one} value={one}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

interface TextChoiceProps {
  label: string;
  value: string;
  placeholder: string;
  words: string;
  list?: readonly string[];
  disabled?: boolean;
  /** With the text, or null if it is empty. */
  onDone: (text: string | null) => void;
  children?: ReactNode;
}

/** A text that is applied by Enter, and when the field or the panel is left. */
function TextChoice({
  label,
  value,
  placeholder,
  words,
  list = [],
  disabled = false,
  onDone,
  children,
}: TextChoiceProps) {
  const [text, setText] = useState(value);
  const [before, setBefore] = useState(value);
  const id = useId();
  if (before !== value) {
    setBefore(value);
    setText(value);
  }
  const done = (): void => {
    if (text.trim() !== value) onDone(text.trim() || null);
  };
  return (
    <div className="panel-field">
      <label htmlFor={id}>{label}</label>
      <div className="panel-line">
        <input
          id={id}
          value={text}
          placeholder={placeholder}
          list={list.length > 0 ? `${id}-list` : undefined}
          aria-describedby={`${id}-words`}
          maxLength={4096}
          autoComplete="off"
          spellCheck={false}
          disabled={disabled}
          onChange={(event) => {
            setText(event.target.value);
          }}
          onBlur={done}
          onKeyDown={(event) => {
            if (event.key === "Enter") done();
            if (event.key === "Escape") event.currentTarget.blur(); // closing the panel keeps what was typed
          }}
        />
        {children}
      </div>
      {list.length > 0 && (
        <datalist id={`${id}-list`}>
          {list.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
      <p id={`${id}-words`} className="quiet">
        {words}
      </p>
    </div>
  );
}

/** The line below a conversation's title: what it works with. It opens the panel to change that. */
export function SessionSettingsLine({ session, busy }: { session: Session; busy: boolean }) {
  const [open, setOpen] = useState(false);
  const agents = usePicture((state) => state.agents);
  const own = usePicture((state) => state.daemon?.work_dir);
  const { session_id, agent_id, settings, is_default } = session;
  const agent = agents.find(({ id }) => id === agent_id);
  const model = settings ? settings.model.value : (agent?.model ?? "");
  const parts = [
    visible(agent?.name ?? agent_id),
    ...(model === "" ? [] : [visible(model)]),
    ...(settings && settings.work_dir.value !== own ? [visible(folderName(settings.work_dir.value))] : []),
    ...(settings?.effort.source === "session" ? [texts.panel.withEffort(settings.effort.value)] : []),
    ...(settings?.permission_mode.source === "session" ? [modeName(settings.permission_mode.value)] : []),
    ...(settings && settings.mcp_off.length > 0 ? [visible(texts.panel.without(settings.mcp_off))] : []),
  ];
  return (
    <>
      <button
        type="button"
        className="head-settings quiet"
        title={texts.panel.open}
        aria-haspopup="dialog"
        onClick={() => {
          setOpen(true);
        }}
      >
        {parts.map((part, number) => (
          <span key={number}>{part}</span>
        ))}
        {session.archived && <span>{texts.conversation.archived}</span>}
      </button>
      {open && (
        <SettingsPanel
          choices={choicesOf(session)}
          fixed={busy ? texts.panel.busy : null}
          onChange={(change) => client.sessions.change(session_id, change)}
          onClose={() => {
            setOpen(false);
          }}
        >
          {session.context && (
            <div className="panel-field">
              <span>{texts.context.label}</span>
              <p className="quiet">{contextWords(session.context)}</p>
            </div>
          )}
          {!is_default && <AgentChoice session_id={session_id} agent_id={agent_id} disabled={busy} />}
        </SettingsPanel>
      )}
    </>
  );
}

/** Which agent answers from now on: those that the conversation's folder has. */
function AgentChoice({ session_id, agent_id, disabled }: { session_id: string; agent_id: string; disabled: boolean }) {
  const agents = useEndpoint<{ id: string; name: string; state: string }[]>(
    `/api/agents?session_id=${encodeURIComponent(session_id)}`,
    ["agents_changed", "session_changed"],
  );
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const working = (agents.data ?? []).filter(({ id, state }) => state !== "failed" || id === agent_id);
  if (working.length < 2) return null;
  return (
    <>
      <label className="panel-field">
        <span>{texts.panel.agent}</span>
        <select
          value={agent_id}
          disabled={disabled}
          onChange={(event) => {
            setProblem(null);
            client.sessions.change(session_id, { agent_id: event.target.value }).catch((error: unknown) => {
              setProblem(said(error));
            });
          }}
        >
          {working.map(({ id, name }) => (
            <option key={id} value={id}>
              {visibleText(name)}
            </option>
          ))}
        </select>
      </label>
      <Problem problem={problem} />
    </>
  );
}
