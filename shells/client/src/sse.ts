// Server-sent events as the HTML standard defines them. `eventsource-parser` parses; this layer keeps the last event id,
// which the library reports per frame only, and fills in the default event name.
import { createParser as createLibraryParser } from "eventsource-parser";

export interface Frame {
  /** `message` where the frame names no event. */
  event: string;
  data: string;
  /** The last id of the stream: it came with this frame or with an earlier one. "" if there was none. */
  id: string;
}

/** A parser for one stream. `push` takes the next piece of text and calls `onFrame` for each frame that is complete. */
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
