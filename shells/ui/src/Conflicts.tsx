// Files that changed since, or that can't be restored: the person says which of them are undone all the same.
import type { NotReverted } from "@aster-sidecar/client";
import { useState } from "react";
import { shortPath } from "./changes.js";
import { Dialog } from "./Dialog.js";
import { texts } from "./messages.js";
import { visible, visibleText } from "./Plain.js";

interface ConflictsProps {
  conflicts: readonly NotReverted[];
  folder: string | undefined;
  /** Nothing happens unless every file that can be undone is chosen. */
  all?: boolean;
  /** `force`: what the person chose. `left`: the other files of the list. */
  onGoOn: (force: string[], left: string[]) => void;
  onClose: () => void;
}

export function Conflicts({ conflicts, folder, all = false, onGoOn, onClose }: ConflictsProps) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const possible = conflicts.filter(({ code }) => code === "changed_since");
  const enough = all ? possible.every(({ path }) => chosen.has(path)) : true;
  return (
    <Dialog title={texts.changes.conflict} className="conflicts" onClose={onClose}>
      <p className="quiet">{texts.changes.conflictLead}</p>
      <ul className="change-list">
        {conflicts.map(({ path, code, message }) => (
          <li key={path}>
            <p className="change-name">{visible(shortPath(path, folder))}</p>
            <p className="quiet">{visible(message)}</p>
            {code === "changed_since" ? (
              <label className="choice-line">
                <input
                  type="checkbox"
                  checked={chosen.has(path)}
                  onChange={({ target }) => {
                    const next = new Set(chosen);
                    if (target.checked) next.add(path);
                    else next.delete(path);
                    setChosen(next);
                  }}
                />
                {texts.changes.anyway(visibleText(shortPath(path, folder)))}
              </label>
            ) : (
              <p className="quiet">{texts.changes.left}</p>
            )}
          </li>
        ))}
      </ul>
      <div className="panel-buttons">
        <button type="button" onClick={onClose}>
          {texts.shared.cancel}
        </button>
        <button
          type="button"
          className="primary"
          disabled={!enough}
          onClick={() => {
            const left = conflicts.map(({ path }) => path).filter((path) => !chosen.has(path));
            onGoOn([...chosen], left);
          }}
        >
          {all ? texts.changes.goOnAll : texts.changes.goOn}
        </button>
      </div>
    </Dialog>
  );
}
