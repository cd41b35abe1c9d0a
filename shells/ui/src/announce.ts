// Announcements for a screen reader: complete sentences after something has happened, never each word of an answer.
import { Cell, useCell } from "./cell.js";

const words = new Cell("");

export function announce(text: string): void {
  words.set(text === words.get() ? `${text}\u00a0` : text); // the same words must be announced again
}

export function useAnnouncement(): string {
  return useCell(words);
}
