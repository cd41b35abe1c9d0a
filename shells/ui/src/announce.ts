// What a screen reader is told: whole sentences, when something has happened; never each word of an answer.
import { Cell, useCell } from "./cell.js";

const words = new Cell("");

export function announce(text: string): void {
  words.set(text === words.get() ? `${text}\u00a0` : text); // the same words again are news again
}

export function useAnnouncement(): string {
  return useCell(words);
}
