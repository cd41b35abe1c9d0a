// The message field and its files. Enter sends, Shift+Enter begins a new line, ArrowUp brings back earlier messages.
import type { Attachment } from "@aster-sidecar/client";
import {
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type RefObject,
} from "react";
import { announce } from "./announce.js";
import { AttachButton, AttachProblems } from "./AttachButton.js";
import { pastedFiles, useDrop } from "./drop.js";
import { Icon } from "./Icon.js";
import { keep, kept, keptJson } from "./keep.js";
import { texts } from "./messages.js";
import { fillPrompt, readResource, useOffered, type PromptOffer, type Typed } from "./offers.js";
import type { IfBusy } from "./outbox.js";
import { said } from "./problems.js";
import { PromptDialog } from "./PromptDialog.js";
import { useAnswerable } from "./questions.js";
import { TrayView } from "./TrayView.js";
import { useOfferList } from "./useOfferList.js";
import { add, allReady, attach, attachFrom, fill, move, uploadsRun, useTray } from "./tray.js";

export interface ComposerHandle {
  /**
   * Puts in a text and files to edit. The current draft comes back after these are sent or left. `gone`: those of the
   * files that the daemon no longer has. `replaces`: the message of the conversation that this is a new version of.
   */
  put(text: string, files?: readonly Attachment[], gone?: readonly string[], replaces?: string | null): void;
  focus(): void;
}

interface ComposerProps {
  /** The key under which the draft is kept. */
  draftKey: string;
  /** The conversation, once there is one. */
  session_id?: string;
  busy: boolean;
  offline: boolean;
  /** The earlier messages of the conversation, newest last. */
  before: readonly string[];
  onSend: (text: string, files: readonly Attachment[], if_busy: IfBusy) => void;
  /** Sends a new version of an earlier message. Resolves with whether it was sent; otherwise the text stays. */
  onRevise?: (message_id: string, text: string, files: readonly Attachment[]) => Promise<boolean>;
  onStop: () => void;
  handle: RefObject<ComposerHandle | null>;
}

/** What is edited instead of the draft: the draft that was put aside, and the message that is replaced. */
interface Aside {
  text: string;
  replaces?: string | null;
}

type Mode = Exclude<IfBusy, "reject">;

const MODES: readonly Mode[] = ["queue", "steer", "interrupt"];

const TEXT_MOST = 1_000_000;

/** What is edited, without and with a draft that was put aside. */
const UNSENT = { alone: texts.composer.editing, withDraft: texts.composer.editingWithDraft };
const EARLIER = { alone: texts.composer.revising, withDraft: texts.composer.revisingWithDraft };

export function Composer({
  draftKey,
  session_id,
  busy,
  offline,
  before,
  onSend,
  onRevise,
  onStop,
  handle,
}: ComposerProps) {
  const asideKey = `aside.${draftKey}`;
  const [text, setText] = useState(() => kept(`text.${draftKey}`) ?? "");
  /** The draft that was put aside for another text to edit; null when there is none. */
  const [aside, setAside] = useState(() => keptJson<Aside | null>(asideKey, null));
  const replaces = onRevise === undefined ? null : (aside?.replaces ?? null);
  const [revising, setRevising] = useState(false);
  const [mode, setMode] = useState<Mode>("queue");
  const [back, setBack] = useState(0);
  const [problems, setProblems] = useState<readonly string[]>([]);
  /** A prompt whose arguments are being asked for. */
  const [prompt, setPrompt] = useState<{ offer: PromptOffer; typed: Typed } | null>(null);
  /** Where the caret goes after the text has changed. */
  const [caret, setCaret] = useState<number | null>(null);
  const box = useRef<HTMLTextAreaElement>(null);
  const files = useTray(draftKey);
  const id = useId();
  /** A message that is sent now answers the open question. */
  const answers = useAnswerable(session_id) && replaces === null && mode !== "interrupt" && files.length === 0;
  const offers = useOfferList({
    text,
    box,
    onResource: ({ server, resource }, typed) => {
      change(text.slice(0, typed.start) + text.slice(typed.end).trimStart());
      setCaret(typed.start);
      const load = (signal: AbortSignal) => readResource(server, resource.uri, session_id ?? null, signal);
      setProblems(attachFrom(draftKey, resource.name, load));
    },
    onPrompt: (offer, typed) => {
      if (offer.prompt.arguments.length > 0) setPrompt({ offer, typed });
      else fillIn(offer, typed, {}).catch((error: unknown) => setProblems([said(error).message]));
    },
  });

  function change(next: string): void {
    setText(next);
    keep(`text.${draftKey}`, next.length < 100_000 ? next : null);
  }

  function putAside(draft: Aside | null): void {
    setAside(draft);
    if (draft !== null && aside === null) move(draftKey, asideKey);
    keep(asideKey, draft === null ? null : JSON.stringify(draft));
  }

  /** Brings back the draft that was put aside. */
  function takeUp(): void {
    change(aside?.text ?? "");
    if (aside !== null) move(asideKey, draftKey);
    else fill(draftKey, []);
    putAside(null);
    setBack(0);
    setProblems([]);
    box.current?.focus();
  }

  const take = useCallback(
    (given: readonly File[], folders = false) => {
      const refused = attach(draftKey, given);
      setProblems(folders ? [...refused, texts.attachments.folder] : refused);
      box.current?.focus();
    },
    [draftKey],
  );
  const dragging = useDrop(take);
  const mentions = useOffered("resource");
  const commands = useOffered("prompt");

  useLayoutEffect(() => {
    handle.current = {
      put(next, infos = [], gone = [], message_id = null) {
        putAside({ text: aside?.text ?? text, replaces: message_id });
        change(next);
        fill(draftKey, infos, gone);
        box.current?.focus();
      },
      focus() {
        box.current?.focus();
      },
    };
  });

  /** Puts a prompt in the place of the command that was typed. */
  async function fillIn({ server, prompt }: PromptOffer, typed: Typed, given: Readonly<Record<string, string>>) {
    announce(texts.offers.filling(prompt.name));
    const filled = await fillPrompt(server, prompt.name, given, session_id ?? null);
    const now = box.current?.value ?? text;
    const rest = now.startsWith(text.slice(0, typed.end)) ? now.slice(typed.end) : now;
    change(filled.text + rest);
    setCaret(filled.text.length);
    setProblems(add(draftKey, filled.files));
  }

  useLayoutEffect(() => {
    if (caret === null || box.current === null) return;
    box.current.focus();
    box.current.setSelectionRange(caret, caret);
    setCaret(null);
  }, [caret]);

  useLayoutEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, window.innerHeight * 0.4)}px`;
  }, [text]);

  // A person who opens a conversation wants to write. On a touch screen the keyboard would cover the conversation.
  useEffect(() => {
    if (window.matchMedia("(hover: hover)").matches) box.current?.focus();
  }, []);

  const uploading = uploadsRun(files);
  const blocked = replaces !== null && busy;
  const written = (text.trim() !== "" || files.length > 0) && text.length <= TEXT_MOST && allReady(files);
  const sendable = written && !blocked && !revising;

  function send(): void {
    if (!sendable) {
      if (blocked) announce(texts.rewind.busy);
      else if (files.length > 0) announce(uploading ? texts.attachments.wait : texts.attachments.blocked);
      return;
    }
    const infos = files.flatMap(({ info }) => (info === null ? [] : [info]));
    if (replaces !== null && onRevise !== undefined) {
      setRevising(true);
      void onRevise(replaces, text, infos).then((sent) => {
        setRevising(false);
        if (sent) takeUp();
        else box.current?.focus();
      });
      return;
    }
    onSend(text, infos, busy ? mode : "queue");
    takeUp();
  }

  function pressed(event: KeyboardEvent<HTMLTextAreaElement>): void {
    if (offers.pressed(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      send();
      return;
    }
    const recalled = back > 0 && text === before.at(-back);
    if (event.key === "ArrowUp" && (text === "" || recalled) && back < before.length) {
      event.preventDefault();
      setBack(back + 1);
      change(before.at(-back - 1) ?? "");
    } else if (event.key === "ArrowDown" && recalled) {
      event.preventDefault();
      setBack(back - 1);
      change(back > 1 ? (before.at(-back + 1) ?? "") : "");
    }
  }

  return (
    <>
      <form
        className="composer"
        aria-label={texts.composer.write}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        {busy && replaces === null && (
          <fieldset className="modes">
            <legend className="out-of-sight">{texts.composer.whileBusy}</legend>
            {MODES.map((one) => (
              <label key={one} title={texts.composer.modes[one].words}>
                <input
                  type="radio"
                  name={`${id}-mode`}
                  checked={mode === one}
                  onChange={() => {
                    setMode(one);
                  }}
                />
                <span>{texts.composer.modes[one].label}</span>
              </label>
            ))}
            <span className="quiet modes-words">
              {answers ? texts.composer.answers : texts.composer.modes[mode].words}
            </span>
          </fieldset>
        )}
        {aside !== null && (
          <p className="composer-editing">
            <span>
              {(replaces === null ? UNSENT : EARLIER)[aside.text.trim() === "" ? "alone" : "withDraft"]}
              {blocked && <> {texts.rewind.busy}</>}
            </span>
            <button type="button" className="link" disabled={revising} onClick={takeUp}>
              {texts.shared.cancel}
            </button>
          </p>
        )}
        {dragging && <div className="drop-zone">{texts.attachments.drop}</div>}
        <AttachProblems problems={problems} onDismiss={() => setProblems([])} />
        <TrayView tray={draftKey} files={files} onEmptied={() => box.current?.focus()} />
        {offers.list}
        <div className="composer-box">
          <AttachButton onFiles={take} />
          <textarea
            ref={box}
            rows={1}
            value={text}
            readOnly={revising}
            placeholder={
              offline ? texts.composer.writeDraft : answers ? texts.composer.writeAnswer : texts.composer.write
            }
            aria-label={texts.composer.message}
            aria-describedby={`${id}-help`}
            {...offers.attributes}
            maxLength={TEXT_MOST}
            onChange={(event) => {
              change(event.target.value);
              setBack(0);
            }}
            onKeyDown={pressed}
            onPaste={(event) => {
              const given = pastedFiles(event.clipboardData);
              if (given.length === 0) return;
              event.preventDefault();
              take(given);
            }}
          />
          {busy && (
            <button
              type="button"
              className="stop-button"
              onClick={onStop}
              title={texts.composer.stop}
              aria-keyshortcuts="Escape"
            >
              <Icon name="stop" />
              <span>{texts.shared.stop}</span>
            </button>
          )}
          <button
            type="submit"
            className="send-button"
            disabled={!sendable}
            aria-label={uploading ? texts.attachments.wait : texts.composer.send}
            title={uploading ? texts.attachments.wait : blocked ? texts.rewind.busy : texts.composer.sendWithKey}
          >
            <Icon name="send" />
          </button>
        </div>
        <p id={`${id}-help`} className="composer-help">
          {busy ? texts.composer.helpWhileBusy : texts.composer.help}
          {mentions && texts.offers.helpResources}
          {commands && texts.offers.helpPrompts}
        </p>
      </form>
      {prompt !== null && (
        <PromptDialog
          server={prompt.offer.server}
          prompt={prompt.offer.prompt}
          onFill={(given) => fillIn(prompt.offer, prompt.typed, given)}
          onClose={() => {
            setPrompt(null);
            setCaret(box.current?.selectionStart ?? null);
          }}
        />
      )}
    </>
  );
}
