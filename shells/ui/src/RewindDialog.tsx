// Asks whether a rewind also undoes what the turns changed in files.
import type { NotReverted, RewindRequest, TurnChanges } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { conflictsOf } from "./changes.js";
import { Conflicts } from "./Conflicts.js";
import { Dialog } from "./Dialog.js";
import { texts } from "./messages.js";
import { reason, takeOut } from "./revisions.js";

interface RewindDialogProps {
  session_id: string;
  message_id: string;
  /** What the turns that are taken out changed. */
  turns: readonly TurnChanges[];
  folder: string | undefined;
  onClose: () => void;
}

export function RewindDialog({ session_id, message_id, turns, folder, onClose }: RewindDialogProps) {
  const [files, setFiles] = useState<"keep" | "restore">("keep");
  const [commands, setCommands] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [conflicts, setConflicts] = useState<readonly NotReverted[] | null>(null);
  const id = useId();
  const changed = turns.flatMap((turn) => turn.files);

  function rewind(force: string[] = []): void {
    setProblem(null);
    setConflicts(null);
    const more: Partial<RewindRequest> = files === "restore" ? { commands, force } : {};
    takeOut(session_id, { message_id, files, ...more }).then(onClose, (error: unknown) => {
      const found = conflictsOf(error);
      if (found) setConflicts(found);
      else setProblem(texts.rewind.notRewound(reason(error)));
    });
  }

  return (
    <>
      <Dialog title={texts.rewind.here} onClose={onClose}>
        <p>{texts.rewindDialog.lead(new Set(changed.map(({ path }) => path)).size)}</p>
        <div className="choice-lines" role="radiogroup" aria-label={texts.rewind.here}>
          {(["keep", "restore"] as const).map((one) => (
            <label key={one} className="choice-line">
              <input type="radio" name={`${id}-files`} checked={files === one} onChange={() => setFiles(one)} />
              {texts.rewindDialog[one]}
            </label>
          ))}
        </div>
        {files === "restore" && changed.some(({ source }) => source === "command") && (
          <label className="choice-line">
            <input type="checkbox" checked={commands} onChange={({ target }) => setCommands(target.checked)} />
            {texts.rewindDialog.commands}
          </label>
        )}
        {problem !== null && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <div className="panel-buttons">
          <button type="button" onClick={onClose}>
            {texts.shared.cancel}
          </button>
          <button
            type="button"
            className="primary"
            onClick={() => {
              rewind();
            }}
          >
            {texts.rewindDialog.rewind}
          </button>
        </div>
      </Dialog>
      {conflicts && (
        <Conflicts
          conflicts={conflicts}
          folder={folder}
          all
          onGoOn={(force, left) => {
            rewind([...force, ...left]); // those that can't be undone are left as they are
          }}
          onClose={() => {
            setConflicts(null);
          }}
        />
      )}
    </>
  );
}
