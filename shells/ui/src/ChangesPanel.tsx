// What the turns of a conversation changed in files, with diffs, and buttons that undo it.
import type { ChangedFile, NotReverted, RevertRequest, TurnChanges } from "@aster-sidecar/client";
import { useEffect, useRef, useState } from "react";
import { conflictsOf, shortPath, type ByTurn } from "./changes.js";
import { Conflicts } from "./Conflicts.js";
import { Dialog } from "./Dialog.js";
import { Diff } from "./Diff.js";
import { client, usePicture } from "./engine.js";
import { Icon } from "./Icon.js";
import { texts } from "./messages.js";
import { visible, visibleText } from "./Plain.js";
import { reason } from "./revisions.js";

interface ChangesPanelProps {
  session_id: string;
  turns: ByTurn | null;
  /** The turn to show first; null: the last one. */
  begin: string | null;
  onClose: () => void;
}

interface Done {
  written: number;
  revert_id: string | null;
  left: readonly NotReverted[];
}

/** Undoes changes. `paths`: the files that are chosen; null: all of a revert. */
type Undo = (request: Pick<RevertRequest, "turn_id" | "revert_id">, paths: readonly string[] | null) => void;

export function ChangesPanel({ session_id, turns, begin, onClose }: ChangesPanelProps) {
  const folder = usePicture((state) => state.sessions[session_id]?.settings?.work_dir.value);
  const [done, setDone] = useState<Done | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [conflict, setConflict] = useState<{
    conflicts: readonly NotReverted[];
    goOn: (force: string[], left: string[]) => void;
  } | null>(null);
  const shown = [...(turns?.values() ?? [])];

  function revert(from: Parameters<Undo>[0], paths: Parameters<Undo>[1], force: string[] = []): void {
    setProblem(null);
    setConflict(null);
    setDone(null);
    client.revert({ ...from, ...(paths && { paths: [...paths] }), force }).then(
      ({ revert_id, files, left }) => {
        const written = files.filter(({ action }) => action !== "none").length;
        setDone({ written, revert_id, left: left.filter(({ code }) => code !== "during_command") });
      },
      (error: unknown) => {
        const conflicts = conflictsOf(error);
        if (!conflicts) setProblem(texts.shared.notUndone(reason(error)));
        else {
          const goOn = (forced: string[], left: string[]): void => {
            if (paths === null) revert(from, null, [...force, ...forced]);
            else {
              const rest = paths.filter((path) => !left.includes(path));
              if (rest.length > 0) revert(from, rest, [...force, ...forced]);
              else setConflict(null);
            }
          };
          setConflict({ conflicts, goOn });
        }
      },
    );
  }

  return (
    <>
      <Dialog title={texts.changes.title} className="changes" onClose={onClose}>
        <div role="status" className="changes-done">
          {done && (
            <>
              <p>
                {done.written > 0 ? texts.changes.undid(done.written) : texts.changes.nothing}{" "}
                {done.revert_id !== null && (
                  <button
                    type="button"
                    className="link"
                    onClick={() => {
                      revert({ revert_id: done.revert_id }, null);
                    }}
                  >
                    {texts.changes.undoUndo}
                  </button>
                )}
              </p>
              {done.left.map(({ path, message }) => (
                <p key={path} className="quiet">
                  {visible(message)}
                </p>
              ))}
            </>
          )}
        </div>
        {problem !== null && (
          <p className="problem" role="alert">
            {visible(problem)}
          </p>
        )}
        {turns === null && <p className="quiet">{texts.changes.loading}</p>}
        {turns !== null && shown.length === 0 && <p className="quiet">{texts.changes.none}</p>}
        {shown.map((turn) => (
          <TurnView
            key={turn.turn_id}
            turn={turn}
            session_id={session_id}
            folder={folder}
            first={turn.turn_id === (begin ?? shown.at(-1)?.turn_id)}
            undo={revert}
          />
        ))}
      </Dialog>
      {conflict && (
        <Conflicts
          conflicts={conflict.conflicts}
          folder={folder}
          onGoOn={conflict.goOn}
          onClose={() => {
            setConflict(null);
          }}
        />
      )}
    </>
  );
}

interface TurnViewProps {
  turn: TurnChanges;
  session_id: string;
  folder: string | undefined;
  /** Whether the panel begins at this turn. */
  first: boolean;
  undo: Undo;
}

function TurnView({ turn, session_id, folder, first, undo }: TurnViewProps) {
  const { turn_id, message_id, files, rewound, not_covered = [] } = turn;
  const said = usePicture(
    (state) => state.sessions[session_id]?.history?.messages.find((message) => message.message_id === message_id)?.text,
  );
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    if (first) section.current?.scrollIntoView({ block: "start" });
  }, [first]);
  const undoable = files.filter(
    ({ path, source, now, kept }) => now !== "undone" && kept && (source === "tool" || chosen.has(path)),
  );
  const title = said?.replace(/\s+/g, " ").slice(0, 200) ?? "";
  return (
    <section ref={section} className="turn-changes">
      <h3>{title === "" ? texts.changes.earlier : visible(title)}</h3>
      {rewound && <p className="quiet">{texts.changes.rewound}</p>}
      <ul className="change-list">
        {files.map((file) => (
          <FileView
            key={file.path}
            file={file}
            turn_id={turn_id}
            session_id={session_id}
            folder={folder}
            chosen={chosen.has(file.path)}
            onChoose={(on) => {
              const next = new Set(chosen);
              if (on) next.add(file.path);
              else next.delete(file.path);
              setChosen(next);
            }}
            undo={undo}
          />
        ))}
      </ul>
      {not_covered.map((sentence) => (
        <p key={sentence} className="quiet">
          {visible(sentence)}
        </p>
      ))}
      {files.length > 1 && (
        <button
          type="button"
          disabled={undoable.length === 0}
          onClick={() => {
            undo(
              { turn_id },
              undoable.map(({ path }) => path),
            );
          }}
        >
          <Icon name="undo" />
          {texts.changes.undoTurn}
        </button>
      )}
    </section>
  );
}

interface FileViewProps {
  file: ChangedFile;
  turn_id: string;
  session_id: string;
  folder: string | undefined;
  chosen: boolean;
  onChoose: (on: boolean) => void;
  undo: Undo;
}

function FileView({ file, turn_id, session_id, folder, chosen, onChoose, undo }: FileViewProps) {
  const { path, kind, moved_from, source, added, removed, now, kept, why_not_kept, revert_id } = file;
  const [open, setOpen] = useState(false);
  const name = shortPath(path, folder);
  const words = visibleText(name);
  const redoes = now === "undone" && revert_id != null;
  return (
    <li>
      <div className="change-head">
        {source === "command" && now !== "undone" && kept && (
          <input
            type="checkbox"
            aria-label={texts.changes.include(words)}
            checked={chosen}
            onChange={({ target }) => {
              onChoose(target.checked);
            }}
          />
        )}
        <button
          type="button"
          className="change-name"
          aria-expanded={open}
          onClick={() => {
            setOpen(!open);
          }}
        >
          <Icon name="chevron" />
          <span>{visible(name)}</span>
        </button>
        <span className="badge">{texts.changes.kinds[kind]}</span>
        {added != null && removed != null && (
          <span className="change-lines">{texts.changes.lines(added, removed)}</span>
        )}
        {(now !== "undone" || redoes) && (
          <button
            type="button"
            className="small-button"
            disabled={!redoes && !kept}
            aria-label={redoes ? texts.changes.redoFile(words) : texts.changes.undoFile(words)}
            onClick={() => {
              if (redoes) undo({ revert_id }, [path]);
              else undo({ turn_id }, [path]);
            }}
          >
            <Icon name={redoes ? "retry" : "undo"} />
            {redoes ? texts.changes.redo : texts.shared.undo}
          </button>
        )}
      </div>
      {kind === "moved" && moved_from != null && (
        <p className="quiet">{texts.changes.movedFrom(visibleText(shortPath(moved_from, folder)))}</p>
      )}
      {source === "command" && <p className="quiet">{texts.changes.whileCommand}</p>}
      {now === "undone" && <p className="quiet">{texts.changes.undone}</p>}
      {now === "edited" && <p className="quiet">{texts.changes.edited}</p>}
      {!kept && why_not_kept != null && <p className="quiet">{visible(why_not_kept)}</p>}
      {open && <Lines session_id={session_id} turn_id={turn_id} path={path} now={now} />}
    </li>
  );
}

/** The diff of a file, which is read when it is opened. */
function Lines({
  session_id,
  turn_id,
  path,
  now,
}: Pick<FileViewProps, "session_id" | "turn_id"> & Pick<ChangedFile, "path" | "now">) {
  const [file, setFile] = useState<ChangedFile | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    let gone = false;
    client.sessions.changes(session_id, turn_id).then(
      ({ turns }) => {
        if (!gone) setFile(turns[0]?.files.find((one) => one.path === path) ?? null);
      },
      (error: unknown) => {
        if (!gone) setProblem(reason(error));
      },
    );
    return () => {
      gone = true;
    };
  }, [session_id, turn_id, path, now]);
  if (problem !== null) return <p className="problem">{visible(problem)}</p>;
  if (file === null) return <p className="quiet">{texts.changes.loading}</p>;
  if (file.diff == null || file.diff === "") return <p className="quiet">{texts.changes.noDiff}</p>;
  return <Diff diff={file.diff.replace(/\n$/, "")} truncated={file.truncated === true} />;
}
