// Server-sent events as the HTML standard defines them. `eventsource-parser` parses them. This module remembers the
// last event id, which the library reports only per frame, and adds the default event name.
import { createParser as createLibraryParser } from "eventsource-parser";

export interface Frame {
  /** `message` if the frame has no event name. */
  event: string;
  data: string;
  /** The last id in the stream, from this frame or an earlier one; "" if there was none. */
  id: string;
}

/** A parser for one stream. `push` takes the next piece of text and calls `onFrame` for each complete frame. */
export function createParser(onFrame: (frame: Frame) => void): { push(text: string): void } {
  let id = "";
  const parser = createLibraryParser({
    onId(value) {
      id = value;
    },
    onEvent({ event = "message", data }) {
      onFrame({ event, data, id });
    },
  });
  return {
    push(text) {
      parser.feed(text);
    },
  };
}
