// Server-sent events, parsed as the HTML standard has them: text in any pieces goes in, frames come out.

export interface Frame {
  /** `message` where the frame names no event. */
  event: string;
  data: string;
  /** The last id that came, with this frame or before it. */
  id: string;
}

/** A parser for one stream. `push` takes the next piece of text and calls `onFrame` for each frame that is complete. */
export function createParser(onFrame: (frame: Frame) => void): { push(text: string): void } {
  let pieces: string[] = []; // the line that has no end yet; joined once, so that a long one costs what it is long
  let afterCr = false;
  let first = true;
  let event = "";
  let data: string[] = [];
  let id = "";

  function line(text: string): void {
    if (text === "") {
      if (data.length > 0) onFrame({ event: event || "message", data: data.join("\n"), id });
      event = "";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return; // a comment
    const name = colon < 0 ? text : text.slice(0, colon);
    const from = text[colon + 1] === " " ? colon + 2 : colon + 1;
    const value = colon < 0 ? "" : text.slice(from);
    if (name === "data") data.push(value);
    else if (name === "event") event = value;
    else if (name === "id" && !value.includes("\0")) id = value;
  }

  return {
    push(text) {
      if (text === "") return;
      let start = 0;
      if (first) {
        first = false;
        if (text.startsWith("\uFEFF")) start = 1;
      }
      if (afterCr) {
        // A CR that ended the last piece has ended its line; the LF of the same line break comes now.
        afterCr = false;
        if (text[start] === "\n") start += 1;
      }
      const breaks = /\r\n?|\n/g;
      breaks.lastIndex = start;
      for (let found = breaks.exec(text); found !== null; found = breaks.exec(text)) {
        pieces.push(text.slice(start, found.index));
        const whole = pieces.join("");
        pieces = [];
        start = breaks.lastIndex;
        afterCr = found[0] === "\r" && start === text.length;
        line(whole);
      }
      if (start < text.length) pieces.push(text.slice(start));
    },
  };
}
