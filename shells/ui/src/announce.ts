// What a screen reader is told: whole sentences, when something has happened; never each word of an answer.
import { useSyncExternalStore } from "react";

let words = "";
const listeners = new Set<() => void>();

export function announce(text: string): void {
  words = text === words ? `${text}\u00a0` : text; // the same words again are news again
  for (const listener of [...listeners]) listener();
}

export function useAnnouncement(): string {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => {
        listeners.delete(changed);
      };
    },
    () => words,
  );
}
