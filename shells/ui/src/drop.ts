// Files that are dragged over the page. Without this, a browser leaves the page and opens a file that is dropped on it.
import { useEffect } from "react";
import { Cell, useCell } from "./cell.js";

type Take = (files: File[], folders: boolean) => void;

/** How long a drag counts as over the page after it has left an element. A web view may report this for each element. */
const LEFT_MS = 100;

const over = new Cell(false);
let taker: Take | null = null;
let leaving: ReturnType<typeof setTimeout> | undefined;

function end(): void {
  clearTimeout(leaving);
  over.set(false);
}

/** Whether files that are dropped here are attached. */
function wants({ target }: DragEvent): boolean {
  const inside = target instanceof Element && target.closest(".main") !== null;
  return taker !== null && inside && document.querySelector("dialog[open]") === null;
}

function moved(event: DragEvent): void {
  if (event.dataTransfer?.types.includes("Files") !== true) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = wants(event) ? "copy" : "none";
  clearTimeout(leaving);
  if (!over.get()) over.set(true);
}

window.addEventListener("dragenter", moved);
window.addEventListener("dragover", moved);
window.addEventListener("dragleave", ({ relatedTarget }) => {
  if (relatedTarget === null) leaving = setTimeout(end, LEFT_MS);
});
window.addEventListener("dragend", end);
window.addEventListener("drop", (event) => {
  if (event.dataTransfer?.types.includes("Files") !== true) return;
  event.preventDefault();
  end();
  if (!wants(event)) return;
  const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
  const folders = items.map((item) => item.webkitGetAsEntry()?.isDirectory === true);
  const files = [...event.dataTransfer.files].filter((_, place) => folders[place] !== true);
  taker?.(files, folders.includes(true));
});

/** Takes files that are dropped on the main area. Returns whether files are being dragged over the page. */
export function useDrop(take: Take): boolean {
  useEffect(() => {
    taker = take;
    return () => {
      if (taker === take) taker = null;
    };
  }, [take]);
  return useCell(over);
}

/** The files of a paste. Office programs put a picture of a text beside the text: then only the text counts. */
export function pastedFiles({ files, types }: DataTransfer): File[] {
  return types.includes("text/plain") && types.includes("text/html") ? [] : [...files];
}
