// What the turns of a conversation changed in files, read when it is needed.
import { AsterError, type NotReverted, type TurnChanges } from "@aster-sidecar/client";
import { createContext, useEffect, useState } from "react";
import { client, onEvent, usePicture } from "./engine.js";

const EVENTS = new Set<string>(["files_changed", "history_rewound", "history_unrewound"]);

/** The changes of an open conversation, by `turn_id`; null while they are not read. */
export type ByTurn = ReadonlyMap<string, TurnChanges>;

export const ChangesOf = createContext<ByTurn | null>(null);

/**
 * Reads the changes of a conversation once it has some, and again after each event about them, and whenever `watched`
 * changes: no event reports that a person has changed a file since.
 */
export function useChanges(session_id: string, watched: boolean): ByTurn | null {
  const [turns, setTurns] = useState<ByTurn | null>(null);
  const some = usePicture((state) => (state.sessions[session_id]?.changed_files ?? 0) > 0);
  const instance = usePicture((state) => state.connection.instance_id);
  const wanted = some || turns !== null;
  useEffect(() => {
    if (!wanted) return;
    let newest = 0;
    const read = (): void => {
      const mine = (newest += 1);
      client.sessions.changes(session_id).then(
        ({ turns }) => {
          if (mine === newest) setTurns(new Map(turns.map((turn) => [turn.turn_id, turn])));
        },
        () => undefined, // what is shown stays; the next event reads again
      );
    };
    read();
    const end = onEvent((event) => {
      if (event.type === "resync" || (event.session_id === session_id && EVENTS.has(event.type))) read();
    });
    return () => {
      newest = -1;
      end();
    };
  }, [session_id, wanted, watched, instance]);
  return turns;
}

/** The files that stood in the way of an undo; null if the error is another one. */
export function conflictsOf(error: unknown): readonly NotReverted[] | null {
  if (!(error instanceof AsterError) || error.code !== "revert_conflict" || !Array.isArray(error.details)) return null;
  return error.details as NotReverted[];
}

/** A path as a person knows it: below the conversation's folder without that. */
export function shortPath(path: string, folder: string | undefined): string {
  if (folder === undefined || folder === "") return path;
  const begin = /[\\/]$/.test(folder) ? folder : folder + (folder.includes("\\") ? "\\" : "/");
  return path.startsWith(begin) ? path.slice(begin.length) : path;
}
